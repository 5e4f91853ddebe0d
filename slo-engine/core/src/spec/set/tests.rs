//! Files as users write them, from bytes to a set or to errors.

use proptest::prelude::*;

use super::*;
use crate::slo::Name;

mod faults;
mod values;

fn one(text: impl AsRef<[u8]>) -> Result<Set, Vec<SpecError>> {
    load(&[("orders.yaml".to_owned(), text.as_ref().to_vec())])
}

/// The keys of a service, lines 1 to 5.
const HEAD: &str = "apiVersion: headroom/v1\nkind: Service\nservice: orders\ntier: 1\n\
    environment: production\n";

/// A service with one SLO, and further keys of it from line 10 on.
fn with_keys(keys: &str) -> String {
    with_indicator("{ratio: {total: up, bad: '{x=\"1\"}'}}") + keys
}

/// A service with one SLO whose indicator begins at line 9, column 16.
fn with_indicator(indicator: &str) -> String {
    let slo = "slos:\n  - name: a\n    objective: 99.9%\n    indicator: ";
    format!("{HEAD}{slo}{indicator}\n")
}

/// The same of another name.
fn service(name: &str, rest: &str) -> (String, Vec<u8>) {
    let text = HEAD.replace("orders", name) + rest;
    (format!("{name}.yaml"), text.into_bytes())
}

fn codes(set: &Set) -> Vec<(&str, usize, usize)> {
    let place = |w: &Warning| (w.finding.place.line, w.finding.place.column);
    set.warnings.iter().map(|w| (w.code, place(w).0, place(w).1)).collect()
}

#[test]
fn every_slo_keeps_its_place() {
    let set = one(with_keys("")).unwrap();
    let id = &set.services[0].slos[0].id;
    assert_eq!(id.to_string(), "orders/a@production");
    let later = set.finding(id, "it has no data").unwrap().to_string();
    assert_eq!(later, "orders.yaml:7:11: it has no data\n7 |   - name: a\n  |           ^");
    assert!(!set.is_empty() && one(HEAD).unwrap().is_empty());
}

#[test]
fn the_faults_of_all_files_are_told_at_once_and_in_order() {
    let bad = "slos:\n  - name: A\n    objective: 100%\n    window: 1m\n    indicator: {raw: {}}\n";
    let errors = load(&[
        service("users", bad),
        ("binary".to_owned(), vec![b'a', b'\n', 0xff, 0xfe]),
        service("orders", "slos: 5\n"),
        service("catalog", ""),
    ])
    .unwrap_err();
    let places: Vec<String> = errors.iter().map(|e| e.place.to_string()).collect();
    assert_eq!(
        places,
        [
            "binary:2:1",
            "orders.yaml:6:7",
            "users.yaml:7:11",
            "users.yaml:8:16",
            "users.yaml:9:13",
            "users.yaml:10:16",
            "users.yaml:10:16"
        ]
    );
}

#[test]
fn a_service_declared_in_two_files_names_both_places() {
    let mut again = service("orders", "");
    again.0 = "again.yaml".to_owned();
    let errors = load(&[service("orders", ""), again]).unwrap_err();
    assert_eq!(errors[0].place.to_string(), "again.yaml:3:10");
    assert!(errors[0].message.contains("already declared at orders.yaml:3:10"));
    let staging = HEAD.replace("production", "staging");
    assert_eq!(one(format!("{HEAD}---\n{staging}")).unwrap().services.len(), 2);
}

#[test]
fn the_other_kinds_are_handed_back_unread() {
    let text = "# ours\n---\napiVersion: headroom/v1\nkind: Policy\npolicy: p\n---\n---\n\
        kind: Calendar\nx: 1\napiVersion: headroom/v1\n";
    let set = one(text).unwrap();
    let kinds: Vec<&str> =
        set.others.iter().filter_map(|d| d.kind.as_ref()).map(|k| k.value.as_str()).collect();
    assert_eq!(kinds, ["Policy", "Calendar"]);
    #[derive(Debug, serde::Deserialize)]
    struct Policy {
        policy: yaml::Spanned<String>,
    }
    let policy: Policy = set.others[0].read().unwrap();
    assert_eq!(set.others[0].place(policy.policy.spot).to_string(), "orders.yaml:5:9");
}

#[test]
fn composites_find_their_members_in_other_files_and_environments() {
    let journey = "slos:\n  - name: journey\n    objective: 99%\n    indicator: {composite: \
        [{slo: users/a}, {slo: users/a@staging, weight: 2.5}]}\n";
    let slo =
        "slos:\n  - {name: a, objective: 99%, indicator: {threshold: {gauge: up, above: 0}}}\n";
    let staging = HEAD.replace("production", "staging").replace("orders", "users") + slo;
    let files = vec![
        service("orders", journey),
        service("users", slo),
        ("staging.yaml".to_owned(), staging.into_bytes()),
    ];
    assert_eq!(load(&files).unwrap().services.iter().map(|s| s.slos.len()).sum::<usize>(), 3);
    let errors = load(&files[..2]).unwrap_err();
    assert_eq!(errors[0].message, "there is no SLO `users/a@staging`");
}

#[test]
fn composites_in_a_circle_are_refused() {
    let of = |other: &str| {
        format!(
            "slos: [{{name: a, objective: 99%, indicator: {{composite: [{{slo: {other}/a}}]}}}}]\n"
        )
    };
    let files = vec![service("orders", &of("users")), service("users", &of("orders"))];
    let errors = load(&files).unwrap_err();
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0].message, "`orders/a@production` would be made of itself");
}

#[test]
fn a_call_to_an_undeclared_service_is_a_warning_in_its_own_environment() {
    let set = load(&[service("orders", "dependsOn: [user, users]\n"), service("users", "")]);
    let set = set.unwrap();
    assert_eq!(codes(&set), [("undeclared-dependency", 6, 13)]);
    assert_eq!(set.warnings[0].finding.remedy.as_deref(), Some("did you mean `users`?"));
}

#[test]
fn slices_shorter_than_two_scrapes_are_a_warning_once_the_scrape_is_known() {
    let set = one(with_keys("    budgeting: {ratioTimeslices: {size: 1m}}\n")).unwrap();
    assert_eq!(set.slices_too_short(Span::seconds(30)), []);
    let warnings = set.slices_too_short(Span::minutes(1));
    assert_eq!(warnings[0].finding.place.to_string(), "orders.yaml:10:41");
}

#[test]
fn a_document_with_thousands_of_faults_tells_a_hundred() {
    let slos = "  - {name: A, objective: 99%, indicator: {}}\n".repeat(20_000);
    assert_eq!(one(format!("{HEAD}slos:\n{slos}")).unwrap_err().len(), 100);
}

#[test]
fn a_file_of_10_mb_is_refused_unread() {
    let errors = one(vec![b'a'; 10 * 1024 * 1024]).unwrap_err();
    assert!(errors[0].message.contains("more than 1024 KiB"), "{}", errors[0]);
}

#[test]
fn an_error_is_shown_as_place_excerpt_and_help_and_as_json() {
    let error = one(with_keys("    indicater: 1\n")).unwrap_err().remove(0);
    assert_eq!(
        error.to_string(),
        "orders.yaml:10:5: unknown key `indicater`\n10 |     indicater: 1\n   |     ^^^^^^^^^\n\
         help: did you mean `indicator`?"
    );
    let json = serde_json::to_value(&error).unwrap();
    assert_eq!((&json["file"], &json["line"]), (&"orders.yaml".into(), &10.into()));
    let warned = one(with_keys("    maxGroups: 5\n")).unwrap().warnings.remove(0);
    assert!(warned.to_string().contains("warning[groups-without-group-by]: without"));
}

#[test]
fn names_take_their_environment_from_the_one_who_refers() {
    let reference = crate::slo::Reference::parse("users/a").unwrap();
    let staging = Name::parse("staging").unwrap();
    assert_eq!(reference.id(&staging).to_string(), "users/a@staging");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = one(&bytes);
    }

    #[test]
    fn no_damage_to_a_good_file_makes_the_reader_panic(
        at in 0..WHOLE.len(),
        cut in 0_usize..40,
        put in "[-\\[\\]{}:,&*!|>'\"%@`#?\\n\\t a-z0-9\u{e9}\u{1f600}]{0,8}",
    ) {
        let mut bytes = WHOLE.to_vec();
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        for error in one(&bytes).err().unwrap_or_default() {
            prop_assert!(error.place.line >= 1 && error.remedy.is_some(), "{error}");
        }
    }
}

/// The example of the language's description.
const WHOLE: &[u8] = include_bytes!("tests/whole.yaml");
