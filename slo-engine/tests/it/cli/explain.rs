//! `explain`: every number can be redone by hand.

use super::{AT, Desk, ORDERS, traffic};

fn desk() -> Desk {
    Desk::with(&[("slos/orders.yaml", ORDERS)])
}

#[test]
fn the_way_from_the_series_to_the_state_is_shown_with_its_numbers() {
    let said = desk().reading(&traffic(9)).run(&["explain", "orders/availability", "--at", AT]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    for line in [
        "orders/availability@production: AT RISK\n10 % of the budget remains, less than 25 %",
        "  bad        http_requests_total{service=\"orders\",code=~\"5..\"}\n",
        "  asked for  http_requests_total{service=\"orders\"}, every raw sample\n",
        "http_requests_total{code=\"500\",job=\"shop\",service=\"orders\"}\n",
        "  total      1,440,000 events\n",
        "  bad        total - good = 1,440,000 - 1,427,040 = 12,960\n",
        "  allowed    (1 - objective) x total = (1 - 99 %) x 1,440,000 = 14,400 events\n",
        "  spent      bad / allowed = 12,960 / 14,400 = 90 %\n",
        "  remaining  1 - spent = 1 - 90 % = 10 %\n",
        "  1h         (540 / 60,000) / 1 % = 0.9\n",
        "  exhausted  no   10 % of the 1d budget remains\n",
    ] {
        assert!(said.out.contains(line), "{line:?} is not in\n{}", said.out);
    }
}

#[test]
fn what_the_series_added_is_what_was_counted() {
    let desk = desk().reading(&traffic(9));
    let ask = ["explain", "orders/availability@production", "--at", AT, "--json"];
    let json = desk.run(&ask).json();
    let series = json["series"].as_array().unwrap();
    assert_eq!(series.len(), 2);
    assert_eq!((&series[0]["countsAs"], &series[0]["resets"]), (&"total, bad".into(), &0.into()));
    let sum: i64 = series.iter().map(|s| s["total"].as_i64().unwrap()).sum();
    assert_eq!(json["together"]["total"], sum);
    assert_eq!(sum, 2_879 * 1_000, "the first sample of two days only makes the tails");
    let steps = json["windows"][0]["steps"].as_array().unwrap();
    let spent = steps.iter().find(|step| step["name"] == "spent").unwrap();
    assert_eq!((&spent["value"], &spent["shown"]), (&0.9.into(), &"90 %".into()));
}

#[test]
fn what_is_excluded_is_named_and_what_would_be_spent_without_it() {
    let desk = desk().reading(&traffic(9));
    let exclusion = "---\napiVersion: headroom/v1\nkind: Exclusion\nslos: [orders/*]\n\
        from: 2026-09-30T06:00Z\nuntil: 2026-09-30T12:00Z\nreason: upgrade\nauthor: ana\n";
    desk.write("slos/orders.yaml", &format!("{ORDERS}{exclusion}"));
    let said = desk.run(&["explain", "orders/availability", "--at", AT]);
    for line in [
        "  total      1,080,000 events\n",
        "  allowed    (1 - objective) x total = (1 - 99 %) x 1,080,000 = 10,800 events\n",
        "  without    90 % spent and 10 % remaining if nothing was excluded\n",
        "  coverage   measured minutes / minutes since the first data = 1,080 / 1,080 = 100 %\n",
        "360 minutes of the 1d window are excluded: upgrade (slos/orders.yaml:",
    ] {
        assert!(said.out.contains(line), "{line:?} is not in\n{}", said.out);
    }
}

#[test]
fn alerts_say_their_factor_and_what_holds_them_back() {
    let desk = desk().reading(&traffic(9));
    let month = ORDERS.replace("window: 1d\n    alerts: none", "window: 30d");
    desk.write("slos/orders.yaml", &month);
    let said = desk.run(&["explain", "orders/availability", "--at", AT]);
    for line in [
        "  page-fast    1h and 5m, factor 2 % x 30d / 1h = 14.4\n",
        "inactive: the burn over 1h, 0.9, is not above 14.4\n",
    ] {
        assert!(said.out.contains(line), "{line:?} is not in\n{}", said.out);
    }
}

#[test]
fn without_an_answer_the_reason_comes_first_and_no_number_is_made_up() {
    let said = desk().run(&["explain", "orders/availability", "--at", AT]);
    assert_eq!(said.code, 0);
    let head = "orders/availability@production: NO DATA\ncannot reach http://127.0.0.1:1: ";
    assert!(said.out.starts_with(head), "{}", said.out);
    assert!(said.out.contains("  none matched\n") && said.out.contains("  no numbers\n"));
}

#[test]
fn an_instant_that_is_none_is_wrong_usage_before_any_file_is_read() {
    let desk = Desk::with(&[("slos/orders.yaml", "kind: [")]);
    for command in
        [&["explain", "orders/availability"][..], &["budget"], &["decide", "--service", "orders"]]
    {
        let said = desk.run(&[command, &["--at", "soon"]].concat());
        assert_eq!(said.code, 2, "{command:?}");
        assert!(said.err.contains("`soon` is not an instant; write it like"), "{}", said.err);
    }
}

#[test]
fn a_misspelt_slo_is_an_error_with_the_near_miss() {
    let said = desk().run(&["explain", "orders/availabilty"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("did you mean orders/availability?"), "{}", said.err);
    assert_eq!(desk().run(&["explain", "orders"]).code, 2);
}

const MADE_OF_OTHERS: &str = r#"apiVersion: headroom/v1
kind: Service
service: shop
tier: 1
environment: production
slos:
  - name: late
    objective: 99%
    window: 1h
    indicator:
      ratio:
        total: http_requests_total{service="orders"}
        bad: {selector: 'http_requests_total{service="orders",code="500"}', delay: 2m}
  - name: journey
    objective: 98%
    window: 1d
    alerts: [{name: page, long: 1h, short: 5m, budget: 50%, severity: page}]
    indicator: {composite: [{slo: orders/availability, weight: 3}, {slo: shop/late}]}
"#;

#[test]
fn sides_that_are_apart_and_members_are_shown_with_what_they_add() {
    let desk = desk().reading(&traffic(10));
    desk.write("slos/shop.yaml", MADE_OF_OTHERS);
    let late = desk.run(&["explain", "shop/late", "--at", AT]).out;
    for line in [
        "  bad        http_requests_total{service=\"orders\",code=\"500\"} in `prometheus`, 2 min later\n",
        "  bad                -     -  28,790 ",
        "  together: 2,879,000 events, 28,790 of them bad\n",
    ] {
        assert!(late.contains(line), "{line:?} is not in\n{late}");
    }
    let journey = desk.run(&["explain", "shop/journey", "--at", AT]).out;
    for line in [
        "  member     orders/availability@production, weight 3\n",
        "  SLI        mean of the members' SLIs, by their weights = 99 %\n",
        "  spent      (1 - SLI) / (1 - objective) = (1 - 99 %) / (1 - 98 %) = 50 %\n",
        "  coverage   the least of the members' = 100 %\n",
        "  1h         mean of the members' rates, by their weights = 0.5\n",
    ] {
        assert!(journey.contains(line), "{line:?} is not in\n{journey}");
    }
    assert!(!journey.contains("SERIES") && !journey.contains("outlook"), "{journey}");
}
