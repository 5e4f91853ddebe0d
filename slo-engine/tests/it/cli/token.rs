//! `token create`, `list` and `revoke`.

use super::Desk;

#[test]
fn a_token_is_shown_once_listed_without_its_secret_and_revoked_by_name() {
    let desk = Desk::with(&[]);
    let create = ["token", "create", "--name", "ci", "--scope", "decide", "--scope", "kind:hotfix"];
    let where_to = ["--service", "orders-*", "--environment", "production", "--expires", "90d"];
    let made = desk.run(&[&create[..], &where_to].concat());
    assert_eq!(made.code, 0, "{made:?}");
    let token = made.out.trim_end();
    assert!(token.starts_with("hr_") && !token.contains('\n'), "stdout is the token alone");
    assert!(made.err.contains("token `ci`") && !made.err.contains(token), "{}", made.err);

    let listed = desk.run(&["token", "list"]);
    let secret = &token[14..];
    assert!(listed.out.contains("decide kind:hotfix") && !listed.out.contains(secret));
    let json = desk.run(&["token", "list", "--json"]);
    assert!(!json.out.contains(secret) && !json.out.contains("hash"), "{}", json.out);
    let one = &json.json()["items"][0];
    assert_eq!(
        (one["state"].as_str(), one["services"][0].as_str()),
        (Some("active"), Some("orders-*"))
    );
    assert!(one["lastUsedAt"].is_null() && one["expiresAt"].is_string());

    let again = desk.run(&create);
    assert!(again.code == 1 && again.err.contains("there is a token `ci` already"), "{again:?}");
    let revoked = desk.run(&["token", "revoke", "ci"]);
    assert!(revoked.code == 0 && revoked.out.contains("is revoked"), "{revoked:?}");
    assert_eq!(desk.run(&["token", "list", "--json"]).json()["items"][0]["state"], "revoked");
    assert_eq!(desk.run(&["token", "revoke", "ci"]).code, 1);
    assert_eq!(desk.run(&create).code, 0, "the name is free again");
}

#[test]
fn a_token_for_the_path_of_an_adapter_is_shown_without_an_underscore() {
    let desk = Desk::with(&[]);
    let made = desk.run(&["token", "create", "--name", "admission", "--scope", "adapter"]);
    let token = made.out.trim_end();
    assert!(made.code == 0 && token.starts_with("hr-") && !token.contains('_'), "{made:?}");
}

#[test]
fn a_token_that_makes_no_sense_is_wrong_usage() {
    let desk = Desk::with(&[]);
    for (more, says) in [
        (&[][..], "--scope"),
        (&["--scope", "root"], "kind:security"),
        (&["--scope", "decide", "--service", "Orders"], "pattern of services"),
        (&["--scope", "decide", "--expires", "0s"], "at once"),
        (&["--scope", "decide", "--expires", "soon"], "not a duration"),
    ] {
        let said = desk.run(&[&["token", "create", "--name", "ci"], more].concat());
        assert!(said.code == 2 && said.err.contains(says), "{more:?}: {said:?}");
    }
    for command in [&["token", "list"][..], &["token", "revoke", "ci"]] {
        let said = desk.run(command);
        assert!(said.code == 1 && said.err.contains("there is no database"), "{said:?}");
    }
    assert!(!desk.path("data").exists());
}
