//! What bad files get: the place, a part of the message and a part of the remedy.

use super::*;

/// A text, the line and column of its fault, a part of the message and of the remedy.
type Fault<'a> = (&'a str, usize, usize, &'a str, &'a str);

fn refused(faults: &[Fault<'_>], file: impl Fn(&str) -> String) {
    for (text, line, column, message, remedy) in faults {
        let errors = one(file(text)).expect_err(text);
        let error = &errors[0];
        assert_eq!((error.place.line, error.place.column), (*line, *column), "{error}");
        assert!(error.message.contains(message), "{error}");
        assert!(error.remedy.as_ref().is_some_and(|r| r.contains(remedy)), "{error}");
        let marked = error.excerpt.lines().nth(1).map(|l| l.contains('^'));
        assert!(error.excerpt.is_empty() || marked == Some(true), "{error}");
    }
}

#[test]
fn keys_of_an_slo_that_cannot_be_read() {
    refused(SLO_KEYS, |keys| with_keys(&format!("    {keys}\n")));
}

const SLO_KEYS: &[Fault<'_>] = &[
    ("indicater: 3", 10, 5, "unknown key `indicater`", "did you mean `indicator`?"),
    ("colour: red", 10, 5, "unknown key `colour`", "known here: name, description"),
    ("objective: 99%", 10, 5, "`objective` is written twice", "keep one"),
    ("window: 30", 10, 13, "`30` is not a duration", "30d"),
    ("window: 1.5h", 10, 13, "`1.5h` is not a duration", "1h30m"),
    ("window: 90s", 10, 13, "not a whole number of minutes", "5m"),
    ("window: 4m", 10, 13, "shorter than 5m", "write 5m"),
    ("window: 801d", 10, 13, "longer than 800d", "800d or less"),
    ("window: -5m", 10, 13, "`-5m` is not a duration", "30d"),
    ("window: 0d", 10, 13, "a duration of 0", "5m"),
    ("window: 99999999999999999999d", 10, 13, "not a duration", "30d"),
    ("window: [30d, 7d, 720h]", 10, 23, "the window 30d stands here twice", "keep one"),
    ("window: []", 10, 13, "a list without a window", "30d"),
    ("window: month", 10, 13, "needs a zone", "{calendar: month, zone: Europe/Paris}"),
    ("window: {calendar: mont, zone: UTC}", 10, 24, "unknown value `mont`", "`month`?"),
    ("window: {calendar: month}", 10, 14, "`zone` is missing", "add `zone: ...`"),
    (
        "window: [{calendar: month, zone: Europe/Pari}]",
        10,
        38,
        "no time zone `Europe/Pari`",
        "`Europe/Paris`?",
    ),
    ("window: {calendar: month, zone: Nowhere/At/All}", 10, 37, "no time zone", "IANA"),
    ("? \"\\e[31m\"\n    : 1", 10, 7, "unknown key", "known here"),
    ("description: \"\\ud800\"", 10, 18, "surrogate", "the character itself"),
    ("gate: yes", 10, 11, "`yes` is no way", "true (it decides)"),
    ("gate: groups", 10, 11, "without `groupBy`", "groupBy: [label]"),
    ("groupBy: route", 10, 14, "expected a list", "`- `"),
    ("groupBy: [a, a]", 10, 18, "`a` stands here twice", "keep one"),
    ("groupBy: ['']", 10, 15, "this text is empty", "write one"),
    ("maxGroups: 0", 10, 16, "at least one group", "50"),
    ("maxGroups: 10001", 10, 16, "more than 10000 groups", "fewer values"),
    ("maxGroups: many", 10, 16, "expected a whole number", "digits"),
    ("budgeting: timeslices", 10, 16, "`timeslices` alone", "{timeslices: {size: 5m"),
    ("budgeting: {timeslice: {size: 5m}}", 10, 17, "unknown key `timeslice`", "`timeslices`?"),
    ("budgeting: {timeslices: {size: 5m}}", 10, 30, "`goodWhen` is missing", "add"),
    (
        "budgeting: {timeslices: {size: 90s, goodWhen: 95%}}",
        10,
        36,
        "whole number of minutes",
        "5m",
    ),
    ("budgeting: {timeslices: {size: 5m, goodWhen: 0%}}", 10, 50, "between 0 % and 100 %", "95%"),
    (
        "budgeting: {timeslices: {size: 5m, goodWhen: most}}",
        10,
        50,
        "`most` is not a share",
        "99.9%",
    ),
    (
        "budgeting: {ratioTimeslices: {size: 31d}}",
        10,
        41,
        "does not fit in the window 30d",
        "shorter",
    ),
    ("budgeting: {}", 10, 16, "exactly one way", "occurrences"),
    ("unmeasured: godo", 10, 17, "unknown value `godo`", "did you mean `good`?"),
    ("lookBack: 0s", 10, 15, "a duration of 0", "5m"),
    ("maxGap: [1h]", 10, 13, "expected a text", "one value"),
    ("staleAfter: soon", 10, 17, "`soon` is not a duration", "90s"),
    ("was: A", 10, 10, "`A` is not a name", "use a-z"),
    ("was: a", 10, 10, "already taken by the SLO at orders.yaml:7:11", "one SLO only"),
    ("alerts: nonee", 10, 13, "`nonee` names no alerts", "`none`?"),
    ("alerts: {}", 10, 13, "`default`, `none` or a list", "write"),
];

#[test]
fn alerts_that_cannot_be_read() {
    let file = |pair: &str| with_keys(&format!("    alerts: [{{{pair}}}]\n"));
    refused(ALERTS, file);
    let twice = "{name: a, long: 1h, short: 5m, budget: 2%, severity: page}";
    let errors = one(with_keys(&format!("    alerts: [{twice}, {twice}]\n"))).unwrap_err();
    assert_eq!(errors[0].message, "the alert `a` stands here twice");
}

const ALERTS: &[Fault<'_>] = &[
    (
        "name: a, long: 5m, short: 1h, budget: 2%, severity: page",
        10,
        30,
        "5m is no longer than the short one 1h",
        "twelfth",
    ),
    (
        "name: a, long: 5m, short: 5m, budget: 2%, severity: page",
        10,
        30,
        "no longer than",
        "twelfth",
    ),
    (
        "name: a, long: 1h, short: 30s, budget: 2%, severity: page",
        10,
        41,
        "whole number of minutes",
        "5m",
    ),
    (
        "name: a, long: 1h, short: 5m, budget: 2, severity: page",
        10,
        53,
        "between 0 % and 100 %",
        "95%",
    ),
    (
        "name: a, long: 1h, short: 5m, budget: 2%, severity: paeg",
        10,
        67,
        "unknown value `paeg`",
        "`page`?",
    ),
    (
        "name: a, long: 1h, short: 5m, budget: 2%, severity: page, minBad: -1",
        10,
        81,
        "fewer than no",
        "10",
    ),
    (
        "name: A b, long: 1h, short: 5m, budget: 2%, severity: page",
        10,
        21,
        "`A b` is not a name",
        "a-z",
    ),
    ("long: 1h, short: 5m, budget: 2%, severity: page", 10, 48, "`name` is missing", "add"),
];

#[test]
fn objectives_that_leave_everything_or_nothing() {
    refused(OBJECTIVES, |objective| with_keys("").replace("99.9%", objective));
}

const OBJECTIVES: &[Fault<'_>] = &[
    ("100%", 8, 16, "100 % leaves no budget", "use 99.99%"),
    ("1", 8, 16, "100 % leaves no budget", "use 99.99%"),
    ("1.0", 8, 16, "100 % leaves no budget", "use 99.99%"),
    ("0", 8, 16, "between 0 % and 100 %", "99.9%"),
    ("-5%", 8, 16, "between 0 % and 100 %", "99.9%"),
    ("99.9", 8, 16, "between 0 % and 100 %", "0.999"),
    ("0.9999999999", 8, 16, "more digits", "9 decimals"),
    ("high", 8, 16, "`high` is not a share", "write it like"),
    ("1e-3", 8, 16, "`1e-3` is not a share", "write it like"),
    (".nan", 8, 16, "`.nan` is not a share", "write it like"),
    ("[99%]", 8, 16, "expected a text", "one value"),
];

#[test]
fn ratios_that_cannot_be_read() {
    refused(RATIOS, |ratio| with_indicator(&format!("{{ratio: {{{ratio}}}}}")));
}

const RATIOS: &[Fault<'_>] = &[
    (
        "total: 'sum(rate(x{a=~\"5..\"}[5m]))', bad: b",
        9,
        37,
        "`rate(` is the engine's work",
        "write `x{a=~\"5..\"}`",
    ),
    ("total: \"increase(x{a=\\\"5\\\"}[1h])\", bad: b", 9, 33, "`increase(`", "write `x{a="),
    ("total: 'x[5m]', bad: b", 9, 34, "`[5m]` is the engine's work", "write `x`"),
    ("total: sum(x), bad: b", 9, 32, "`sum(` is", "write `x`"),
    ("total: 'it''s', bad: b", 9, 35, "does not belong in a selector", "name{"),
    (
        "total: 'up{a=~\"(\"}', bad: b",
        9,
        39,
        "not a regular expression: unclosed group",
        "name{label=",
    ),
    ("total: 'job:up', bad: b", 9, 32, "`job:up` is a recorded series", "`raw`"),
    ("total: 'up{__name__=\"x\"}', bad: a", 9, 33, "named twice", "in __name__"),
    ("total: Inf, bad: a", 9, 32, "`Inf` is a number to Prometheus", "name{label="),
    ("total: up, bad: 'job:errors:rate5m'", 9, 41, "is a recorded series", "`raw`"),
    ("total: up", 9, 16, "neither what is good nor what is bad", "bad: "),
    ("total: up, bad: a, good: b", 9, 41, "contradict", "keep one"),
    ("total: [], bad: a", 9, 32, "a list without a side", "counter"),
    ("total: up, bad: []", 9, 41, "a list without a side", "counter"),
    ("total: '{a=\"b\"}', bad: a", 9, 32, "a total without a metric's name", "in front"),
    ("totl: up, bad: a", 9, 25, "unknown key `totl`", "`total`?"),
    ("bad: a", 9, 25, "`total` is missing", "add"),
    (
        "total: {selector: up, query: 'x : 1'}, bad: a",
        9,
        43,
        "either a selector's or a query's",
        "keep one",
    ),
    ("total: {source: p}, bad: a", 9, 32, "does not say what is counted", "`selector:`"),
    ("total: {selector: up, index: i}, bad: a", 9, 54, "belong to log queries", "`query`"),
    ("total: {selektor: up}, bad: a", 9, 33, "unknown key `selektor`", "`selector`?"),
    ("total: {selector: up, delay: -2m}, bad: a", 9, 54, "not a duration", "30d"),
    ("total: {selector: up, delay: 90s}, bad: a", 9, 54, "whole number of minutes", "such as 5m"),
    ("total: 5, bad: a", 9, 32, "`5` is not a metric name", "name{"),
    (
        "total: {query: 'x : 1', source: logs}, bad: '{a=\"b\"}'",
        9,
        69,
        "no total is of its kind",
        "in front",
    ),
    ("total: up, bad: {query: 'x : 1', source: logs}", 9, 41, "no total is of its kind", "`index`"),
    ("total: {query: {dsl: text}, index: i}, bad: {query: 'x : 1'}", 9, 46, "is a mapping", "term"),
    ("index: i, total: ' ', bad: b", 9, 42, "this text is empty", "write one"),
    ("index: i, total: 'a : 1', bad: b", 9, 56, "`b` is a term without a field", "`field : b`"),
    ("total: {query: 'a : (1 or 2'}, bad: 'c : 1'", 9, 45, "not closed", "add `)`"),
    ("total: {query: \"é : \\\"x\\\" y\"}, bad: a", 9, 51, "where `and` or `or`", "in quotes"),
    (
        "index: i, heartbeat: 'host.* : *', total: 'a : 1', bad: 'b : 1'",
        9,
        47,
        "may mean other fields",
        "name each field",
    ),
    ("index: i, total: 'a : 1', bad: {query: 'b = 1', index: j}", 9, 67, "no `=`", "`b : value`"),
    ("total: up, bad: ", 9, 16, "neither what is good", "bad: "),
];

#[test]
fn a_key_that_stands_too_far_left_is_what_is_wrong_and_not_what_it_hides() {
    let file = with_indicator("{ratio: {total: up, bad: a}}");
    let file = file.replace("    indicator", "   window: 30d\n    indicator");
    let error = one(file).expect_err("a key between two levels").remove(0);
    assert!(error.message.contains("did not find expected '-' indicator"), "{error}");
}

#[test]
fn what_steers_a_terminal_is_not_shown() {
    let error = one(with_keys("    \"\\e[31mred\": 1\n")).expect_err("a key").remove(0);
    assert!(error.message.contains('\u{1b}') && !error.to_string().contains('\u{1b}'), "{error}");
}

#[test]
fn a_part_that_no_series_of_the_total_can_match_is_warned_of() {
    let warned = |total: &str, bad: &str| {
        let ratio = format!("{{ratio: {{total: '{total}', bad: '{bad}'}}}}");
        let warnings = one(with_indicator(&ratio)).unwrap().warnings;
        warnings.iter().any(|warning| warning.code == "part-never-matches")
    };
    for (total, bad) in [
        (r#"up{code="200"}"#, r#"{code="500"}"#),
        (r#"up{code="200"}"#, r#"{code=~"5.."}"#),
        (r#"up{code=~"2.."}"#, r#"{code="500"}"#),
        (r#"up{code!="500"}"#, r#"{code="500"}"#),
    ] {
        assert!(warned(total, bad), "{total} {bad}");
    }
    for (total, bad) in [
        (r#"up{code!="404"}"#, r#"{code="500"}"#),
        (r#"up{code=~"2..|5.."}"#, r#"{code=~"5.."}"#),
        (r#"up{job="a"}"#, r#"{code="500"}"#),
        (r#"up{code="200"}"#, r#"errors{code="500"}"#),
    ] {
        assert!(!warned(total, bad), "{total} {bad}");
    }
}

#[test]
fn a_fault_of_a_query_over_several_lines_is_placed_at_its_start() {
    for (text, line, column) in [
        (">-\n          a : 1\n          or b", 13, 11),
        ("|\n          a : 1 or b\n", 13, 20),
        ("'a : 1\n\n          or b'", 12, 16),
    ] {
        let keys = format!(
            "\n      ratio:\n        index: i\n        total: {text}\n        bad: 'c : 1'"
        );
        let error = one(with_indicator(&keys)).expect_err(text).remove(0);
        assert!(error.message.contains("`b` is a term without a field"), "{error}");
        assert_eq!((error.place.line, error.place.column), (line, column), "{error}");
    }
}

#[test]
fn other_indicators_that_cannot_be_read() {
    refused(INDICATORS, with_indicator);
}

const INDICATORS: &[Fault<'_>] = &[
    ("{raio: {}}", 9, 17, "unknown key `raio`", "`ratio`?"),
    ("ratio", 9, 16, "expected a mapping", "key: value"),
    ("{}", 9, 16, "exactly one indicator", "ratio, latency"),
    (
        "{raw: {errorRatio: x}, threshold: {gauge: x, below: 1}}",
        9,
        16,
        "exactly one indicator",
        "ratio, latency",
    ),
    ("{latency: {histogram: foo, under: 5s}}", 9, 38, "the unit of these durations", "unit: s"),
    (
        "{latency: {histogram: foo_seconds_bucket, under: 5s}}",
        9,
        38,
        "not its base name",
        "write `foo_seconds`",
    ),
    (
        "{latency: {histogram: 'x_seconds{le=\"1\"}', under: 5s}}",
        9,
        38,
        "`le` does not belong here",
        "`under`",
    ),
    ("{latency: {histogram: 'a:x_seconds', under: 5s}}", 9, 38, "recorded series", "counter"),
    (
        "{latency: {histogram: '{a=\"b\"}', under: 5s}}",
        9,
        38,
        "needs its base name",
        "write it like",
    ),
    (
        "{latency: {histogram: x_seconds, under: 5s, unit: ms}}",
        9,
        66,
        "another unit",
        "remove `unit`",
    ),
    (
        "{latency: {histogram: x, under: 5s, unit: sec}}",
        9,
        58,
        "unknown value `sec`",
        "known here: ns",
    ),
    ("{latency: {histogram: x_seconds, under: fast}}", 9, 56, "`fast` is not a duration", "500ms"),
    ("{latency: {histogram: x_seconds, under: 0s}}", 9, 56, "a duration of 0", "5m"),
    (
        "{latency: {histogram: x_seconds, field: y, under: 1s}}",
        9,
        56,
        "histogram or from a field",
        "keep one",
    ),
    ("{latency: {histogram: x_seconds, query: y, under: 1s}}", 9, 56, "belongs to logs", "`field`"),
    ("{latency: {under: 1s}}", 9, 16, "does not say where durations are", "`histogram:`"),
    ("{latency: {field: x, unit: ns, under: 1s}}", 9, 16, "which documents", "`query:`"),
    (
        "{latency: {field: x, query: 'y : 1', under: 1s}}",
        9,
        34,
        "the unit of these durations",
        "unit: s",
    ),
    ("{latency: {field: x, query: 'y > 1*', under: 1s}}", 9, 49, "one value", "wildcard"),
    (
        "{latency: {field: x, query: 'y : 1', heartbeat: z, unit: ns, under: 1s}}",
        9,
        64,
        "`z` is a term without a field",
        "`field : z`",
    ),
    ("{threshold: {gauge: foo}}", 9, 16, "one limit or one range", "`below`"),
    ("{threshold: {gauge: foo, below: 1, above: 2}}", 9, 16, "one limit or one range", "`below`"),
    ("{threshold: {gauge: foo, from: 3}}", 9, 16, "one limit or one range", "`to`"),
    ("{threshold: {gauge: foo, from: 3, to: 1}}", 9, 16, "no value lies from 3 to 1", "swap"),
    ("{threshold: {gauge: foo, below: abc}}", 9, 48, "expected a number", "1000"),
    ("{threshold: {gauge: foo, below: .inf}}", 9, 48, "finite", "1000"),
    ("{threshold: {gauge: '{a=\"b\"}', below: 1}}", 9, 36, "needs its metric's name", "in front"),
    ("{raw: {errorRatio: x}}", 9, 16, "has no weight", "budgeting: {timeslices"),
    ("{raw: {errorRatio: x, goodRatio: y}}", 9, 16, "exactly one ratio", "either"),
    ("{composite: []}", 9, 16, "without members", "slo: service/slo"),
    (
        "{composite: [{slo: orders/b}]}",
        9,
        35,
        "there is no SLO `orders/b@production`",
        "`orders/a@production`?",
    ),
    ("{composite: [{slo: orders/a}]}", 9, 35, "would be made of itself", "remove"),
    ("{composite: [{slo: orders}]}", 9, 35, "`orders` is not a reference", "service/slo"),
    ("{composite: [{slo: x/y, weight: 0}]}", 9, 48, "a number above 0", "such as 1"),
    ("{composite: [{slo: x/y, whenDelayed: countasbad}]}", 9, 53, "unknown value", "`countAsBad`?"),
    ("{composite: [{slo: x/y, maxDelay: 0s}]}", 9, 50, "a duration of 0", "5m"),
];

#[test]
fn composites_count_nothing_themselves() {
    let keys = "    groupBy: [a]\n    budgeting: occurrences\n";
    let errors = one(with_indicator("{composite: [{slo: x/y}]}") + keys).unwrap_err();
    let places: Vec<usize> = errors.iter().map(|e| e.place.line).collect();
    assert_eq!(places, [10, 11]);
}

#[test]
fn services_that_cannot_be_read() {
    refused(SERVICES, |change| {
        let (from, to) = change.split_once(" => ").unwrap();
        HEAD.replace(from, to)
    });
}

const SERVICES: &[Fault<'_>] = &[
    ("orders => decisions", 3, 10, "`decisions` is reserved", "another name"),
    ("orders => overrides", 3, 10, "`overrides` is reserved", "another name"),
    ("orders => Orders", 3, 10, "`Orders` is not a name", "use a-z"),
    ("orders => ''", 3, 10, "is not a name", "use a-z"),
    ("production => prod uction", 5, 14, "is not a name", "use a-z"),
    ("tier: 1 => tier: 0", 4, 7, "there is no tier 0", "1 (most critical) to 4"),
    ("tier: 1 => tier: 5", 4, 7, "there is no tier 5", "1 (most critical) to 4"),
    ("tier: 1 => tier: one", 4, 7, "expected a whole number", "digits"),
    ("tier: 1 => dependsOn: [orders]", 1, 1, "`tier` is missing", "add `tier: ...`"),
    ("environment: production => owner: x", 1, 1, "`environment` is missing", "add"),
    ("kind: Service => kind: Servce", 2, 7, "there is no kind `Servce`", "did you mean `Service`?"),
    ("kind: Service => kind: Dashboard", 2, 7, "there is no kind", "known kinds: Service, Policy"),
    ("kind: Service => title: x", 1, 1, "does not say its `kind`", "add `kind: Service`"),
    ("headroom/v1 => openslo/v1", 1, 13, "`openslo/v1` is not read", "headroom/v1"),
    ("apiVersion: headroom/v1 => title: x", 1, 1, "does not say its `apiVersion`", "headroom/v1"),
    ("tier: 1 => tier: 1\nlabels: {a: [1]}", 5, 13, "expected a text", "one value"),
    ("tier: 1 => tier: 1\nlabels: {a: }", 5, 11, "a value is missing", "write one"),
    ("tier: 1 => tier: 1\ndependsOn: [a, orders]", 5, 16, "cannot depend on itself", "remove"),
    ("tier: 1 => tier: 1\nslos: {}", 5, 7, "expected a list", "`- `"),
];

#[test]
fn texts_that_are_no_yaml_or_too_much_of_it() {
    refused(TEXTS, str::to_owned);
    refused(&[("", 1, 36, "more than 32 levels", "flatter")], |_| {
        format!("x: {}", "[".repeat(5_000))
    });
    refused(&[("", 1, 128, "more than 32 levels", "flatter")], |_| {
        format!("x: {}", "{a: ".repeat(40))
    });
}

const TEXTS: &[Fault<'_>] = &[
    ("", 1, 1, "holds no document", "apiVersion: headroom/v1"),
    ("# nothing\n---\n", 1, 1, "holds no document", "apiVersion: headroom/v1"),
    ("[1]", 1, 1, "expected a mapping", "key: value"),
    ("abc", 1, 1, "expected a mapping", "key: value"),
    ("\ta: 1", 1, 1, "a tab cannot indent", "spaces"),
    ("a:\n  - b\n\t- c\n", 3, 1, "a tab cannot indent", "spaces"),
    ("a:\n  b: 1\n \tc: 2\n", 2, 6, "tab", "spaces"),
    ("a: 'x\n", 2, 1, "quoted", "close the quote"),
    ("a: *foo", 1, 4, "an anchor that does not exist", "quotes"),
    ("a: &a [*a]", 1, 8, "contains itself", "write the values out"),
    ("a: b: c", 1, 5, "mapping values", "quotes"),
    ("a: \u{0}", 1, 4, "unexpected character", "remove it"),
    ("a: !foo 1", 1, 9, "tag", "remove it"),
    ("%YAML 9.9\n---\na: 1\n", 1, 1, "version", "%YAML"),
];

#[test]
fn an_alias_bomb_is_refused_at_the_alias_that_is_too_much() {
    let mut bomb = format!("{HEAD}a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(",");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    bomb = bomb.replace("kind: Service\n", "") + "kind: Service\n";
    refused(&[("", 9, 14, "stand for more than is read", "write the values out")], |_| {
        bomb.clone()
    });
}

#[test]
fn places_count_from_the_start_of_the_file_in_every_document() {
    let second = with_keys("    window: 30x\n");
    let text = format!("# first\n{}---\n{second}", with_keys("").replace("orders", "users"));
    let error = one(text).unwrap_err().remove(0);
    assert_eq!((error.place.line, error.place.column), (21, 13));
    assert!(error.excerpt.starts_with("21 |     window: 30x"), "{error}");
}

#[test]
fn slos_of_one_name_name_both_places() {
    let again = "  - name: a\n    objective: 99%\n    indicator: {ratio: {total: up, bad: up}}\n";
    let error = one(with_keys(again)).unwrap_err().remove(0);
    assert_eq!(error.place.to_string(), "orders.yaml:10:11");
    assert!(error.message.contains("already declared at orders.yaml:7:11"), "{error}");
}

#[test]
fn a_byte_that_is_no_utf_8_is_found() {
    let mut bytes = with_keys("").into_bytes();
    bytes.extend(b"# \xc3\xa9 \xff");
    let error = one(bytes).unwrap_err().remove(0);
    assert_eq!((error.place.line, error.place.column), (10, 5));
    assert!(error.remedy.unwrap().contains("UTF-8"));
}
