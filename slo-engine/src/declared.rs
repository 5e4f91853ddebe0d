//! What the user's files declare: services, policies with their calendars, exclusions, and what
//! policies need to know. The one way to read the files, for the server and for every command.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use budget_gate::calendar::Calendar;
use budget_gate::exclusion::Exclusion;
use budget_gate::policy::{self, Policy, Rule, asks, burn_windows};
use slo_core::slo::Service;
use slo_core::spec::yaml::{Document, documents};
use slo_core::spec::{Set, SpecError, Warning};
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
    /// The calendars that policies name.
    pub calendars: Vec<Calendar>,
    /// Times that do not count, as far as files say it.
    pub exclusions: Vec<Exclusion>,
    /// Whether the shipped policy is used.
    pub is_shipped: bool,
    /// What is allowed but cannot be meant, or has no effect in this version.
    pub warnings: Vec<Warning>,
    /// What the policies ask about the future.
    pub asks: Vec<Ask>,
    /// The burn windows that the policies need.
    pub burns: Vec<Span>,
    /// Where services are found, from when that is first asked.
    pub index: Index,
}

/// Where services are found.
#[derive(Debug, Clone, Default)]
pub struct Index(OnceLock<Places>);

/// Places in `services`.
#[derive(Debug, Clone, Default)]
struct Places {
    /// By name and environment.
    sorted: Vec<usize>,
    /// Where a name begins in `sorted`, and how many environments have it.
    names: HashMap<String, (usize, usize)>,
    /// What environments are called.
    environments: HashSet<String>,
}

impl Places {
    fn of(services: &[Arc<Service>]) -> Self {
        let mut sorted: Vec<usize> = (0..services.len()).collect();
        let key = |at: &usize| (services[*at].name.as_str(), services[*at].environment.as_str());
        sorted.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        let mut names: HashMap<String, (usize, usize)> = HashMap::with_capacity(sorted.len());
        for (begin, at) in sorted.iter().enumerate() {
            names.entry(services[*at].name.to_string()).or_insert((begin, 0)).1 += 1;
        }
        let environments = services.iter().map(|one| one.environment.to_string()).collect();
        Self { sorted, names, environments }
    }
}

impl Declared {
    fn places(&self) -> &Places {
        self.index.0.get_or_init(|| Places::of(&self.services))
    }

    /// Places in `services` of those with a name, by environment.
    #[must_use]
    pub fn named(&self, name: &str) -> &[usize] {
        let places = self.places();
        let (begin, count) = places.names.get(name).copied().unwrap_or_default();
        &places.sorted[begin..begin + count]
    }

    /// Whether some service is in an environment of this name.
    #[must_use]
    pub fn has_environment(&self, name: &str) -> bool {
        self.places().environments.contains(name)
    }

    /// Places in `services` by name and environment, from a name on.
    #[must_use]
    pub fn sorted_from(&self, name: &str) -> &[usize] {
        let sorted = &self.places().sorted;
        &sorted[sorted.partition_point(|at| self.services[*at].name.as_str() < name)..]
    }
}

/// Reads files and folders.
///
/// # Errors
/// Everything that is wrong with them; also that there is no SLO at all.
pub fn read(paths: &[PathBuf], scrape_interval: Option<Span>) -> Result<Declared, Vec<SpecError>> {
    let declared = check(paths, scrape_interval)?;
    if declared.slos() > 0 {
        return Ok(declared);
    }
    let remedy = "write a document with `kind: Service` and at least one SLO";
    Err(vec![nothing(paths, "there is no SLO in these files").with_remedy(remedy)])
}

/// The same for files that need not hold an SLO, such as a folder of policies.
///
/// # Errors
/// Everything that is wrong with them; also that they declare nothing.
pub fn check(paths: &[PathBuf], scrape_interval: Option<Span>) -> Result<Declared, Vec<SpecError>> {
    let files = files::read(paths)?;
    let set = slo_core::spec::load(&files).map_err(|errors| with_policies(errors, &files))?;
    if set.is_empty() && set.others.is_empty() {
        let remedy = "write a document with `kind: Service` and at least one SLO";
        return Err(vec![nothing(paths, "there is no SLO in these files").with_remedy(remedy)]);
    }
    Declared::of(&set, scrape_interval)
}

/// The policies that these files hold, instead of those of `declared`; calendars of both.
///
/// # Errors
/// Everything that is wrong with them; also that there is no policy.
pub fn with_policies_of(declared: Declared, paths: &[PathBuf]) -> Result<Declared, Vec<SpecError>> {
    let (found, errors): (Vec<_>, Vec<_>) = files::read(paths)?
        .iter()
        .flat_map(|(file, bytes)| documents(file, bytes))
        .partition(Result::is_ok);
    let errors: Vec<SpecError> = errors.into_iter().filter_map(Result::err).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let found: Vec<Document> = found.into_iter().filter_map(Result::ok).collect();
    let loaded = policy::load_beside(&found, &declared.services, &declared.calendars)?;
    if loaded.is_shipped {
        let remedy = "write a document with `kind: Policy`";
        return Err(vec![nothing(paths, "there is no policy in these files").with_remedy(remedy)]);
    }
    Ok(Declared {
        asks: asks(&loaded.policies),
        burns: burn_windows(&loaded.policies),
        policies: loaded.policies,
        calendars: loaded.calendars,
        is_shipped: false,
        warnings: loaded.warnings,
        ..declared
    })
}

impl Declared {
    fn of(set: &Set, scrape_interval: Option<Span>) -> Result<Self, Vec<SpecError>> {
        let loaded = policy::load(&set.others, &set.services)?;
        let mut warnings = set.warnings.clone();
        warnings.extend(scrape_interval.map(|s| set.slices_too_short(s)).unwrap_or_default());
        warnings.extend(loaded.warnings);
        warnings.sort_by(|a, b| a.finding.place.cmp(&b.finding.place));
        Ok(Self {
            asks: asks(&loaded.policies),
            burns: burn_windows(&loaded.policies),
            services: set.services.clone(),
            policies: loaded.policies,
            calendars: loaded.calendars,
            exclusions: loaded.exclusions,
            is_shipped: loaded.is_shipped,
            warnings,
            index: Index::default(),
        })
    }

    /// Whether a policy goes by what a service depends on.
    #[must_use]
    pub fn asks_for_dependencies(&self) -> bool {
        let mut rules = self.policies.iter().flat_map(|policy| &policy.rules);
        rules.any(|rule| matches!(rule, Rule::Dependencies(_)))
    }

    /// How many SLOs there are.
    #[must_use]
    pub fn slos(&self) -> usize {
        self.services.iter().map(|service| service.slos.len()).sum()
    }
}

fn nothing(paths: &[PathBuf], said: &str) -> SpecError {
    let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    SpecError::of_file(&names.join(", "), said)
}

/// Errors of services do not hide those of policies: both are told at once.
fn with_policies(mut errors: Vec<SpecError>, files: &[(String, Vec<u8>)]) -> Vec<SpecError> {
    let all = files.iter().flat_map(|(file, bytes)| documents(file, bytes));
    let readable: Vec<Document> = all.filter_map(Result::ok).collect();
    errors.extend(policy::load(&readable, &[]).err().unwrap_or_default());
    errors.sort_by(|a, b| a.place.cmp(&b.place));
    errors.dedup();
    errors
}

#[cfg(test)]
mod tests;
