//! `budget`: a table for people, views for programs.

use super::{AT, Desk, ORDERS, traffic};
use crate::support::faulty::{Answer, Faulty};

#[test]
fn whole_counts_are_integers_and_nothing_but_data_is_on_stdout() {
    let desk = Desk::with(&[("slos/orders.yaml", ORDERS)]).reading(&traffic(4));
    let said = desk.run(&["budget", "--at", AT, "--json"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "quick work shows no progress");
    let json = said.json();
    let window = &json["items"][0]["windows"][0];
    let shown = ["total", "bad", "allowed", "dropped"].map(|name| window[name].to_string());
    assert_eq!(shown, ["1440000", "5760", "14400", "0"]);
}

#[test]
fn the_table_has_no_colours_without_a_terminal() {
    let desk = Desk::with(&[("slos/orders.yaml", ORDERS)]).reading(&traffic(4));
    let said = desk.run(&["budget", "--at", AT]);
    assert!(!said.out.contains('\u{1b}'), "{}", said.out);
    let row = said.out.lines().nth(1).unwrap();
    for part in
        ["orders/availability@production", "healthy", "99.6 %", "5,760", "1,440,000", "60 %"]
    {
        assert!(row.contains(part), "{part}: {row}");
    }
}

#[test]
fn what_is_asked_for_now_is_unknown_where_the_source_has_another_time() {
    let nothing = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    let years_ago = "Date: Wed, 21 Oct 2015 07:28:00 GMT\r\n";
    let server = Faulty::always(Answer::Reply(200, years_ago, nothing));
    let mut desk = Desk::with(&[("slos/orders.yaml", ORDERS)]);
    desk.url.clone_from(&server.url);
    let reason = |arguments: &[&str]| {
        let json = desk.run(arguments).json();
        json["items"][0]["sources"][0]["lastError"].as_str().unwrap_or_default().to_owned()
    };
    assert!(
        reason(&["budget", "--json"]).contains("s behind"),
        "{}",
        reason(&["budget", "--json"])
    );
    assert_eq!(reason(&["budget", "--at", AT, "--json"]), "", "the past has no clock");
    let said = desk.run(&["decide", "slos", "--service", "orders"]);
    assert!(said.out.contains("s behind"), "{}{}", said.out, said.err);
    assert_eq!(said.code, 30, "{}", said.out);
}
