//! `decide`: the exit codes of the gate, from the sources alone.

use super::{AT, Desk, ORDERS, POLICY, traffic};

fn desk() -> Desk {
    let users = ORDERS.replace("orders", "users");
    Desk::with(&[("slos/orders.yaml", ORDERS), ("slos/users.yaml", &users), ("p.yaml", POLICY)])
}

const ASK: [&str; 6] = ["decide", "--service", "orders", "--at", AT, "slos"];

#[test]
fn a_spent_budget_denies_with_20_and_only_that_service_is_read() {
    let fake = traffic(20);
    let said = desk().reading(&fake).run(&ASK);
    assert_eq!(said.code, 20, "{said:?}");
    let head = "DENY  orders in production\n\n  deny     availability: ";
    assert!(said.out.starts_with(head), "{}", said.out);
    assert!(said.out.contains("the 1d budget is spent (200 %)"), "{}", said.out);
    assert!(said.out.contains("\npolicy   default\n"), "{}", said.out);
    assert!(said.err.contains("no policy was found, so the shipped one decides"), "{}", said.err);
    let mut asked = fake.asked();
    asked.retain(|selector| selector.starts_with("http_requests_total"));
    assert!(!asked.is_empty() && asked.iter().all(|s| s.contains("orders")), "{asked:?}");
    assert!(asked.iter().all(|s| !s.contains("users")), "{asked:?}");
}

#[test]
fn a_healthy_service_goes_with_0_by_the_policy_of_the_command_line() {
    let desk = desk().reading(&traffic(4));
    let said = desk.run(&[&ASK[..], &["--policy", "p.yaml"]].concat());
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.starts_with("ALLOW  orders in production\n"), "{}", said.out);
    assert!(said.out.contains("60 % of the 1d budget remains"), "{}", said.out);
    let json = desk.run(&[&ASK[..], &["--policy", "p.yaml", "--json"]].concat()).json();
    assert_eq!((&json["allow"], &json["policy"]["name"]), (&true.into(), &"strict".into()));
    assert_eq!(json["at"], "2026-10-01T00:00:00Z");
    assert!(json["recorded"].is_null() && json["id"].is_null());
}

#[test]
fn a_rollback_passes_where_a_release_does_not() {
    let desk = desk().reading(&traffic(20));
    let said = desk.run(&[&ASK[..], &["--policy", "p.yaml", "--kind", "rollback"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("WARN  orders in production (rollback)\n"), "{}", said.out);
}

#[test]
fn a_source_that_does_not_answer_is_unknown_and_30() {
    let said = desk().run(&ASK);
    assert_eq!(said.code, 30, "{said:?}");
    assert!(said.out.starts_with("UNKNOWN  orders in production\n"), "{}", said.out);
    assert!(said.out.contains("cannot reach http://127.0.0.1:1"), "{}", said.out);
}

#[test]
fn wrong_questions_and_broken_files_exit_with_2() {
    let desk = desk();
    let staging = ORDERS.replace("production", "staging");
    desk.write("slos/staging.yaml", &staging);
    let said = desk.run(&ASK);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--environment production, or staging"), "{}", said.err);
    desk.write("slos/staging.yaml", "apiVersion: headroom/v1\nkind: Servce\n");
    assert_eq!(desk.run(&ASK).code, 2);
    assert_eq!(desk.run(&["decide", "slos"]).code, 2);
    assert_eq!(desk.run(&["decide", "--service", "orders", "--at", "soon"]).code, 2);
}

#[test]
fn a_name_that_nobody_declares_is_answered_as_the_server_would_and_the_near_miss_is_named() {
    let said = desk().run(&["decide", "--service", "order", "--at", AT, "slos"]);
    assert_eq!(said.code, 20);
    assert!(said.err.contains("no file declares order; did you mean orders?"), "{}", said.err);
    let said = desk().run(&[&ASK[..], &["--environment", "staging"]].concat());
    assert!(said.err.contains("orders is not declared in staging, only in production"));
}

#[test]
fn what_a_service_depends_on_is_read_where_a_policy_asks_for_it() {
    let orders = ORDERS.replace("tier: 1\n", "tier: 1\ndependsOn: [users, payment]\n");
    let users =
        ORDERS.replace("service: orders", "service: users").replace("name: ava", "name: user-ava");
    let users = format!(
        "{users}  - name: informs\n    objective: 99%\n    window: 1d\n    gate: false\n    \
        indicator: {{ratio: {{total: 'informs_total', bad: '{{code=~\"5..\"}}'}}}}\n"
    );
    let staging = users.replace("environment: production", "environment: staging");
    let desk = Desk::with(&[
        ("slos/orders.yaml", &orders),
        ("slos/users.yaml", &users),
        ("p.yaml", POLICY),
    ]);
    desk.write("slos/staging.yaml", &staging);
    let fake = traffic(20);
    let desk = desk.reading(&fake);
    let depends = POLICY.replace(
        "  - budget: {denyBelow: 0%, warnBelow: 25%}\n",
        "  - dependencies: {denyBelow: 0%}\n",
    );
    desk.write("depends.yaml", &depends);
    let said = desk.run(&[&ASK[..], &["--policy", "depends.yaml", "--json"]].concat());
    let json = said.json();
    let rules = json["rules"].as_array().unwrap();
    let rules: Vec<_> = rules.iter().filter(|row| row["rule"] == "dependencies").collect();
    assert_eq!((said.code, rules.len()), (20, 2), "{said:?}");
    assert_eq!(
        (&rules[0]["slo"], &rules[0]["verdict"]),
        (&"users/user-availability".into(), &"deny".into())
    );
    assert!(rules[1]["reason"].as_str().unwrap().contains("payment is not declared"), "{rules:?}");
    assert!(fake.asked().iter().all(|selector| !selector.contains("informs")));
}

/// Closed around the end of the traffic.
const CALENDAR: &str = "apiVersion: headroom/v1\nkind: Calendar\ncalendar: audit\nzone: Europe/Paris\n\
    closed: [{from: 2026-09-30T18:00, until: 2026-10-02T08:00, reason: the yearly audit}]\n";

#[test]
fn a_freeze_goes_by_the_calendars_of_the_files() {
    let desk = desk().reading(&traffic(4));
    let frozen = POLICY.replace("rules:\n", "rules:\n  - freeze: {calendar: audit}\n");
    desk.write("p.yaml", &format!("{frozen}---\n{CALENDAR}"));
    let said = desk.run(&[&ASK[..], &["--policy", "p.yaml"]].concat());
    assert_eq!(said.code, 20, "{said:?}");
    assert!(said.out.contains("the calendar audit is closed until"), "{}", said.out);
}
