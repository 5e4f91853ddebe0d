//! SLOs of logs against a real search node: live ticks, backfill and kills count what happened, also
//! with documents that come late; and beside metrics.

use chrono::TimeDelta;
use serde_json::{Value, json};
use slo_core::view::{BudgetView, Group, State};
use slo_engine::config::Config;
use slo_engine::source::config::{SourceConfig, SourceKind};

use self::killed::a_server_killed_at_random_instants_loses_and_doubles_nothing;
use crate::live::{Run, at};
use crate::support::Dice;
use crate::support::node::{self, Kind, Node};

mod asked;
mod killed;

/// 2026-05-01T00:00:00Z.
const BEGIN: i64 = 1_777_593_600;

const SLOS: &str = "apiVersion: headroom/v1\nkind: Service\nservice: shop\ntier: 2\nenvironment: test\nslos:\n\
    \x20 - name: requests\n    objective: 99%\n    window: [1d, 2h]\n    indicator: {ratio: {source: logs, index: 'logs-NAME-*',\n\
    \x20     total: 'event.dataset : \"access\"', bad: 'http.response.status_code >= 500'}}\n\
    \x20 - name: fast\n    objective: 95%\n    window: [1d, 2h]\n    indicator: {latency: {source: logs, index: 'logs-NAME-*',\n\
    \x20     query: 'event.dataset : \"access\"', field: event.duration, unit: ns, under: 300ms}}\n\
    \x20 - name: slices\n    objective: 95%\n    window: 1d\n    budgeting: {timeslices: {size: 5m, goodWhen: 98%}}\n\
    \x20   indicator: {ratio: {source: logs, index: 'logs-NAME-*',\n\
    \x20     total: 'event.dataset : \"access\"', bad: 'http.response.status_code >= 500'}}\n\
    \x20 - name: routes\n    objective: 99%\n    window: [1d, 2h]\n    groupBy: [url.path]\n    maxGroups: 3\n\
    \x20   attributeBy: [http.response.status_code]\n    indicator: {ratio: {source: logs, index: 'logs-NAME-*',\n\
    \x20     total: 'event.dataset : \"access\"', bad: 'http.response.status_code >= 500'}}\n\
    \x20 - name: missing\n    objective: 99%\n    window: 1d\n    indicator: {ratio: {source: logs, index: 'logs-NAME-none',\n\
    \x20     total: 'event.dataset : \"access\"', bad: 'http.response.status_code >= 500'}}\n";

/// A document: when it happened and when it is written, Unix milliseconds; whether it failed or was slow.
struct Document {
    happened: i64,
    written: i64,
    bad: bool,
    slow: bool,
    /// None of the first ones asks for the last route.
    route: u64,
}

/// A few requests a minute, a tenth of which are written late.
fn traffic(dice: &mut Dice, minutes: i64) -> Vec<Document> {
    let mut all = Vec::new();
    for minute in 0..minutes {
        for _ in 0..dice.below(6) {
            let at = |below| i64::try_from(below).unwrap();
            let happened = (BEGIN + minute * 60) * 1_000 + at(dice.below(60_000));
            let late = if dice.below(10) == 0 { at(dice.below(90_000)) } else { 0 };
            let (bad, slow) = (dice.below(12) == 0, dice.below(9) == 0);
            let route = dice.below(if minute > 1_750 { 5 } else { 4 });
            all.push(Document { happened, written: happened + late, bad, slow, route });
        }
    }
    all
}

/// Writes what is due by `until`; two indices, as a rollover leaves them.
async fn ship(node: &Node, name: &str, all: &mut Vec<Document>, until: i64) {
    let due: Vec<Document> = all.extract_if(.., |document| document.written <= until).collect();
    let line = |document: &Document| {
        let index = format!("logs-{name}-{}", document.happened / 43_200_000 % 2);
        let instant = chrono::DateTime::from_timestamp_millis(document.happened).unwrap();
        let body = json!({
            "@timestamp": instant.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "event": {"dataset": "access", "duration": if document.slow { 400_000_000 } else { 300_000_000 }},
            "url": {"path": format!("/{}", document.route)},
            "http": {"response": {"status_code": if document.bad { 503 } else { 200 }}},
        });
        (index, Value::Null, body)
    };
    node.write(&due.iter().map(line).collect::<Vec<_>>()).await;
}

async fn prepare(node: &Node, name: &str) {
    let fields = json!({"mappings": {"properties": {
        "@timestamp": {"type": "date"},
        "event": {"properties": {"dataset": {"type": "keyword"}, "duration": {"type": "long"}}},
        "url": {"properties": {"path": {"type": "keyword"}}},
        "http": {"properties": {"response": {"properties": {"status_code": {"type": "long"}}}}},
    }}});
    for part in 0..2 {
        node.index(&format!("logs-{name}-{part}"), &fields).await;
    }
}

fn logs(url: &str) -> SourceConfig {
    SourceConfig {
        name: "logs".to_owned(),
        kind: SourceKind::Elasticsearch,
        url: url.to_owned(),
        ..SourceConfig::default()
    }
}

/// Bad and all events in a window.
fn counts(views: &[std::sync::Arc<BudgetView>], slo: &str, window: usize) -> [Option<f64>; 2] {
    let view = views.iter().find(|view| *view.slo == *slo).unwrap();
    [view.windows[window].bad, view.windows[window].total]
}

/// The same, of what really happened and was written by then.
fn truth(
    all: &[(i64, bool, bool, u64)],
    view: &BudgetView,
    window: usize,
    slow: bool,
) -> [Option<f64>; 2] {
    let window = &view.windows[window];
    let (from, to) = (window.from.timestamp_millis(), window.to.timestamp_millis());
    let inside: Vec<_> = all.iter().filter(|(at, ..)| from <= *at && *at < to).collect();
    let bad = inside.iter().filter(|(_, bad, is_slow, _)| if slow { *is_slow } else { *bad });
    let bad = bad.count();
    [Some(bad as f64), Some(inside.len() as f64)]
}

/// All windows hold what happened and was written by now.
async fn agrees(run: &Run, happened: &[(i64, bool, bool, u64)], waiting: &[Document], now: i64) {
    let is_written = |at: i64| !waiting.iter().any(|document| document.happened == at);
    let known: Vec<_> = happened.iter().filter(|(at, ..)| is_written(*at)).copied().collect();
    let views = run.views();
    for window in 0..2 {
        for (slo, slow) in [("requests", false), ("fast", true)] {
            let view = views.iter().find(|view| *view.slo == *slo).unwrap();
            let expected = truth(&known, view, window, slow);
            assert_eq!(counts(&views, slo, window), expected, "{slo} {window} at {now}");
        }
        let snapshot = run.snapshot();
        let groups: Vec<_> = snapshot.groups.iter().flatten().collect();
        let route = |group: &Group| match group {
            Group::Labels { labels } => Some(labels["url.path"][1..].parse::<u64>().unwrap()),
            Group::Other { .. } => None,
        };
        let routes = groups.iter().filter_map(|view| route(view.group.as_ref()?));
        let routes: Vec<u64> = routes.collect();
        assert_eq!(routes.len(), 3, "{routes:?}");
        for view in groups {
            let own = route(view.group.as_ref().unwrap());
            let is_mine = |of: u64| own.map_or_else(|| !routes.contains(&of), |own| own == of);
            let mine: Vec<_> = known.iter().filter(|one| is_mine(one.3)).copied().collect();
            let counted = [view.windows[window].bad, view.windows[window].total];
            assert_eq!(counted, truth(&mine, view, window, false), "{own:?} {window} at {now}");
        }
    }
    run.compare(at(now)).await;
}

async fn late_documents_backfill_and_kills_count_what_happened(node: &Node) {
    let name = "live";
    prepare(node, name).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), SLOS.replace("NAME", name)).unwrap();
    let mut run = Run::in_folder("http://127.0.0.1:9", &folder);
    run.config_mut().sources = vec![logs(&node.url)];
    let mut dice = Dice(5);
    let mut waiting = traffic(&mut dice, 2_000);
    let happened: Vec<_> = waiting.iter().map(|d| (d.happened, d.bad, d.slow, d.route)).collect();
    let mut now = BEGIN + 1_700 * 60;
    ship(node, name, &mut waiting, now * 1_000).await;
    run.start(at(now)).await;
    run.engine.as_mut().unwrap().tick(at(now)).await;
    run.fill(at(now)).await;
    for step in 0..120 {
        now += 15 + i64::try_from(dice.below(60)).unwrap();
        ship(node, name, &mut waiting, now * 1_000).await;
        run.engine.as_mut().unwrap().tick(at(now)).await;
        if dice.below(8) == 0 {
            let cut = std::time::Duration::from_millis(dice.below(20));
            let tick = run.engine.as_mut().unwrap().tick(at(now + 30));
            let _ = tokio::time::timeout(cut, tick).await;
            run.kill().await;
            now += 30 + i64::try_from(dice.below(900)).unwrap();
            run.start(at(now)).await;
        }
        if step % 20 == 19 {
            // All that was late is there, and everything is read once more.
            now += 200;
            ship(node, name, &mut waiting, now * 1_000).await;
            run.engine.as_mut().unwrap().tick(at(now)).await;
            run.fill(at(now)).await;
            agrees(&run, &happened, &waiting, now).await;
        }
    }
    let missing = run.views().into_iter().find(|view| &*view.slo == "missing").unwrap();
    assert_eq!(missing.state, State::NoData);
    let said = missing.sources[0].last_error.clone().unwrap();
    assert!(said.contains("logs-live-none"), "{said}");
}

async fn an_index_that_appears_later_is_filled_from_its_beginning(node: &Node) {
    let name = "late";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), SLOS.replace("NAME", name)).unwrap();
    let mut run = Run::in_folder("http://127.0.0.1:9", &folder);
    run.config_mut().sources = vec![logs(&node.url)];
    let mut now = BEGIN + 600 * 60;
    run.start(at(now)).await;
    for _ in 0..20 {
        now += 60;
        run.engine.as_mut().unwrap().tick(at(now)).await;
    }
    assert_eq!(run.views()[0].state, State::NoData);
    prepare(node, name).await;
    let mut all = traffic(&mut Dice(3), 620);
    let count = all.len();
    ship(node, name, &mut all, i64::MAX).await;
    run.engine.as_mut().unwrap().tick(at(now + 60)).await;
    run.fill(at(now + 60)).await;
    let views = run.views();
    assert_eq!(counts(&views, "requests", 0)[1], Some(count as f64));
    assert!(views[0].sources.iter().all(|source| source.last_error.is_none()));
    assert_eq!(views[0].data_until, Some(at(now + 60) - TimeDelta::seconds(10)));
    run.compare(at(now + 60)).await;
}

macro_rules! against_a_node {
    ($($name:ident,)*) => {
        $(mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn elasticsearch() {
                super::$name(&super::node::shared(super::Kind::Elasticsearch)).await;
            }
        })*
    };
}

against_a_node! {
    late_documents_backfill_and_kills_count_what_happened,
    an_index_that_appears_later_is_filled_from_its_beginning,
    a_server_killed_at_random_instants_loses_and_doubles_nothing,
}

#[test]
fn a_source_of_logs_is_not_asked_for_metrics() {
    let config = Config { sources: vec![logs("http://127.0.0.1:9")], ..Config::default() };
    let folder = tempfile::tempdir().unwrap();
    let slos = SLOS.replace("NAME", "x").replace("source: logs, ", "source: other, ");
    std::fs::write(folder.path().join("slos.yaml"), slos).unwrap();
    let declared = slo_engine::declared::read(&[folder.path().to_owned()], None).unwrap();
    let share = slo_core::plan::shares(
        &declared.services[0].slos[0],
        slo_engine::source::config::defaults(&config.sources),
    )
    .remove(0);
    let said = slo_engine::source::config::source_of(&config.sources, &share).unwrap_err();
    assert_eq!(said, "no source is called `other`; the configuration has logs");
}
