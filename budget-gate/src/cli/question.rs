//! What a command asks about: what was given, else what the job tells, which is said in the log.

use budget_gate::decision::Request;
use budget_gate::harmless::harmless;

use super::args::{Place, Subject};
use super::job::Job;
use super::output;

/// Takes what was given or what the job tells, and remembers the latter.
pub(crate) struct Asked<'a> {
    job: &'a Job,
    taken: Vec<String>,
}

impl<'a> Asked<'a> {
    pub(crate) fn by(job: &'a Job) -> Self {
        Self { job, taken: Vec::new() }
    }

    /// The given value, else the one that the job tells under this name.
    pub(crate) fn take(
        &mut self,
        name: &str,
        given: Option<&String>,
        told: Option<&String>,
    ) -> Option<String> {
        if given.is_none() {
            self.taken.extend(told.map(|told| format!("{name} {}", harmless(told))));
        }
        given.or(told).cloned()
    }

    /// Service and environment.
    ///
    /// # Errors
    /// Nobody says which service.
    pub(crate) fn place(&mut self, place: &Place) -> Result<(String, Option<String>), String> {
        let told = &self.job.told;
        let service = self.take("service", place.service.as_ref(), told.service.as_ref());
        let service = service.ok_or_else(|| {
            let system = self.job.system.name();
            format!("which service? Give --service; {system} tells no name that a service can have")
        })?;
        let given = place.environment.as_ref();
        let environment = self.take("environment", given, told.environment.as_ref());
        Ok((service, environment))
    }

    /// Service, environment, version and kind.
    ///
    /// # Errors
    /// Nobody says which service.
    pub(crate) fn subject(&mut self, subject: &Subject) -> Result<Request, String> {
        let (service, environment) = self.place(&subject.place)?;
        let told = self.job.told.version.as_ref();
        let version = self.take("version", subject.version.as_ref(), told);
        Ok(Request { service, environment, version, kind: subject.kind, ..Request::default() })
    }

    /// Says what was taken from the job.
    pub(crate) fn say(self) {
        if !self.taken.is_empty() {
            let system = self.job.system.name();
            output::diagnostic(&format!("{system} tells {}", self.taken.join(", ")));
        }
    }
}
