//! `validate`: every error and warning with its place and its remedy.

use super::{Desk, ORDERS, POLICY};

#[test]
fn sound_files_are_counted_and_the_shipped_policy_is_named() {
    let desk = Desk::with(&[("slos/orders.yaml", ORDERS)]);
    let said = desk.run(&["validate"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(
        said.out,
        "1 SLO of 1 service, no policy (so the shipped one decides); no errors, no warnings\n"
    );
    desk.write("slos/policy.yaml", POLICY);
    let said = desk.run(&["validate", "slos"]);
    assert_eq!(said.out, "1 SLO of 1 service, 1 policy; no errors, no warnings\n");
}

#[test]
fn all_errors_of_all_files_are_shown_with_place_excerpt_and_remedy() {
    let desk = Desk::with(&[
        ("slos/orders.yaml", &ORDERS.replace("objective", "objectve")),
        ("slos/policy.yaml", &POLICY.replace("noSlo: deny\n", "")),
    ]);
    let said = desk.run(&["validate", "slos"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    for part in [
        "error: slos/orders.yaml:8:5: unknown key `objectve`\n8 |     objectve: 99%\n",
        "help: did you mean `objective`?\n",
        "error: slos/policy.yaml:3:9: this policy does not say what happens to a service without",
        "2 errors\n",
    ] {
        assert!(said.err.contains(part), "{}", said.err);
    }
    let json = desk.run(&["validate", "slos", "--json"]);
    assert_eq!((json.code, json.err.as_str()), (1, ""));
    let report = json.json();
    let error = &report["errors"][0];
    let place = (&error["file"], &error["line"], &error["column"]);
    assert_eq!(place, (&"slos/orders.yaml".into(), &8.into(), &5.into()));
    assert_eq!((&error["code"], &report["ok"]), (&"invalid".into(), &false.into()));
}

#[test]
fn policies_that_tie_are_an_error_at_the_second_one() {
    let second = POLICY.replace("strict", "stricter");
    let desk = Desk::with(&[("orders.yaml", ORDERS), ("p.yaml", POLICY), ("q.yaml", &second)]);
    let said = desk.run(&["validate", "."]);
    assert_eq!(said.code, 1);
    let expected = "./q.yaml:3:9: policies `strict` (./p.yaml:3:9)";
    assert!(said.err.contains(expected), "{}", said.err);
    assert!(said.err.contains("help: ") && said.err.ends_with("1 error\n"), "{}", said.err);
}

#[test]
fn a_policy_that_asks_for_a_window_that_an_slo_lacks_is_a_warning_and_strict_fails() {
    let policy = POLICY.replace("{denyBelow", "{window: 30d, denyBelow");
    let desk = Desk::with(&[("orders.yaml", ORDERS), ("policy.yaml", &policy)]);
    let said = desk.run(&["validate", "."]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("warning[window-missing]"), "{}", said.err);
    assert!(said.out.ends_with("no errors, 1 warning\n"), "{}", said.out);
    let strict = desk.run(&["validate", ".", "--strict"]);
    assert_eq!(strict.code, 1);
    assert!(strict.out.ends_with("1 warning, which --strict counts as errors\n"));
}

#[test]
fn calendars_and_exclusions_are_checked_with_the_policies() {
    let calendar = "apiVersion: headroom/v1\nkind: Calendar\ncalendar: year-end\nzone: UTC\n\
        closed: [{from: Fri 16:00, until: Mon 08:00, reason: weekends}]\n";
    let exclusion = "apiVersion: headroom/v1\nkind: Exclusion\nslos: [order/*]\n\
        from: 2026-11-20T02:00Z\nuntil: 2026-11-20T02:40Z\nreason: upgrade\nauthor: ana\n";
    let desk = Desk::with(&[("o.yaml", ORDERS), ("c.yaml", calendar), ("x.yaml", exclusion)]);
    let said = desk.run(&["validate", "."]);
    assert_eq!(said.code, 0, "{}", said.err);
    let expected = "./x.yaml:3:7: warning[exclusion-idle]: `order/*` matches no SLO";
    assert!(said.err.contains(expected), "{}", said.err);
    let counts = "no policy (so the shipped one decides), 1 calendar, 1 exclusion; no errors";
    assert!(said.out.contains(counts), "{}", said.out);
    let report = desk.run(&["validate", ".", "--json"]).json();
    assert_eq!((&report["calendars"], &report["exclusions"]), (&1.into(), &1.into()));
    let warning = &report["warnings"][0];
    for key in ["file", "line", "column", "code", "message", "remedy"] {
        assert!(!warning[key].is_null(), "{key}: {warning}");
    }
    let wrong = calendar.replace("Mon 08:00", "Mno 08:00");
    let said = Desk::with(&[("c.yaml", &wrong)]).run(&["validate", "."]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("./c.yaml:5:35: there is no day `Mno`"), "{}", said.err);
}

#[test]
fn a_missing_file_is_a_finding_and_a_wrong_flag_is_wrong_usage() {
    let desk = Desk::with(&[]);
    let said = desk.run(&["validate", "nowhere"]);
    assert_eq!(said.code, 1);
    let expected = "error: nowhere: there is no such file or folder\n";
    assert!(said.err.starts_with(expected), "{}", said.err);
    assert_eq!(desk.run(&["validate", "--loud"]).code, 2);
}
