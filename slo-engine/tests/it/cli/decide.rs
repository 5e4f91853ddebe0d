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
