use super::*;

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

fn ratio(total: &str, bad: &str) -> Feeds {
    let totals = vec![selector(total)];
    let refinement = selector(bad);
    let parts = totals.iter().map(|total| total.refined(&refinement)).collect();
    let side = Side { source: None, events: Events::Metric(refinement), delay: Span::millis(0) };
    Feeds::Ratio { totals, parts, part_is: Part::Bad, needs: needs(&[side]) }
}

fn texts(all: &[Feeds], max_bytes: usize) -> Vec<String> {
    let feeds: Vec<&Feeds> = all.iter().collect();
    queries(&feeds, max_bytes).iter().map(|q| q.selector.to_string()).collect()
}

#[test]
fn many_services_share_one_query_per_family_and_label_set() {
    let all: Vec<Feeds> = (0..3)
        .map(|i| ratio(&format!("http_requests_total{{service=\"svc-{i}\"}}"), "{code=~\"5..\"}"))
        .chain([ratio("up_total{service=\"a.b\"}", "{x=\"1\"}")])
        .collect();
    assert_eq!(
        texts(&all, 10_000),
        ["http_requests_total{service=~\"svc-0|svc-1|svc-2\"}", "up_total{service=\"a.b\"}"]
    );
}

#[test]
fn equal_matchers_are_kept_and_a_label_that_someone_only_excludes_is_read_whole() {
    let all = [
        ratio("t_total{env=\"p\",route!=\"/h\",service=\"a\"}", "{c=\"1\"}"),
        ratio("t_total{env=\"p\",route=\"/x\",service=~\"b.*\"}", "{c=\"1\"}"),
    ];
    assert_eq!(texts(&all, 10_000), ["t_total{env=\"p\",service=~\"a|(?:b.*)\"}"]);
}

#[test]
fn regular_expressions_of_literals_stay_sets_of_literals() {
    let all = [
        ratio("t_total{service=~\"a|b\\\\.c\"}", "{c=\"1\"}"),
        ratio("t_total{service=\"d+\"}", "{c=\"1\"}"),
    ];
    assert_eq!(texts(&all, 10_000), ["t_total{service=~\"a|b\\\\.c|d\\\\+\"}"]);
}

#[test]
fn a_query_that_is_too_long_is_split() {
    let all: Vec<Feeds> = (0..100)
        .map(|i| ratio(&format!("t_total{{service=\"service-{i:04}\"}}"), "{c=\"1\"}"))
        .collect();
    let split = texts(&all, 500);
    assert!(split.len() > 2 && split.iter().all(|q| q.len() <= 500), "{split:?}");
}

#[test]
fn a_wide_query_lacks_a_list_of_32_values_and_keeps_all_else() {
    let wide = |services: usize, total: &str| {
        let one = |i| ratio(&total.replace('#', &format!("s.{i}")), "{c=\"1\"}");
        let all: Vec<Feeds> = (0..services).map(one).collect();
        let feeds: Vec<&Feeds> = all.iter().collect();
        let wide = queries(&feeds, 10_000)[0].wide()?;
        Some((
            wide.label,
            wide.wanted.len(),
            wide.wanted.contains("s.7"),
            wide.selector.to_string(),
        ))
    };
    let total = "t_total{env=\"p\",service=\"#\"}";
    assert_eq!(wide(31, total), None);
    let lacks = |selector: &str| Some(("service".to_owned(), 32, true, selector.to_owned()));
    assert_eq!(wide(32, total), lacks("t_total{env=\"p\"}"));
    assert_eq!(wide(32, "{__name__=~\"t.*\",service=\"#\"}"), None, "that would read anything");
}

#[test]
fn bad_refines_total_so_that_a_series_counts_once_as_either() {
    let feeds = ratio("t_total{service=\"a\"}", "{code=~\"5..\"}");
    let weights = |code: &str, service: &str| {
        let labels = Labels::new([("__name__", "t_total"), ("service", service), ("code", code)]);
        feeds.weights(&labels).map(|(w, _)| (w.total, w.good))
    };
    assert_eq!(weights("503", "a"), Some((1, 0)));
    assert_eq!(weights("200", "a"), Some((1, 1)));
    assert_eq!(weights("200", "b"), None);
}

#[test]
fn a_refinement_on_a_label_that_no_series_has_is_missing_unless_it_can_match_absence() {
    let status = ratio("t_total", "{status=~\"5..\"}");
    assert_eq!(status.missing_labels(|label| label == "code"), ["status"]);
    let absent = ratio("t_total", "{status!~\"2..\"}");
    assert!(absent.missing_labels(|_| false).is_empty());
}

#[test]
fn a_router_finds_the_slos_of_a_series_by_value_and_by_expression() {
    let all = [
        ratio("t_total{service=\"a\"}", "{c=\"1\"}"),
        ratio("t_total{service=\"b\"}", "{c=\"1\"}"),
        ratio("t_total{service=~\"a|c\"}", "{c=\"1\"}"),
    ];
    let feeds: Vec<&Feeds> = all.iter().collect();
    let queries = queries(&feeds, 10_000);
    let router = Router::new(&queries[0], &feeds);
    let fed = |service: &str| -> Vec<usize> {
        let labels = Labels::new([("__name__", "t_total"), ("service", service)]);
        router.feed(&labels, &feeds).iter().map(|f| f.slo).collect()
    };
    assert_eq!((fed("a"), fed("b"), fed("c"), fed("d")), (vec![0, 2], vec![1], vec![2], vec![]));
}
