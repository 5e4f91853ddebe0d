//! What is deployed, as each CI system tells its jobs; what it does not tell, or what cannot be what
//! it should be, is absent.

use budget_gate::deployment::is_version;
use slo_core::slo::Name;

use super::{Lookup, System};

/// What a job knows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Told {
    /// The name of the repository or application.
    pub(crate) service: Option<String>,
    pub(crate) environment: Option<String>,
    /// The tag.
    pub(crate) version: Option<String>,
    pub(crate) commit: Option<String>,
    /// Who started the job.
    pub(crate) actor: Option<String>,
    /// The page of the run.
    pub(crate) identifier: Option<String>,
}

impl Told {
    pub(crate) fn by(system: System, lookup: Lookup<'_>) -> Self {
        let lookup: Lookup<'_> = &|name| lookup(name).filter(|v| !v.chars().any(char::is_control));
        let told = match system {
            System::GitHubActions => github(lookup),
            System::GitLabCi => gitlab(lookup),
            System::Jenkins => jenkins(lookup),
            System::ArgoCd => argo(lookup),
            System::Shell => shell(lookup),
        };
        Self {
            service: told.service.as_deref().and_then(last_part),
            environment: told.environment.filter(|name| Name::parse(name).is_ok()),
            ..told
        }
    }
}

/// The name of a repository from its path or address, where a service can be called so.
fn last_part(path: &str) -> Option<String> {
    let path = path.trim_end_matches('/');
    let last = path.rsplit(['/', ':']).next()?.trim_end_matches(".git").to_ascii_lowercase();
    Name::parse(&last).is_ok().then_some(last)
}

fn github(lookup: Lookup<'_>) -> Told {
    let run = || {
        let (server, repository) = (lookup("GITHUB_SERVER_URL")?, lookup("GITHUB_REPOSITORY")?);
        let (run, attempt) = (lookup("GITHUB_RUN_ID")?, lookup("GITHUB_RUN_ATTEMPT"));
        let attempt = attempt.map(|n| format!("/attempts/{n}")).unwrap_or_default();
        Some(format!("{server}/{repository}/actions/runs/{run}{attempt}"))
    };
    let is_tag = lookup("GITHUB_REF_TYPE").is_some_and(|kind| kind == "tag");
    Told {
        service: lookup("GITHUB_REPOSITORY"),
        environment: None,
        version: lookup("GITHUB_REF_NAME").filter(|_| is_tag),
        commit: lookup("GITHUB_SHA"),
        actor: lookup("GITHUB_TRIGGERING_ACTOR").or_else(|| lookup("GITHUB_ACTOR")),
        identifier: run(),
    }
}

fn gitlab(lookup: Lookup<'_>) -> Told {
    Told {
        service: lookup("CI_PROJECT_PATH").or_else(|| lookup("CI_PROJECT_NAME")),
        environment: lookup("CI_ENVIRONMENT_NAME"),
        version: lookup("CI_COMMIT_TAG"),
        commit: lookup("CI_COMMIT_SHA"),
        actor: lookup("GITLAB_USER_LOGIN"),
        identifier: lookup("CI_JOB_URL").or_else(|| lookup("CI_PIPELINE_URL")),
    }
}

/// `BUILD_USER_ID` is set by a plugin that many have; Jenkins itself does not tell who started a job.
fn jenkins(lookup: Lookup<'_>) -> Told {
    Told {
        service: lookup("GIT_URL"),
        environment: None,
        version: lookup("TAG_NAME"),
        commit: lookup("GIT_COMMIT"),
        actor: lookup("BUILD_USER_ID").or_else(|| lookup("CHANGE_AUTHOR")),
        identifier: lookup("BUILD_URL").or_else(|| lookup("BUILD_TAG")),
    }
}

/// Argo CD puts its build environment into manifests; a hook passes it on to its container.
fn argo(lookup: Lookup<'_>) -> Told {
    let (name, revision) = (lookup("ARGOCD_APP_NAME"), lookup("ARGOCD_APP_REVISION"));
    let run = name.as_ref().zip(revision.as_ref());
    let identifier = run.map(|(name, revision)| format!("argocd:{name}@{revision}"));
    Told {
        // In any namespace but its own, Argo CD writes `namespace_name`.
        service: name.map(|n| n.rsplit('_').next().unwrap_or_default().to_owned()),
        version: lookup("ARGOCD_APP_SOURCE_TARGET_REVISION").filter(|v| is_version(v)),
        commit: revision,
        identifier,
        ..Told::default()
    }
}

fn shell(lookup: Lookup<'_>) -> Told {
    let actor = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| lookup(name));
    Told { commit: lookup("GIT_COMMIT"), actor, ..Told::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::job;
    use super::Told;

    fn told(variables: &[(&str, &str)]) -> Told {
        job(variables).told
    }

    fn of(fields: [Option<&str>; 6]) -> Told {
        let [service, environment, version, commit, actor, identifier] =
            fields.map(|field| field.map(str::to_owned));
        Told { service, environment, version, commit, actor, identifier }
    }

    const GITHUB: [(&str, &str); 9] = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "acme/Orders"),
        ("GITHUB_RUN_ID", "77"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_REF_TYPE", "tag"),
        ("GITHUB_REF_NAME", "v1.4.2"),
        ("GITHUB_SHA", "9f1c"),
        ("GITHUB_ACTOR", "ana"),
    ];

    #[test]
    fn github_tells_repository_tag_commit_actor_and_run() {
        let run = Some("https://github.com/acme/Orders/actions/runs/77/attempts/2");
        let expected = of([Some("orders"), None, Some("v1.4.2"), Some("9f1c"), Some("ana"), run]);
        assert_eq!(told(&GITHUB), expected);
        let again = [&[("GITHUB_TRIGGERING_ACTOR", "bo")], &GITHUB[..]].concat();
        assert_eq!(told(&again).actor.as_deref(), Some("bo"));
    }

    #[test]
    fn a_branch_is_no_version() {
        let branch = [&[("GITHUB_REF_TYPE", "branch")], &GITHUB[..]].concat();
        assert_eq!(told(&branch).version, None);
    }

    #[test]
    fn gitlab_tells_project_environment_tag_commit_user_and_job() {
        let variables = [
            ("GITLAB_CI", "true"),
            ("CI_PROJECT_PATH", "acme/shop/orders"),
            ("CI_ENVIRONMENT_NAME", "production"),
            ("CI_COMMIT_TAG", "1.4.2"),
            ("CI_COMMIT_SHA", "9f1c"),
            ("GITLAB_USER_LOGIN", "ana"),
            ("CI_JOB_URL", "https://gitlab.example/acme/-/jobs/7"),
        ];
        let job = Some("https://gitlab.example/acme/-/jobs/7");
        let (production, version) = (Some("production"), Some("1.4.2"));
        let expected = [Some("orders"), production, version, Some("9f1c"), Some("ana"), job];
        assert_eq!(told(&variables), of(expected));
        let review = [&[("CI_ENVIRONMENT_NAME", "review/my branch")], &variables[..]].concat();
        assert_eq!(told(&review).environment, None);
    }

    #[test]
    fn jenkins_tells_repository_tag_commit_user_and_build() {
        let build = "https://ci.example/job/orders/7/";
        let mut variables = vec![
            ("JENKINS_URL", "https://ci.example/"),
            ("GIT_URL", "git@git.example:orders.git"),
            ("TAG_NAME", "1.4.2"),
            ("GIT_COMMIT", "9f1c"),
            ("BUILD_USER_ID", "ana"),
            ("BUILD_URL", build),
        ];
        let expected =
            of([Some("orders"), None, Some("1.4.2"), Some("9f1c"), Some("ana"), Some(build)]);
        assert_eq!(told(&variables), expected);
        variables[1].1 = "https://git.example/acme/orders.git/";
        assert_eq!(told(&variables), expected);
    }

    #[test]
    fn argo_cd_tells_application_and_revision() {
        let variables = [
            ("ARGOCD_APP_NAME", "teams_orders"),
            ("ARGOCD_APP_REVISION", "9f1c"),
            ("ARGOCD_APP_SOURCE_TARGET_REVISION", "v1.4.2-rc.1"),
        ];
        let run = Some("argocd:teams_orders@9f1c");
        let expected = of([Some("orders"), None, Some("v1.4.2-rc.1"), Some("9f1c"), None, run]);
        assert_eq!(told(&variables), expected);
        for no_version in ["main", "HEAD", "1.x", "1.*", "v2"] {
            let target = [&[("ARGOCD_APP_SOURCE_TARGET_REVISION", no_version)], &variables[..]];
            assert_eq!(told(&target.concat()).version, None, "{no_version}");
        }
    }

    #[test]
    fn a_shell_tells_who_runs_it() {
        let user = [("USER", "ana"), ("GIT_COMMIT", "9f1c"), ("CI_COMMIT_SHA", "other")];
        assert_eq!(told(&user), of([None, None, None, Some("9f1c"), Some("ana"), None]));
    }

    #[test]
    fn a_repository_that_is_no_name_of_a_service_is_no_service() {
        for repository in ["acme/orders_api", "acme/..", "/", "acme/a\nb"] {
            let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_REPOSITORY", repository)];
            assert_eq!(told(&variables).service, None, "{repository}");
        }
    }
}
