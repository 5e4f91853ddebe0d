//! Whole and broken bodies in both formats, and laws over random ones.

use proptest::prelude::*;

use super::*;

const TEXT: Format = Format::Text;
const OPEN: Format = Format::OpenMetrics;

fn all(body: &str, format: Format) -> Exposition {
    parse(body, format, |_| true).unwrap()
}

fn error(body: &str, format: Format) -> String {
    parse(body, format, |_| true).unwrap_err().to_string()
}

/// `labels value millis kind created` per row.
fn shown(body: &str, format: Format) -> Vec<String> {
    let row = |r: &Row| {
        let or_dash = |millis: Option<i64>| millis.map_or("-".to_owned(), |m| m.to_string());
        let (millis, created) = (or_dash(r.millis), or_dash(r.created));
        format!("{} {} {millis} {:?} {created}", r.labels, r.value, r.kind)
    };
    all(body, format).rows.iter().map(row).collect()
}

/// The example of the format's own documentation.
const DOCUMENTED: &str = r#"# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320

# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.99"} 76656
rpc_duration_seconds_sum 1.7560473e+07
rpc_duration_seconds_count 2693
"#;

#[test]
fn the_documented_example_of_0_0_4_is_read_whole() {
    assert_eq!(
        shown(DOCUMENTED, TEXT),
        [
            r#"http_requests_total{code="200",method="post"} 1027 1395066363000 Counter -"#,
            r#"http_requests_total{code="400",method="post"} 3 1395066363000 Counter -"#,
            r#"msdos_file_access_time_seconds{error="Cannot find file:\n\"FILE.TXT\"",path="C:\\DIR\\FILE.TXT"} 1458255915 - Unknown -"#,
            r"metric_without_timestamp_and_labels{} 12.47 - Unknown -",
            r#"something_weird{problem="division by zero"} inf -3982045 Unknown -"#,
            r#"http_request_duration_seconds_bucket{le="0.05"} 24054 - Histogram -"#,
            r#"http_request_duration_seconds_bucket{le="+Inf"} 144320 - Histogram -"#,
            r"http_request_duration_seconds_sum{} 53423 - Histogram -",
            r"http_request_duration_seconds_count{} 144320 - Histogram -",
            r#"rpc_duration_seconds{quantile="0.99"} 76656 - Summary -"#,
            r"rpc_duration_seconds_sum{} 17560473 - Summary -",
            r"rpc_duration_seconds_count{} 2693 - Summary -",
        ]
    );
}

#[test]
fn openmetrics_is_read_with_seconds_exemplars_and_created_instants() {
    let body = r#"# HELP acme_http_router_request_seconds Latency.
# TYPE acme_http_router_request_seconds summary
# UNIT acme_http_router_request_seconds seconds
acme_http_router_request_seconds_sum{path="/api"} 9036.32
acme_http_router_request_seconds_count{path="/api"} 807283.0
acme_http_router_request_seconds_created{path="/api"} 1605281325.25
# TYPE foo histogram
foo_bucket{le="0.1"} 8 # {} 0.054
foo_bucket{le="+Inf"} 17 1520879607.789 # {trace_id="a\"b",x="1"} 9.8 1520879607.789
foo_count 17
foo_created 1520430000.123
# TYPE req counter
req_total{a="1"} 5
req_created{a="1"} 1500000000
req_total{a="2"} 6
# TYPE box gaugehistogram
box_bucket{le="+Inf"} 3
box_gcount 3
# TYPE build info
build_info{v="1"} 1
# EOF
"#;
    assert_eq!(
        shown(body, OPEN).into_iter().filter(|r| !r.contains("_created")).collect::<Vec<_>>(),
        [
            r#"acme_http_router_request_seconds_sum{path="/api"} 9036.32 - Summary 1605281325250"#,
            r#"acme_http_router_request_seconds_count{path="/api"} 807283 - Summary 1605281325250"#,
            r#"foo_bucket{le="0.1"} 8 - Histogram 1520430000123"#,
            r#"foo_bucket{le="+Inf"} 17 1520879607789 Histogram 1520430000123"#,
            r"foo_count{} 17 - Histogram 1520430000123",
            r#"req_total{a="1"} 5 - Counter 1500000000000"#,
            r#"req_total{a="2"} 6 - Counter -"#,
            r#"box_bucket{le="+Inf"} 3 - Gauge -"#,
            r"box_gcount{} 3 - Gauge -",
            r#"build_info{v="1"} 1 - Gauge -"#,
        ]
    );
}

#[test]
fn a_created_row_of_0_0_4_is_found_in_a_gauge_family_of_its_own() {
    let body = "# TYPE a_total counter\na_total{x=\"1\"} 5\n\
                # TYPE a_created gauge\na_created{x=\"1\"} 1.5e9\n";
    let read = parse(body, TEXT, |name| name == "a_total").unwrap();
    assert_eq!((read.rows.len(), read.samples), (1, 2));
    assert_eq!(read.rows[0].created, Some(1_500_000_000_000));
}

#[test]
fn a_counter_that_is_called_created_is_a_counter() {
    let body = "# TYPE orders_created counter\norders_created 17\n\
                # TYPE orders_total counter\norders_total 20\n";
    assert_eq!(
        shown(body, TEXT),
        ["orders_created{} 17 - Counter -", "orders_total{} 20 - Counter -"]
    );
}

#[test]
fn created_instants_that_are_none_are_left_out() {
    for value in ["NaN", "0", "-5", "+Inf", "1e300"] {
        let body = format!("# TYPE a counter\na_total 5\na_created {value}\n# EOF");
        let read = parse(&body, OPEN, |name| name == "a_total").unwrap();
        assert_eq!(read.rows[0].created, None, "{value}");
    }
}

#[test]
fn two_created_instants_of_one_series_are_refused() {
    let body = "# TYPE a counter\na_total 5\na_created 1e9\na_created 2e9\n# EOF\n";
    let text = parse(body, OPEN, |name| name == "a_total").unwrap_err().to_string();
    assert!(text.starts_with("line 4: a_created{} stands in line 3 already"), "{text}");
}

#[test]
fn only_wanted_rows_are_kept_and_all_are_counted() {
    let read = parse(DOCUMENTED, TEXT, |name| name == "rpc_duration_seconds_count").unwrap();
    assert_eq!((read.rows.len(), read.samples), (1, 12));
    assert_eq!(read.rows[0].labels.metric(), "rpc_duration_seconds_count");
}

#[test]
fn the_predicate_is_asked_once_per_name_of_a_family() {
    let asked = std::cell::RefCell::new(Vec::new());
    let body = "# TYPE a counter\na_total{x=\"1\"} 1\na_total{x=\"2\"} 1\na_total{x=\"3\"} 1\n";
    parse(body, TEXT, |name| {
        asked.borrow_mut().push(name.to_owned());
        false
    })
    .unwrap();
    assert_eq!(asked.into_inner(), ["a_total"]);
}

#[test]
fn values_are_decimal_numbers_nan_or_infinities() {
    for (text, value) in [
        ("17", 17.0),
        ("-0.5", -0.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e9", 1e9),
        ("+1.5E-3", 0.0015),
        ("9007199254740993", 9_007_199_254_740_992.0),
        ("+Inf", f64::INFINITY),
        ("-inf", f64::NEG_INFINITY),
        ("1e-999", 0.0),
    ] {
        let read = all(&format!("a {text}\n"), TEXT);
        assert_eq!(read.rows[0].value.to_bits(), f64::to_bits(value), "{text}");
    }
    assert!(all("a NaN\n", TEXT).rows[0].value.is_nan());
    for text in ["0x1p3", "1_000", "1,5", "e5", "--1", "1e999", "\"1\"", "true", "١"] {
        assert!(
            error(&format!("a {text}\n"), TEXT).contains("a number after the series"),
            "{text}"
        );
    }
}

#[test]
fn blanks_line_endings_and_commas_may_vary() {
    for body in [
        "a{x=\"1\",y=\"2\"} 3\n",
        "a{x=\"1\",y=\"2\"} 3\r\n",
        " \ta { x = \"1\" , y\t=\"2\" , } \t3  \n",
        "a{y=\"2\",x=\"1\"}3\n",
        "\n\r\n  \n# free words\n#\n#TYPE\ta\tuntyped \na{x=\"1\",y=\"2\",empty=\"\"} 3 \n",
        "{\"a\",x=\"1\",\"y\"=\"2\"} 3\n",
        "{x=\"1\",y=\"2\",\"a\"} 3\n",
    ] {
        assert_eq!(shown(body, TEXT), ["a{x=\"1\",y=\"2\"} 3 - Unknown -"], "{body:?}");
    }
}

#[test]
fn names_in_quotes_may_be_any_utf_8() {
    let body = "# TYPE \"my.metric\" counter\n{\"my.metric\",\"größe.\\\"x\\\"\"=\"ä\\nb\"} 1\n";
    let read = all(body, TEXT);
    assert_eq!(read.rows[0].kind, Kind::Counter);
    let pairs = [("__name__", "my.metric"), ("größe.\"x\"", "ä\nb")];
    assert_eq!(read.rows[0].labels, Labels::new(pairs));
}

#[test]
fn other_escapes_stay_as_written_in_openmetrics_and_are_refused_in_0_0_4() {
    let body = r#"a{p="C:\Dir\\n\é\"\n"} 1"#;
    let read = all(&format!("{body}\n# EOF\n"), OPEN);
    assert_eq!(read.rows[0].labels.get("p"), "C:\\Dir\\n\\é\"\n");
    let text = error(&format!("{body}\n"), TEXT);
    assert_eq!(
        text,
        r#"line 1: expected \\, \" or \n after a backslash, found `\Dir\\n\é\"\n"} 1`; write a backslash as \\; the format knows no other escapes"#
    );
}

/// A line of 0.0.4, what was expected in it, and words of the remedy.
const BROKEN: &[(&str, &str, &str)] = &[
    ("<html>", "one metric name", "write name{label"),
    ("my.metric 1", "one metric name", "other names in quotes"),
    ("1a 1", "one metric name", ""),
    ("größe 1", "one metric name", "other names in quotes"),
    ("{} 1", "one metric name", ""),
    ("{__name__=\"a\"} 1", "one metric name", ""),
    ("a{\"b\"} 1", "one metric name", ""),
    ("a\u{a0}1", "one metric name", ""),
    ("{\"a\",\"b\"} 1", "= after the label's name", "only once"),
    ("a{__name__=\"b\"} 1", "labels other than __name__", "before the braces"),
    ("a{x=\"1\",x=\"2\"} 1", "every label once", "remove one"),
    ("a{x=\"1\",\"x\"=\"1\"} 1", "every label once", "remove one"),
    ("a{x=\"1\"", "a comma or }", "close the labels"),
    ("a{x=\"1\" y=\"2\"} 1", "a comma or }", ""),
    ("a{x=\"1\",,} 1", "a label name", ""),
    ("a{,} 1", "a label name", ""),
    ("a{x:y=\"1\"} 1", "= after the label's name", ""),
    ("a{\"\"=\"1\"} 1", "a label name", ""),
    ("a{", "a label name", ""),
    ("a{x} 1", "= after the label's name", ""),
    ("a{x=1} 1", "a label value in double quotes", "straight double quotes"),
    ("a{x='1'} 1", "a label value in double quotes", ""),
    ("a{x=\"1} 1", "a closing double quote", "line feeds in it as \\n"),
    ("a{x=\"1\\", "a closing double quote", ""),
    ("a", "a number after the series", "found the end of the line"),
    ("a{x=\"1\"}", "a number after the series", "17, 0.5 or 1e9"),
    ("a b", "a number after the series", "found `b`"),
    ("a 1 1.5", "a timestamp in whole milliseconds", "leave it out"),
    ("a 1 2 3", "a timestamp in whole milliseconds", "found `2 3`"),
    ("a 1 # {} 1", "a timestamp in whole milliseconds", "OpenMetrics alone"),
    ("a 1 99999999999999999999", "a timestamp in whole milliseconds", ""),
    ("# TYPE", "a metric name and its type", "write # TYPE name type"),
    ("# TYPE a", "a metric name and its type", ""),
    ("# TYPE a countre", "a metric name and its type", "counter, gauge"),
    ("# TYPE a counter b", "a metric name and its type", ""),
    ("# TYPE \"a counter", "a closing double quote", ""),
];

#[test]
fn broken_lines_are_refused_with_their_number_what_was_expected_and_the_remedy() {
    for (line, expected, remedy) in BROKEN {
        let text = error(&format!("ok 1\n{line}\nok2 2\n"), TEXT);
        let wanted = format!("line 2: expected {expected}");
        assert!(text.starts_with(&wanted) && text.contains(remedy), "{line}: {text}");
    }
}

#[test]
fn broken_lines_of_openmetrics_are_refused_likewise() {
    for (line, expected) in [
        ("a_total 1 x", "a timestamp in seconds"),
        ("a_total 1 NaN", "a timestamp in seconds"),
        ("a_total 1 1e300", "a timestamp in seconds"),
        ("a_total 1 2 3", "a timestamp in seconds"),
        ("a_total 1 # 5", "an exemplar"),
        ("a_total 1 # {}", "an exemplar"),
        ("a_total 1 # {} x", "an exemplar"),
        ("a_total 1 # {} 1 x", "an exemplar"),
        ("a_total 1 # {} 1 2 3", "an exemplar"),
        ("a_total 1 # {\"n\"} 1", "an exemplar"),
        ("a_total 1 # {x=1} 1", "a label value in double quotes"),
    ] {
        let text = error(&format!("ok 1\n{line}\n# EOF\n"), OPEN);
        assert!(text.starts_with(&format!("line 2: expected {expected}")), "{line}: {text}");
    }
}

#[test]
fn a_broken_line_of_an_unwanted_family_refuses_the_body_too() {
    let text = parse("a 1\nb{x=\"1} 1\n", TEXT, |name| name == "a").unwrap_err().to_string();
    assert!(text.starts_with("line 2"), "{text}");
}

#[test]
fn what_was_found_is_shown_short_and_without_control_characters() {
    let text = error(&format!("\u{1b}[31m{}\n", "é".repeat(5_000)), TEXT);
    assert!(text.contains(&format!("`\u{fffd}[31m{}...`", "é".repeat(35))), "{text}");
}

#[test]
fn openmetrics_without_eof_was_cut_short() {
    for body in ["", "\n", "a_total 1\n", "a_total 1\n# EO", "a_total{x=\"1", "a 1\n# EOF x\n"] {
        assert!(error(body, OPEN).contains("without `# EOF`, so it was cut short"), "{body:?}");
    }
    for body in ["# EOF", "# EOF\n", "# EOF\r\n", "a_total 1\n# EOF\n\n"] {
        assert!(parse(body, OPEN, |_| true).is_ok(), "{body:?}");
    }
    let text = error("a 1\n# EOF\nb 1\n# EOF\n", OPEN);
    assert!(text.starts_with("line 3: text after `# EOF`"), "{text}");
}

#[test]
fn text_0_0_4_without_a_last_line_feed_was_cut_short() {
    let text = error("a 1\nb 12", TEXT);
    assert!(text.starts_with("line 2 has no line feed, so the body was cut short"), "{text}");
    assert_eq!(all("", TEXT), Exposition::default());
    assert_eq!(all("# EOF\na 1\n", TEXT).samples, 1);
}

#[test]
fn a_series_twice_is_refused_with_both_lines() {
    assert_eq!(
        error("a{x=\"1\",y=\"2\"} 1\nb 1\na{y=\"2\",x=\"1\",z=\"\"} 2\nb 2\n", TEXT),
        "line 3: a{x=\"1\",y=\"2\"} stands in line 1 already; \
         expose each series once, or give the two different labels"
    );
    assert!(error("a 1 1000\na 2 2000\n", TEXT).starts_with("line 2: a{}"));
    assert!(error("a 1 2\na 2 2\n# EOF", OPEN).starts_with("line 2: a{}"));
    assert!(error("a 1\na 2 2\n# EOF", OPEN).starts_with("line 2: a{}"));
}

#[test]
fn openmetrics_may_give_a_series_several_points_with_rising_timestamps() {
    assert_eq!(
        shown("a 1 1\na 2 2.5\n# EOF", OPEN),
        ["a{} 1 1000 Unknown -", "a{} 2 2500 Unknown -"]
    );
}

#[test]
fn rows_of_another_name_than_the_family_have_no_type() {
    let body = "# TYPE a counter\na_total 1\nb 1\nab 1\n# TYPE h histogram\nh_total 1\n";
    let kinds: Vec<Kind> = all(body, TEXT).rows.iter().map(|r| r.kind).collect();
    assert_eq!(kinds, [Kind::Counter, Kind::Unknown, Kind::Unknown, Kind::Unknown]);
}

#[test]
fn content_types_tell_the_format() {
    for (text, format) in [
        ("text/plain; version=0.0.4; charset=utf-8; escaping=underscores", Some(TEXT)),
        ("Text/Plain", Some(TEXT)),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", Some(OPEN)),
        ("text/html", None),
        ("application/json", None),
        ("", None),
    ] {
        assert_eq!(Format::of_content_type(text), format, "{text}");
    }
}

/// 10 MB in which 1 % of 1,000 families is wanted: how long a release build takes.
#[test]
fn a_body_of_10_mb_is_read_and_its_time_printed() {
    let (mut body, mut family) = (String::new(), 0);
    while body.len() < 10_000_000 {
        body += &format!("# HELP m{family}_total Things.\n# TYPE m{family}_total counter\n");
        for at in 0..100 {
            body += &format!(
                "m{family}_total{{method=\"get\",route=\"/v1/products/{{id}}\",code=\"{at}\"}} {at}e3\n"
            );
        }
        family += 1;
    }
    let began = std::time::Instant::now();
    let read = parse(&body, TEXT, |name| name.ends_with("00_total")).unwrap();
    let took = began.elapsed();
    println!("{} bytes, {} samples, {} rows: {took:?}", body.len(), read.samples, read.rows.len());
    assert_eq!(read.samples, family * 100);
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A row as a target would write it, names always in quotes.
fn printed(row: &Row, format: Format) -> String {
    let pairs: Vec<String> = row
        .labels
        .iter()
        .filter(|(name, _)| *name != "__name__")
        .map(|(name, value)| format!(",\"{}\"=\"{}\"", escaped(name), escaped(value)))
        .collect();
    let stamp = row.millis.map_or(String::new(), |millis| match format {
        Format::Text => format!(" {millis}"),
        Format::OpenMetrics => {
            let sign = if millis < 0 { "-" } else { "" };
            let millis = millis.unsigned_abs();
            format!(" {sign}{}.{:03}", millis / 1_000, millis % 1_000)
        }
    });
    let value = match row.value {
        v if v == f64::INFINITY => "+Inf".to_owned(),
        v => v.to_string(),
    };
    format!("{{\"{}\"{}}} {value}{stamp}\n", escaped(row.labels.metric()), pairs.concat())
}

prop_compose! {
    fn a_row()(
        name in "[^_].{0,12}",
        pairs in prop::collection::btree_map("[^_].{0,6}", "(.|\n|\\\\){1,8}", 0..4),
        value in prop_oneof![any::<f64>().prop_filter("NaN", |v| !v.is_nan()), Just(17.0)],
        millis in prop::option::of(-1_000_000_000_000_i64..4_000_000_000_000),
    ) -> Row {
        let labels = Labels::new(pairs.into_iter().chain([("__name__".to_owned(), name)]));
        Row { labels, value, millis, kind: Kind::Unknown, created: None }
    }
}

fn in_either_format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(TEXT), Just(OPEN)]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "(?s).{0,300}", format in in_either_format()) {
        let _ = parse(&text, format, |_| true);
        let _ = parse(&format!("{text}\n# EOF\n"), format, |_| true);
    }

    #[test]
    fn any_mix_of_the_formats_own_signs_is_read_or_refused_without_a_panic(
        signs in prop::collection::vec(
            prop_oneof![
                Just("a"), Just("a_total"), Just("a_created"), Just("{"), Just("}"), Just("\""), Just("\\"),
                Just("="), Just(","), Just(" "), Just("\n"), Just("\r\n"), Just("# "), Just("# TYPE "),
                Just("counter"), Just("1"), Just("1e9"), Just("NaN"), Just("ä"), Just("x=\"1\""), Just("# EOF"),
            ],
            0..60,
        ),
        format in in_either_format(),
    ) {
        let _ = parse(&signs.concat(), format, |_| true);
        let _ = parse(&format!("{}\n# EOF\n", signs.concat()), format, |name| name == "a_total");
    }

    #[test]
    fn what_is_printed_is_read_back(
        rows in prop::collection::vec(a_row(), 0..12),
        format in in_either_format(),
    ) {
        let mut seen = std::collections::HashSet::new();
        let rows: Vec<Row> = rows.into_iter().filter(|r| seen.insert(r.labels.clone())).collect();
        let mut body: String = rows.iter().map(|row| printed(row, format)).collect();
        if format == OPEN {
            body.push_str("# EOF\n");
        }
        let read = parse(&body, format, |_| true).unwrap();
        prop_assert_eq!(read.samples, rows.len());
        prop_assert_eq!(read.rows, rows);
    }

    #[test]
    fn a_body_cut_in_mid_line_is_refused_and_openmetrics_wherever_it_is_cut(cut in 0..DOCUMENTED.len()) {
        let open = format!("{DOCUMENTED}# EOF\n");
        prop_assert!(parse(&open[..cut], OPEN, |_| true).is_err());
        let read = parse(&DOCUMENTED[..cut], TEXT, |_| true);
        prop_assert_eq!(read.is_ok(), cut == 0 || DOCUMENTED[..cut].ends_with('\n'));
    }
}
