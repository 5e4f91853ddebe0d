use super::*;

const DEFAULTS: Defaults<'static> = Defaults { metrics: "prometheus", logs: "logs" };

fn of(indicator: &str) -> Vec<Share> {
    let text = format!(
        "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\nslos:\n  - name: x\n    objective: 99%\n    indicator: {indicator}\n"
    );
    let set = crate::spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
    shares(&set.services[0].slos[0], DEFAULTS)
}

fn selectors(share: &Share) -> (Vec<String>, Vec<String>) {
    share.feeds.expressions()
}

fn weights(share: &Share) -> Vec<(i32, i32)> {
    share.logs().unwrap().iter().map(|c| (c.weights.total, c.weights.good)).collect()
}

#[test]
fn one_source_is_one_share_also_where_only_one_side_names_it() {
    let shares = of(
        "{ratio: {total: {source: prometheus, selector: t_total}, bad: [b_total, '{code=\"5\"}']}}",
    );
    assert_eq!(shares.len(), 1);
    let (total, bad) = selectors(&shares[0]);
    assert_eq!(
        (total, bad),
        (vec!["t_total".into()], vec!["b_total".into(), "t_total{code=\"5\"}".into()])
    );
    assert_eq!((shares[0].role, shares[0].role.weigh(7, 9)), (Role::Whole, (7, 9)));
}

#[test]
fn sides_of_two_sources_are_counted_apart_and_add_up() {
    let shares = of(
        "{ratio: {total: t_total, good: {source: logs, index: l-*, query: 'a : b', delay: 2m}}}",
    );
    let [total, good] = &shares[..] else { panic!("{shares:?}") };
    assert_eq!(
        (&*total.source, total.role, total.role.weigh(0, 10)),
        ("prometheus", Role::Whole, (0, 10))
    );
    assert_eq!((&*good.source, good.role, good.delay), ("logs", Role::Good, Span::minutes(2)));
    assert_eq!((weights(good), good.role.weigh(8, 8)), (vec![(1, 1)], (8, 0)));
}

#[test]
fn bad_events_of_another_source_are_taken_from_the_good_ones() {
    let shares = of("{ratio: {total: {source: logs, index: l, query: 'a : b'}, bad: b_total}}");
    let [total, bad] = &shares[..] else { panic!("{shares:?}") };
    // Of documents alone nothing is bad.
    assert_eq!(weights(total), [(1, 1)]);
    assert_eq!((bad.role, bad.role.weigh(3, 3)), (Role::Bad, (-3, 0)));
    let Feeds::Ratio { totals, parts, .. } = &bad.feeds else { panic!() };
    assert_eq!((totals.len(), parts.len()), (1, 0));
}

#[test]
fn a_refinement_of_logs_finds_among_the_documents_of_the_total() {
    let shares = of(
        "{ratio: {source: logs, index: l-*, total: 'a : b', bad: 'status >= 500', heartbeat: 'x : *'}}",
    );
    let [share] = &shares[..] else { panic!("{shares:?}") };
    assert_eq!(weights(share), [(1, 1), (0, -1)]);
    let counts = share.logs().unwrap();
    assert_eq!(counts[1].text(), "l-*: a : b and status >= 500");
    assert_eq!(counts[1].index.as_deref(), Some("l-*"));
    assert_eq!(counts[0].heartbeat, counts[1].heartbeat);
    assert!(counts[1].heartbeat.is_some());
}

#[test]
fn a_refinement_refines_the_totals_of_its_kind_and_of_the_source_that_it_names() {
    let total =
        "[t_total, {source: other, selector: u_total}, {source: logs, index: l, query: 'a : b'}]";
    let all = of(&format!("{{ratio: {{total: {total}, bad: '{{c=\"1\"}}'}}}}"));
    let parts = |shares: &[Share]| -> Vec<usize> {
        shares.iter().map(|share| selectors(share).1.len()).collect()
    };
    assert_eq!(parts(&all), [1, 1, 0]);
    let one = of(&format!(
        "{{ratio: {{total: {total}, bad: {{source: other, selector: '{{c=\"1\"}}'}}}}}}"
    ));
    assert_eq!(parts(&one), [0, 1, 0]);
}

#[test]
fn a_delayed_refinement_is_a_share_of_its_own() {
    let shares =
        of("{ratio: {source: logs, index: l, total: 'a : b', good: {query: 'c : d', delay: 5m}}}");
    let [total, good] = &shares[..] else { panic!("{shares:?}") };
    assert_eq!((total.role, good.role, good.delay), (Role::Whole, Role::Good, Span::minutes(5)));
    assert_eq!(good.logs().unwrap()[0].text(), "l: a : b and c : d");
}

#[test]
fn a_latency_in_logs_counts_documents_that_have_the_field() {
    let shares = of(
        "{latency: {source: logs, index: l, query: 'a : b', field: event.duration, unit: ns, under: 300ms}}",
    );
    let counts = shares[0].logs().unwrap();
    assert_eq!(weights(&shares[0]), [(1, 0), (0, 1)]);
    let text = |count: &LogCount| count.kql.as_ref().unwrap().text().to_owned();
    assert_eq!(text(&counts[0]), "a : b and event.duration : *");
    assert_eq!(text(&counts[1]), "a : b and event.duration <= 300000000");
}

#[test]
fn conditions_in_both_languages_are_asked_together() {
    let shares = of(
        "{ratio: {source: logs, index: l, total: {query: {dsl: {term: {x: 1}}}}, bad: 'c : d or e : f'}}",
    );
    let counts = shares[0].logs().unwrap();
    assert_eq!(counts[0].query(), serde_json::json!({"term": {"x": 1}}));
    assert_eq!(counts[1].text(), r#"l: (c : d or e : f) and {"term":{"x":1}}"#);
    assert_eq!(counts[1].query()["bool"]["filter"].as_array().unwrap().len(), 2);
}
