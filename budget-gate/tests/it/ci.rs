//! The program in the jobs of CI systems: what it finds in the environment and where it writes.

use std::path::Path;

use crate::engine::{
    Engine, body, code, folder, gate, header, json, problem, recorded, stderr, stdout,
};

const GITHUB: [(&str, &str); 9] = [
    ("GITHUB_ACTIONS", "true"),
    ("GITHUB_SERVER_URL", "https://github.com"),
    ("GITHUB_REPOSITORY", "acme/orders"),
    ("GITHUB_RUN_ID", "77"),
    ("GITHUB_REF_TYPE", "tag"),
    ("GITHUB_REF_NAME", "1.4.2"),
    ("GITHUB_SHA", "9f1c"),
    ("GITHUB_ACTOR", "ana"),
    ("HEADROOM_TOKEN", "hr_1_secret"),
];

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).expect("the program wrote it")
}

#[test]
fn a_job_of_github_that_has_no_token_gets_its_own_for_this_engine() {
    let github = Engine::replying(vec![json(200, r#"{"count": 1, "value": "eyJ.of.job"}"#)]);
    let engine = Engine::replying(vec![json(201, &recorded("allow"))]);
    let address = format!("{}/token?api-version=2", github.url);
    let job = [
        ("HEADROOM_URL", engine.url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", address.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of-the-runner"),
    ];
    let output = gate(&["check", "--service", "orders"], &[&GITHUB[..8], &job].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let asked = github.asked().remove(0);
    let audience = engine.url.replace(':', "%3A").replace('/', "%2F");
    assert!(
        asked.starts_with(&format!("GET /token?api-version=2&audience={audience} ")),
        "{asked}"
    );
    assert_eq!(header(&asked, "authorization").as_deref(), Some("Bearer of-the-runner"));
    let told = engine.asked().remove(0);
    assert_eq!(header(&told, "authorization").as_deref(), Some("Bearer eyJ.of.job"));
    let refusing = Engine::replying(vec![json(403, "{}")]);
    let job = [job[0], ("ACTIONS_ID_TOKEN_REQUEST_URL", refusing.url.as_str()), job[2]];
    let output = gate(&["check", "--service", "orders"], &[&GITHUB[..8], &job].concat());
    assert_eq!(code(&output), 30);
    assert!(stderr(&output).contains("GitHub gives no job token"), "{}", stderr(&output));
}

#[test]
fn in_github_actions_all_is_found_told_summarised_annotated_and_handed_on() {
    let folder = folder("actions");
    let (summary, values) = (folder.join("summary"), folder.join("output"));
    std::fs::write(&summary, "before\n").unwrap();
    let engine = Engine::replying(vec![json(201, &recorded("deny"))]);
    let files = [
        ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
        ("GITHUB_OUTPUT", values.to_str().unwrap()),
        ("HEADROOM_URL", engine.url.as_str()),
    ];
    let output = gate(&["check"], &[&GITHUB[..], &files].concat());
    assert_eq!(code(&output), 20, "{}", stderr(&output));
    assert_eq!(
        stderr(&output),
        "budget-gate: GitHub Actions tells service orders, version 1.4.2, commit 9f1c, run \
         https://github.com/acme/orders/actions/runs/77, actor ana\n"
    );
    let asked = engine.asked().remove(0);
    let expected = serde_json::json!({"service": "orders", "version": "1.4.2", "commit": "9f1c",
        "identifier": "https://github.com/acme/orders/actions/runs/77", "kind": "release"});
    assert_eq!(body(&asked), expected);
    assert_eq!(header(&asked, "x-headroom-actor").as_deref(), Some("ana"));
    let said = stdout(&output);
    assert!(said.starts_with("\u{1b}[1;31mDENY"), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("::error title=DENY orders 1.4.2 in production::avail"), "{last}");
    assert!(read(&summary).starts_with("before\n### DENY orders 1.4.2"), "{}", read(&summary));
    assert_eq!(
        read(&values),
        "verdict=deny\nallow=false\nid=01JDECISION\n\
         permalink=https://headroom.example/gate/decisions/01JDECISION\n"
    );
    let all = format!("{said}{}{}{}", stderr(&output), read(&summary), read(&values));
    assert!(!all.contains("secret"), "{all}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_given_wins_over_what_is_found() {
    let other = recorded("allow").replace("1.4.2", "2.0.0").replace("orders", "carts");
    let engine = Engine::replying(vec![json(201, &other)]);
    let given = ["--service", "carts", "--version", "2.0.0", "--commit", "aa", "--actor", "bo"];
    let arguments = [&["check", "--identifier", "x", "--url", &engine.url], &given[..]].concat();
    let output = gate(&arguments, &GITHUB);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    let asked = engine.asked().remove(0);
    assert_eq!(body(&asked)["service"], "carts");
    assert_eq!((&body(&asked)["commit"], &body(&asked)["identifier"]), (&"aa".into(), &"x".into()));
    assert_eq!(header(&asked, "x-headroom-actor").as_deref(), Some("bo"));
}

#[test]
fn other_formats_are_left_whole_in_actions() {
    let engine = Engine::replying(vec![json(201, &recorded("deny"))]);
    let arguments = ["check", "--format", "json", "--url", &engine.url];
    let output = gate(&arguments, &GITHUB);
    serde_json::from_str::<serde_json::Value>(&stdout(&output)).unwrap();
}

#[test]
fn a_summary_that_cannot_be_written_changes_no_verdict() {
    let engine = Engine::replying(vec![json(201, &recorded("allow"))]);
    let file = [("GITHUB_STEP_SUMMARY", "/no/such/folder/summary")];
    let output = gate(&["check", "--url", &engine.url], &[&GITHUB[..], &file].concat());
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains("cannot write /no/such"), "{}", stderr(&output));
}

#[test]
fn silence_is_an_annotation_in_actions() {
    let engine = Engine::replying(vec![problem(500, "broken\n::error::y")]);
    let arguments = ["check", "--timeout", "200ms", "--url", &engine.url];
    let output = gate(&arguments, &GITHUB);
    assert_eq!(code(&output), 30);
    let said = stderr(&output);
    assert!(said.contains("\n::error title=Headroom%3A no verdict::http"), "{said}");
    assert_eq!(said.matches("\n::").count(), 1, "{said}");
    let open = gate(&[&arguments[..], &["--on-unreachable", "allow"]].concat(), &GITHUB);
    let warning = "::warning title=Headroom%3A the deploy goes without a verdict::";
    assert!(stderr(&open).contains(warning), "{}", stderr(&open));
}

#[test]
fn no_text_of_the_engine_is_a_command_of_actions() {
    let evil = "::error::x ##[group]y %0A::error::z\\n::error::";
    for rules in [true, false] {
        let mut sent: serde_json::Value =
            serde_json::from_str(&recorded("deny").replace("the 30d budget is spent", evil))
                .unwrap();
        sent["reasons"] = vec![evil].into();
        if !rules {
            sent["rules"] = serde_json::json!([]);
        }
        for format in ["text", "json", "junit", "markdown", "sarif"] {
            let engine = Engine::replying(vec![json(201, &sent.to_string())]);
            let arguments = ["check", "--format", format, "--url", &engine.url];
            let output = gate(&arguments, &[&GITHUB[..], &[("NO_COLOR", "1")]].concat());
            assert_eq!(code(&output), 20, "{}", stderr(&output));
            let said = stdout(&output);
            let mut commands = said.lines().filter(|l| l.trim_start().starts_with("::"));
            assert!(commands.all(|l| l.starts_with("::error title=DENY")), "{said}");
            assert!(!said.contains("##["), "{said}");
        }
    }
}

#[test]
fn in_gitlab_ci_the_environment_is_found_and_the_log_is_a_coloured_section() {
    let engine = Engine::replying(vec![json(201, &recorded("deny"))]);
    let variables = [
        ("GITLAB_CI", "true"),
        ("CI_PROJECT_PATH", "acme/shop/orders"),
        ("CI_ENVIRONMENT_NAME", "production"),
        ("CI_COMMIT_TAG", "1.4.2"),
        ("CI_COMMIT_SHA", "9f1c"),
        ("GITLAB_USER_LOGIN", "ana"),
        ("CI_JOB_URL", "https://gitlab.example/j/7"),
        ("CI_JOB_TOKEN", "glcbt-secret"),
        ("HEADROOM_URL", engine.url.as_str()),
    ];
    let output = gate(&["check"], &variables);
    assert_eq!(code(&output), 20, "{}", stderr(&output));
    assert!(stderr(&output).contains("GitLab CI tells service orders, environment production"));
    let said = stdout(&output);
    let head = "\u{1b}[0Ksection_start:1795255200:headroom_gate\r\u{1b}[0KHeadroom: DENY orders";
    assert!(said.starts_with(head), "{said:?}");
    assert!(said.contains("\u{1b}[1;31mDENY") && said.contains("section_end:1795255200"));
    let asked = engine.asked().remove(0);
    assert_eq!(body(&asked)["environment"], "production");
    assert!(!asked.contains("secret"), "the token of the job is not for the engine");
    let plain = gate(&["check"], &[&variables[..], &[("NO_COLOR", "1")]].concat());
    assert!(!stdout(&plain).contains("[1;31m"), "{}", stdout(&plain));
}

#[test]
fn in_jenkins_the_log_is_plain() {
    let engine = Engine::replying(vec![json(201, &recorded("deny"))]);
    let variables = [
        ("JENKINS_URL", "https://ci.example/"),
        ("GIT_URL", "https://git.example/acme/orders.git"),
        ("GIT_COMMIT", "9f1c"),
        ("TAG_NAME", "1.4.2"),
        ("BUILD_URL", "https://ci.example/job/orders/7/"),
        ("GITHUB_STEP_SUMMARY", "/no/such/file"),
    ];
    let output = gate(&["check", "--url", &engine.url], &variables);
    assert_eq!(code(&output), 20);
    assert!(stdout(&output).starts_with("DENY  orders"), "{}", stdout(&output));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert_eq!(body(&engine.asked()[0])["identifier"], "https://ci.example/job/orders/7/");
}

#[test]
fn in_a_hook_of_argo_cd_the_application_is_the_service() {
    let engine = Engine::replying(vec![json(201, &recorded("allow"))]);
    let variables = [
        ("ARGOCD_APP_NAME", "orders"),
        ("ARGOCD_APP_REVISION", "9f1c"),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION", "1.4.2"),
    ];
    let output = gate(&["check", "--url", &engine.url], &variables);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(body(&engine.asked()[0])["identifier"], "argocd:orders@9f1c");
}

#[test]
fn deployments_overrides_and_peeks_find_their_service_too() {
    let kept = json(201, r#"{"id": "7", "approvalsMissing": 0, "until": "2026-11-21T12:00:00Z"}"#);
    for (arguments, sent) in [
        (&["deployed"][..], kept.clone()),
        (&["override", "--reason", "x", "--for", "1h"], kept),
        (&["peek"], json(200, &recorded("allow"))),
    ] {
        let engine = Engine::replying(vec![sent]);
        let output = gate(&[arguments, &["--url", &engine.url]].concat(), &GITHUB);
        assert_eq!(code(&output), 0, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("tells service orders"), "{}", stderr(&output));
        assert!(engine.asked()[0].contains("orders"));
    }
}
