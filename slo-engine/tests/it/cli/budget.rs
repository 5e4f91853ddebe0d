//! `budget`: a table for people, views for programs.

use super::{AT, Desk, ORDERS, traffic};

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
