//! `doctor`: one line for each thing that a server needs.

use super::{Desk, ORDERS, Said, traffic};

fn examined(desk: &Desk, listen: &str) -> Said {
    let mut command = desk.command(&["doctor"]);
    Said::of(command.env("HEADROOM__SERVER__LISTEN", listen).output().unwrap())
}

/// The names of the checks that came out so.
fn checks(said: &Said, status: &str) -> Vec<String> {
    let lines = said.out.lines().filter(|line| line.starts_with(status));
    lines.filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect()
}

#[test]
fn a_machine_that_is_ready_passes_every_check() {
    let desk = Desk::with(&[("slos/orders.yaml", ORDERS)]).reading(&traffic(4));
    let said = examined(&desk, "127.0.0.1:0");
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    let database = ["database", "permissions", "disk", "records", "signing", "verdicts"];
    let mut all = [&["config", "files"][..], &database, &["listen", "source"]].concat();
    all.extend(["adapters.kubernetes", "adapters.alertmanager"]);
    all.extend(["adapters.github", "adapters.gitlab", "adapters.terraform"]);
    assert_eq!(checks(&said, ""), all);
    assert!(said.out.contains("version 0.0.1-fake, its clock agrees"), "{}", said.out);
    assert!(!desk.path("data").exists(), "a doctor changes nothing");
}

#[test]
fn what_is_wrong_fails_with_a_remedy_and_1() {
    let desk = Desk::with(&[
        ("slos/orders.yaml", &ORDERS.replace("99%", "100%")),
        ("data/headroom.db", "this was a database once"),
    ]);
    let said = examined(&desk, "0.0.0.0:0");
    assert_eq!(said.code, 1);
    let failed = ["files", "database", "records", "source"];
    assert_eq!(checks(&said, "FAIL"), failed, "{}", said.out);
    let mut lines = said.out.lines().filter(|line| line.starts_with("FAIL"));
    assert!(lines.all(|line| line.contains("; remedy: ")), "{}", said.out);
    let kept = std::fs::read_to_string(desk.path("data/headroom.db")).unwrap();
    assert_eq!(kept, "this was a database once");
}

#[test]
fn a_configuration_that_cannot_be_read_is_the_only_check() {
    let desk = Desk::with(&[("headroom.yaml", "server:\n  lisen: 1\n")]);
    let said = desk.run(&["doctor", "--config", "headroom.yaml", "--json"]);
    assert_eq!(said.code, 1);
    let json = said.json();
    assert_eq!(json["items"].as_array().unwrap().len(), 1);
    assert_eq!(json["items"][0]["status"], "fail");
    assert!(json["items"][0]["message"].as_str().unwrap().contains("headroom.yaml:2:3"));
}

#[test]
fn a_secret_that_everybody_can_read_is_a_warning() {
    let desk = Desk::with(&[("slos/orders.yaml", ORDERS), ("token", "hush")]);
    let config = "sources:\n  - name: prometheus\n    auth: {bearer: {file: token}}\n";
    desk.write("headroom.yaml", config);
    let said = desk.run(&["doctor", "--config", "headroom.yaml"]);
    let expected = "everybody can read the secret in token; remedy: chmod 600 token";
    assert!(said.out.contains(expected), "{}", said.out);
    assert!(!said.out.contains("hush"), "{}", said.out);
}

#[test]
fn a_certificate_that_cannot_be_used_fails() {
    let desk = Desk::with(&[("slos/orders.yaml", ORDERS), ("cert.pem", ""), ("key.pem", "")]);
    let config = "server:\n  tls: {certFile: cert.pem, keyFile: key.pem}\n";
    desk.write("headroom.yaml", config);
    let said = desk.run(&["doctor", "--config", "headroom.yaml"]);
    assert!(checks(&said, "FAIL").contains(&"tls".to_owned()), "{}", said.out);
    let expected = "everybody can read the secret in key.pem; remedy: chmod 600 key.pem";
    assert!(said.out.contains(expected), "{}", said.out);
}
