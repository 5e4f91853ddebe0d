//! What the user's files declare: services, policies, and what policies need to know.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use budget_gate::policy::{Policy, asks, burn_windows};
use slo_core::slo::Service;
use slo_core::spec::{SpecError, Warning};
use slo_core::time::Span;
use slo_core::view::Ask;

use crate::files;

/// A set of files without errors.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// The services with their SLOs.
    pub services: Vec<Arc<Service>>,
    /// The policies; the shipped one when the files have none.
    pub policies: Vec<Policy>,
    /// Whether the shipped policy is used.
    pub is_shipped: bool,
    /// What is allowed but cannot be meant.
    pub warnings: Vec<Warning>,
    /// What the policies ask about the future.
    pub asks: Vec<Ask>,
    /// The burn windows that the policies need.
    pub burns: Vec<Span>,
    /// The services to be found by name, from when that is first asked.
    pub by_name: ByName,
}

/// Services by name, then environment.
#[derive(Debug, Clone, Default)]
pub struct ByName(OnceLock<BTreeMap<String, BTreeMap<String, Arc<Service>>>>);

impl Declared {
    /// The services by name, then environment.
    #[must_use]
    pub fn by_name(&self) -> &BTreeMap<String, BTreeMap<String, Arc<Service>>> {
        self.by_name.0.get_or_init(|| {
            let mut by_name: BTreeMap<String, BTreeMap<String, Arc<Service>>> = BTreeMap::new();
            for service in &self.services {
                let by = by_name.entry(service.name.to_string()).or_default();
                by.insert(service.environment.to_string(), Arc::clone(service));
            }
            by_name
        })
    }
}

/// Reads files and folders.
///
/// # Errors
/// Everything that is wrong with them; also that there is no SLO at all.
pub fn read(paths: &[PathBuf], scrape_interval: Option<Span>) -> Result<Declared, Vec<SpecError>> {
    let set = slo_core::spec::load(files::read(paths)?)?;
    if set.is_empty() {
        let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        let empty = SpecError::of_file(&names.join(", "), "there is no SLO in these files");
        let remedy = "write a document with `kind: Service` and at least one SLO";
        return Err(vec![empty.with_remedy(remedy)]);
    }
    let loaded = budget_gate::policy::load(&set.others, &set.services)?;
    let mut warnings = set.warnings.clone();
    warnings.extend(scrape_interval.map(|s| set.slices_too_short(s)).unwrap_or_default());
    warnings.extend(loaded.warnings);
    Ok(Declared {
        asks: asks(&loaded.policies),
        burns: burn_windows(&loaded.policies),
        services: set.services.into_iter().map(Arc::new).collect(),
        policies: loaded.policies,
        is_shipped: loaded.is_shipped,
        warnings,
        by_name: ByName::default(),
    })
}
