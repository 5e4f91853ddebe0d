//! All documents of all folders together, and what must hold between them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::slo::{Service, SloId};
use crate::time::Span;

use super::native::{self, Declared};
use super::yaml::{self, Document, Spot};
use super::{SpecError, Warning, nearest};

mod links;

/// The language that is read.
const API_VERSION: &str = "headroom/v1";
/// Kinds that are recognised and read elsewhere.
const OTHERS: [&str; 3] = ["Policy", "Calendar", "Exclusion"];

/// What the files of a user declare.
#[derive(Debug, Clone, Default)]
pub struct Set {
    /// The services, in the order of the files.
    pub services: Vec<Arc<Service>>,
    /// Documents of the other kinds, not read yet.
    pub others: Vec<Document>,
    /// What is allowed but cannot be meant.
    pub warnings: Vec<Warning>,
    declared: Vec<Declared>,
}

impl Set {
    /// Whether there is no SLO at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.iter().all(|service| service.slos.is_empty())
    }

    /// Something about an SLO that was found later, with the excerpt of where it is declared.
    #[must_use]
    pub fn finding(&self, id: &SloId, message: &str) -> Option<SpecError> {
        let of_service = self.services.iter().zip(&self.declared).find(|(service, _)| {
            service.name == id.service && service.environment == id.environment
        });
        let (service, declared) = of_service?;
        let at = service.slos.iter().position(|slo| slo.id == *id)?;
        Some(declared.document.error(declared.slos.get(at)?.name, message))
    }

    /// The warnings that need to know how often the sources are scraped.
    #[must_use]
    pub fn slices_too_short(&self, scrape: Span) -> Vec<Warning> {
        let pairs = self.services.iter().zip(&self.declared).flat_map(|(service, declared)| {
            service.slos.iter().zip(&declared.slos).map(move |(slo, spots)| (declared, slo, spots))
        });
        pairs.filter_map(|(d, slo, spots)| native::short_slice(d, slo, spots, scrape)).collect()
    }
}

/// Reads files given as name and bytes.
///
/// # Errors
/// Everything that is wrong with any of them, by file and line. Of a document whose form cannot be
/// read it is the first fault.
pub fn load(files: &[(String, Vec<u8>)]) -> Result<Set, Vec<SpecError>> {
    let mut loading = Loading::of(files);
    loading.doubles();
    if loading.errors.is_empty() {
        loading.links();
    }
    loading.finish()
}

#[derive(Default)]
struct Loading {
    declared: Vec<Declared>,
    others: Vec<Document>,
    errors: Vec<SpecError>,
    warnings: Vec<Warning>,
}

enum Known {
    Service,
    Other,
}

/// Fewer bytes than this are not worth a thread.
const MUCH: usize = 1 << 18;

impl Loading {
    /// Reads files on all cores: they know nothing of each other yet.
    fn of(files: &[(String, Vec<u8>)]) -> Self {
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let parts = cores.min(bytes / MUCH + 1);
        let share = files.len().div_ceil(parts).max(1);
        let mut all = Self::default();
        std::thread::scope(|scope| {
            let rest = files.chunks(share).skip(1);
            let rest: Vec<_> = rest.map(|part| scope.spawn(|| Self::read(part))).collect();
            all = Self::read(&files[..share.min(files.len())]);
            for part in rest {
                match part.join() {
                    Ok(part) => all.join(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        all
    }

    fn read(files: &[(String, Vec<u8>)]) -> Self {
        let mut loading = Self::default();
        for (file, bytes) in files {
            for document in yaml::documents(file, bytes) {
                loading.take(document);
            }
        }
        loading
    }

    fn join(&mut self, other: Self) {
        self.declared.extend(other.declared);
        self.others.extend(other.others);
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
    }

    fn take(&mut self, document: Result<Document, SpecError>) {
        let document = match document {
            Ok(document) => document,
            Err(error) => return self.errors.push(error),
        };
        match known(&document) {
            Err(error) => self.errors.push(error),
            Ok(Known::Other) => self.others.push(document),
            Ok(Known::Service) => match native::read(&document) {
                Ok(declared) => self.declared.push(declared),
                Err(errors) => self.errors.extend(errors),
            },
        }
    }

    /// The same service in the same environment twice.
    fn doubles(&mut self) {
        let mut seen: HashMap<_, &Declared> = HashMap::with_capacity(self.declared.len());
        for declared in &self.declared {
            let service = &declared.service;
            let Some(first) = seen.get(&(&service.name, &service.environment)) else {
                seen.insert((&service.name, &service.environment), declared);
                continue;
            };
            let first = first.document.place(first.name);
            let (name, environment) = (&service.name, &service.environment);
            let said = format!(
                "the service `{name}` of environment `{environment}` is already declared at {first}"
            );
            let error = declared.document.error(declared.name, said);
            let remedy = "merge the two documents, or give one another environment";
            self.errors.push(error.with_remedy(remedy));
        }
    }

    fn finish(mut self) -> Result<Set, Vec<SpecError>> {
        if !self.errors.is_empty() {
            self.errors.sort_by(|a, b| a.place.cmp(&b.place));
            return Err(self.errors);
        }
        let mut set = Set { others: self.others, warnings: self.warnings, ..Set::default() };
        for mut declared in self.declared {
            set.warnings.append(&mut declared.warnings);
            set.services.push(Arc::clone(&declared.service));
            set.declared.push(declared);
        }
        set.warnings.sort_by(|a, b| a.finding.place.cmp(&b.finding.place));
        Ok(set)
    }
}

fn known(document: &Document) -> Result<Known, SpecError> {
    version(document)?;
    let Some(kind) = &document.kind else {
        let error = document.error(document.start(), "this document does not say its `kind`");
        return Err(error.with_remedy("add `kind: Service`"));
    };
    match kind.value.as_str() {
        "Service" => Ok(Known::Service),
        other if OTHERS.contains(&other) => Ok(Known::Other),
        other => {
            let kinds = ["Service", "Policy", "Calendar", "Exclusion"];
            let remedy = nearest(other, kinds).map_or_else(
                || format!("known kinds: {}", kinds.join(", ")),
                |meant| format!("did you mean `{meant}`?"),
            );
            let error = document.error(kind.spot, format!("there is no kind `{other}`"));
            Err(error.with_remedy(remedy))
        }
    }
}

fn version(document: &Document) -> Result<(), SpecError> {
    let (spot, said): (Spot, String) = match &document.api_version {
        Some(version) if version.value == API_VERSION => return Ok(()),
        Some(version) => (version.spot, format!("`{}` is not read here", version.value)),
        None => (document.start(), "this document does not say its `apiVersion`".to_owned()),
    };
    let remedy = format!("write `apiVersion: {API_VERSION}`, or remove the file from the folder");
    Err(document.error(spot, said).with_remedy(remedy))
}

#[cfg(test)]
mod tests;
