//! The job that this program runs in: what its CI system tells and where that system shows things.

use std::path::PathBuf;

mod token;
mod told;

pub(crate) use token::token;
pub(crate) use told::Told;

/// How an environment variable is read; empty ones are absent.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What runs the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    GitHubActions,
    GitLabCi,
    Jenkins,
    ArgoCd,
    Shell,
}

/// The job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) system: System,
    /// What is deployed, as far as the system tells.
    pub(crate) told: Told,
    /// Whether standard output shows colours.
    pub(crate) colours: bool,
    /// Where Markdown is shown beside the job.
    pub(crate) summary: Option<PathBuf>,
    /// Where later steps find the values of this one.
    pub(crate) values: Option<PathBuf>,
}

impl Job {
    /// Reads the environment.
    pub(crate) fn of(lookup: Lookup<'_>, is_terminal: bool) -> Self {
        let lookup: Lookup<'_> = &|name| lookup(name).filter(|value| !value.trim().is_empty());
        let system = System::of(lookup);
        let file = |name| lookup(name).map(PathBuf::from).filter(|_| system.is_github());
        Self {
            system,
            told: Told::by(system, lookup),
            colours: colours(lookup, is_terminal, system),
            summary: file("GITHUB_STEP_SUMMARY"),
            values: file("GITHUB_OUTPUT"),
        }
    }
}

impl System {
    fn of(lookup: Lookup<'_>) -> Self {
        let is_true = |name| lookup(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if is_true("GITHUB_ACTIONS") {
            Self::GitHubActions
        } else if is_true("GITLAB_CI") {
            Self::GitLabCi
        } else if lookup("JENKINS_URL").is_some() {
            Self::Jenkins
        } else if lookup("ARGOCD_APP_NAME").is_some() {
            Self::ArgoCd
        } else {
            Self::Shell
        }
    }

    pub(crate) fn is_github(self) -> bool {
        self == Self::GitHubActions
    }

    /// The system as people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GitHubActions => "GitHub Actions",
            Self::GitLabCi => "GitLab CI",
            Self::Jenkins => "Jenkins",
            Self::ArgoCd => "Argo CD",
            Self::Shell => "the shell",
        }
    }
}

/// `NO_COLOR` and `CLICOLOR_FORCE` hold as their pages say; the logs of two systems show colours.
fn colours(lookup: Lookup<'_>, is_terminal: bool, system: System) -> bool {
    let is_forced = lookup("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let is_dumb = lookup("TERM").is_some_and(|value| value == "dumb");
    let shows = matches!(system, System::GitHubActions | System::GitLabCi);
    lookup("NO_COLOR").is_none() && (is_forced || shows || (is_terminal && !is_dumb))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn job(variables: &[(&str, &str)]) -> Job {
        let given = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Job::of(&given, false)
    }

    #[test]
    fn each_system_is_known_by_the_variable_that_only_it_sets() {
        for (variables, system) in [
            (&[("GITHUB_ACTIONS", "true"), ("CI", "true")][..], System::GitHubActions),
            (&[("GITLAB_CI", "true"), ("CI", "true")][..], System::GitLabCi),
            (&[("JENKINS_URL", "https://ci.example/")][..], System::Jenkins),
            (&[("ARGOCD_APP_NAME", "orders")][..], System::ArgoCd),
            (&[("CI", "true"), ("GITHUB_ACTIONS", ""), ("GITLAB_CI", "false")][..], System::Shell),
        ] {
            assert_eq!(job(variables).system, system);
        }
    }

    #[test]
    fn colours_are_shown_where_they_can_be_seen_and_nobody_refused_them() {
        let shown = |variables: &[(&str, &str)]| job(variables).colours;
        assert!(!shown(&[]));
        assert!(shown(&[("CLICOLOR_FORCE", "1")]));
        assert!(!shown(&[("CLICOLOR_FORCE", "0")]));
        assert!(!shown(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(shown(&[("GITLAB_CI", "true"), ("NO_COLOR", "")]));
        assert!(shown(&[("GITHUB_ACTIONS", "true"), ("TERM", "dumb")]));
        assert!(!shown(&[("GITLAB_CI", "true"), ("NO_COLOR", "1")]));
        assert!(!shown(&[("JENKINS_URL", "https://ci.example/")]));
        assert!(Job::of(&|_| None, true).colours);
        assert!(!Job::of(&|name| (name == "TERM").then(|| "dumb".to_owned()), true).colours);
    }

    #[test]
    fn files_of_actions_are_used_in_actions_only() {
        let file = ("GITHUB_STEP_SUMMARY", "/tmp/summary");
        assert_eq!(job(&[file]).summary, None);
        let summary = job(&[file, ("GITHUB_ACTIONS", "true")]).summary;
        assert_eq!(summary, Some(PathBuf::from("/tmp/summary")));
    }
}
