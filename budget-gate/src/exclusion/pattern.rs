//! Which SLOs an exclusion is about: `orders/*`, `*/latency`, `orders/availability@production`.

use std::fmt;

use crate::policy::scalar::Word;
use crate::select::Glob;

/// `service/slo[@environment]`, where `*` in service and SLO stands for any letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SloPattern {
    service: Glob,
    slo: Glob,
    environment: Option<Word>,
}

impl SloPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence that shows the right form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |form: &str| format!("`{text}` names no SLOs; write {form}");
        let (path, environment) = match text.split_once('@') {
            Some((path, name)) => (path, Some(name)),
            None => (text, None),
        };
        let environment = environment.map(Word::parse).transpose().map_err(|_| {
            wrong("the environment by its name, such as orders/*@production, or leave it out")
        })?;
        let (service, slo) = path.split_once('/').ok_or_else(|| {
            wrong("service/slo, such as orders/*, */latency or orders/availability@production")
        })?;
        let glob = |text| Glob::parse(text).map_err(|_| wrong("a-z, 0-9, - and * around the `/`"));
        Ok(Self { service: glob(service)?, slo: glob(slo)?, environment })
    }

    /// The services that it names.
    #[must_use]
    pub const fn service(&self) -> &Glob {
        &self.service
    }

    /// The environment that it names; `None` for all.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_ref().map(Word::as_str)
    }

    /// Whether it may match an SLO of a service in an environment.
    #[must_use]
    pub fn reaches(&self, service: &str, environment: &str) -> bool {
        self.service.matches(service) && self.environment().is_none_or(|e| e == environment)
    }

    /// Whether it matches an SLO.
    #[must_use]
    pub fn matches(&self, service: &str, slo: &str, environment: &str) -> bool {
        self.slo.matches(slo) && self.reaches(service, environment)
    }
}

impl fmt::Display for SloPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.slo)?;
        self.environment().map_or(Ok(()), |e| write!(f, "@{e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_by_service_slo_and_environment() {
        for (text, matches) in [
            ("orders/*", [true, true, false]),
            ("*/latency", [false, true, true]),
            ("*/*", [true, true, true]),
            ("orders/availability@production", [true, false, false]),
            ("orders/*@production", [true, false, false]),
            ("or*s/l*", [false, true, false]),
        ] {
            let pattern = SloPattern::parse(text).unwrap();
            let slos = [
                ("orders", "availability", "production"),
                ("orders", "latency", "staging"),
                ("users", "latency", "staging"),
            ];
            assert_eq!(slos.map(|(a, b, c)| pattern.matches(a, b, c)), matches, "{text}");
            assert_eq!(pattern.to_string(), text);
        }
    }

    #[test]
    fn a_pattern_reaches_services_whatever_their_slos() {
        let pattern = SloPattern::parse("or*/none@production").unwrap();
        assert!(pattern.reaches("orders", "production"));
        assert!(!pattern.reaches("orders", "staging") && !pattern.reaches("users", "production"));
        assert_eq!(
            (pattern.service().as_str(), pattern.environment()),
            ("or*", Some("production"))
        );
    }

    #[test]
    fn a_wrong_pattern_is_told_the_right_form() {
        for (text, words) in [
            ("orders", "write service/slo, such as orders/*"),
            ("", "write service/slo"),
            ("Orders/*", "write a-z, 0-9, - and *"),
            ("orders/", "write a-z"),
            ("a/b/c", "write a-z"),
            ("orders/*@*", "write the environment by its name"),
            ("orders/*@", "write the environment"),
        ] {
            let said = SloPattern::parse(text).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}
