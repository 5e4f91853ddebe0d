//! Live ticks, backfill and kills at random instants count what one read of the same past counts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use slo_core::time::Minute;
use slo_core::view::{BudgetView, State, WindowView};
use slo_engine::config::Config;
use slo_engine::declared;
use slo_engine::evaluate::backfill;
use slo_engine::evaluate::engine::Engine;
use slo_engine::evaluate::exclusion::InForce;
use slo_engine::evaluate::oneshot::{self, Question};
use slo_engine::evaluate::snapshot::{Latest, Snapshot};
use slo_engine::store::Store;

use crate::support::lab::{END, Lab, steady};
use crate::support::{Dice, Prometheus};

pub(crate) struct Run {
    config: Config,
    paths: Vec<PathBuf>,
    pub(crate) engine: Option<Engine>,
    store: Option<Store>,
    latest: Latest,
    /// What is excluded beside what the files say.
    pub(crate) requested: Arc<[InForce]>,
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

impl Run {
    fn new(url: &str, folder: &tempfile::TempDir, services: u32, windows: &str) -> Self {
        for at in 0..services {
            let text = format!(
                "apiVersion: headroom/v1\nkind: Service\nservice: svc-{at:04}\ntier: 2\nenvironment: production\nslos:\n\
                 \x20 - name: availability\n    objective: 99.9%\n    window: {windows}\n    indicator:\n      ratio:\n\
                 \x20       total: http_requests_total{{service=\"svc-{at:04}\"}}\n        bad: '{{code=~\"5..\"}}'\n"
            );
            std::fs::write(folder.path().join(format!("{at}.yaml")), text).unwrap();
        }
        Self::in_folder(url, folder)
    }

    /// Of the SLOs in a folder.
    pub(crate) fn in_folder(url: &str, folder: &tempfile::TempDir) -> Self {
        let mut config = Config::default();
        config.sources[0].url = url.to_owned();
        config.store.url = format!("sqlite://{}/h.db", folder.path().display());
        let paths = vec![folder.path().to_owned()];
        let (latest, requested) = (Latest::default(), Arc::default());
        Self { config, paths, engine: None, store: None, latest, requested }
    }

    pub(crate) const fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    pub(crate) async fn start(&mut self, now: DateTime<Utc>) {
        let declared = Arc::new(declared::read(&self.paths, None).unwrap());
        let store = Store::open(&self.config.store.url).await.unwrap();
        self.latest = Latest::default();
        let (latest, requested) = (self.latest.clone(), self.requested.clone());
        let engine = Engine::start(&self.config, declared, store.clone(), latest, requested, now)
            .await
            .unwrap();
        // The traffic ended long ago, so the server's clock is far ahead of these ticks.
        self.engine = Some(engine.without_clock_check());
        self.store = Some(store);
    }

    /// What a kill leaves behind: only what was committed.
    pub(crate) async fn kill(&mut self) {
        self.engine = None;
        self.store.take().unwrap().close().await;
    }

    pub(crate) async fn fill(&mut self, now: DateTime<Utc>) {
        let engine = self.engine.as_mut().unwrap();
        let jobs = engine.jobs(now);
        let (sender, mut results) = tokio::sync::mpsc::channel(1);
        let task = tokio::spawn(backfill::run(jobs, sender));
        while let Some(filled) = results.recv().await {
            engine.filled(filled, now).await;
        }
        task.await.unwrap();
        engine.publish(now).await;
    }

    /// Takes the database away from under the engine.
    pub(crate) async fn lose_the_database(&self) {
        self.store.as_ref().unwrap().close().await;
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.latest.get().unwrap()
    }

    pub(crate) fn views(&self) -> Vec<Arc<BudgetView>> {
        self.latest.get().unwrap().all().cloned().collect()
    }

    /// The numbers of the ledgers in the database.
    pub(crate) fn ledgers(&self) -> std::collections::BTreeMap<slo_core::slo::SloId, u32> {
        (*self.latest.get().unwrap().ledgers).clone()
    }

    /// The first window of an SLO.
    fn window(&self, slo: &str) -> WindowView {
        let views = self.views();
        views.iter().find(|view| *view.slo == *slo).unwrap().windows[0].clone()
    }

    async fn expected(&self, now: DateTime<Utc>) -> (Vec<BudgetView>, Vec<BudgetView>) {
        let mut declared = declared::read(&self.paths, None).unwrap();
        declared.exclusions.extend(self.requested.iter().map(|one| one.exclusion.clone()));
        let slos = declared.services.iter().flat_map(|s| s.slos.clone()).collect();
        let question = Question {
            sources: &self.config.sources,
            slos,
            services: &declared.services,
            at: now,
            burns: &declared.burns,
            asks: &declared.asks,
            exclusions: &declared.exclusions,
            now: None,
        };
        let mut all = oneshot::read(&question, &|_| {}).await;
        (oneshot::views(&question, &mut all), oneshot::groups(&question, &mut all))
    }

    /// The groups, where there are no more than have a place of their own: then it does not matter in
    /// which order they were seen.
    pub(crate) async fn compare_groups(&self, now: DateTime<Utc>) {
        let (_, expected) = self.expected(now).await;
        let snapshot = self.snapshot();
        let live: Vec<&Arc<BudgetView>> = snapshot.groups.iter().flatten().collect();
        assert!(!live.is_empty());
        for expected in &expected {
            let same = |view: &&&Arc<BudgetView>| {
                (&view.service, &view.slo, &view.group)
                    == (&expected.service, &expected.slo, &expected.group)
            };
            let Some(live) = live.iter().find(same) else {
                // Nothing of it lies in the longest window.
                assert_eq!(expected.windows[0].bad, Some(0.0), "{:?} at {now}", expected.group);
                continue;
            };
            for (a, b) in live.windows.iter().zip(&expected.windows) {
                let of = format!("{} {:?} {} at {now}", live.slo, live.group, a.window);
                assert_eq!(Self::numbers(a), Self::numbers(b), "{of}");
            }
            assert_eq!((&live.burn, live.state), (&expected.burn, expected.state), "{now}");
        }
    }

    fn numbers(w: &WindowView) -> impl PartialEq + std::fmt::Debug + use<> {
        (
            w.from,
            w.to,
            w.bad,
            w.total,
            w.sli.map(f64::to_bits),
            w.coverage,
            w.partial,
            w.assumed.to_bits(),
            w.maturity.to_bits(),
            w.bounds,
            w.without_exclusions,
            w.estimate.clone(),
        )
    }

    pub(crate) async fn compare(&self, now: DateTime<Utc>) {
        for (live, expected) in self.views().iter().zip(self.expected(now).await.0) {
            assert_eq!(live.slo, expected.slo);
            for (a, b) in live.windows.iter().zip(&expected.windows) {
                let of = format!("{} {} at {now}", live.service, a.window);
                assert_eq!(Self::numbers(a), Self::numbers(b), "{of}");
            }
            assert_eq!(live.burn, expected.burn, "{} at {now}", live.service);
            assert_eq!(live.state, expected.state, "{} at {now}", live.service);
        }
    }
}

/// Slices are judged by minutes, which a start has to find again.
const SLICES: &str = "apiVersion: headroom/v1\nkind: Service\nservice: slices\ntier: 2\nenvironment: production\nslos:\n\
    \x20 - name: availability\n    groupBy: [code]\n    objective: 99%\n    window: [2d, 6h]\n\
    \x20   budgeting: {timeslices: {size: 5m, goodWhen: 99.9%}}\n    indicator:\n      ratio:\n\
    \x20       total: http_requests_total{service=\"svc-0000\"}\n        bad: '{code=~\"5..\"}'\n";

/// The same events read as one, from two sources, and with bad ones that come later.
const APART: &str = "apiVersion: headroom/v1\nkind: Service\nservice: apart\ntier: 2\nenvironment: production\nslos:\n\
    \x20 - {name: whole, objective: 99%, window: [2d, 6h], groupBy: [code], indicator: {ratio: {\n\
    \x20     total: 'http_requests_total{service=\"svc-0001\"}',\n\
    \x20     bad: 'http_requests_total{service=\"svc-0001\",code=~\"5..\"}'}}}\n\
    \x20 - {name: apart, objective: 99%, window: [2d, 6h], groupBy: [code], indicator: {ratio: {\n\
    \x20     total: 'http_requests_total{service=\"svc-0001\"}',\n\
    \x20     bad: {source: second, selector: 'http_requests_total{service=\"svc-0001\",code=~\"5..\"}'}}}}\n\
    \x20 - {name: delayed, objective: 99%, window: [2d, 6h], indicator: {ratio: {\n\
    \x20     total: {source: second, selector: 'http_requests_total{service=\"svc-0001\"}'},\n\
    \x20     good: {selector: 'http_requests_total{service=\"svc-0001\",code!~\"5..\"}', delay: 7m}}}}\n\
    \x20 - {name: raw, objective: 90%, window: [1d, 6h], budgeting: {timeslices: {size: 5m, goodWhen: 99%}},\n\
    \x20    indicator: {raw: {errorRatio: 'sum(increase(http_requests_total{service=\"svc-0001\",code=~\"5..\"}[10m]))\n\
    \x20    / sum(increase(http_requests_total{service=\"svc-0001\"}[10m]))'}}}\n\
    \x20 - {name: journey, objective: 98%, window: [1d, 3h], indicator: {composite: [\n\
    \x20     {slo: apart/whole, weight: 2}, {slo: svc-0002/availability, weight: 1},\n\
    \x20     {slo: slices/availability, weight: 3}, {slo: apart/delayed, weight: 1}]}}\n\
    \x20 - {name: all, objective: 98%, window: 2d, indicator: {composite: [\n\
    \x20     {slo: apart/journey, weight: 1}, {slo: apart/apart, weight: 1}]}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn ticks_backfill_and_kills_count_what_one_read_of_the_past_counts() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let prometheus = Prometheus::with_traffic("live", 6, 4, 7, 1_780_000_000 / 60 * 60);
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&prometheus.url, &folder, 6, "[2d, 1d, 6h]");
    std::fs::write(folder.path().join("slices.yaml"), SLICES).unwrap();
    std::fs::write(folder.path().join("apart.yaml"), APART).unwrap();
    let mut second = run.config.sources[0].clone();
    second.name = "second".to_owned();
    run.config.sources.push(second);
    let mut dice = Dice(11);
    let mut now = prometheus.end - 86_400;
    run.start(at(now)).await;
    run.engine.as_mut().unwrap().tick(at(now)).await;
    run.fill(at(now)).await;
    run.compare(at(now)).await;
    run.compare_groups(at(now)).await;
    for step in 0..400 {
        now += 20 + i64::try_from(dice.below(80)).unwrap();
        run.engine.as_mut().unwrap().tick(at(now)).await;
        if dice.below(8) == 0 {
            // Cut off wherever it is: while it reads, counts or commits.
            let cut = Duration::from_micros(dice.below(6_000));
            let tick = run.engine.as_mut().unwrap().tick(at(now + 30));
            let _ = tokio::time::timeout(cut, tick).await;
            run.kill().await;
            now += 30 + i64::try_from(dice.below(1_200)).unwrap();
            run.start(at(now)).await;
        }
        if step % 40 == 39 {
            run.engine.as_mut().unwrap().tick(at(now)).await;
            run.fill(at(now)).await;
            run.compare(at(now)).await;
            run.compare_groups(at(now)).await;
            let [delayed, apart, whole] = ["delayed", "apart", "whole"].map(|slo| run.window(slo));
            assert_eq!((apart.bad, apart.total), (whole.bad, whole.total), "at {now}");
            assert_eq!(delayed.to, whole.to - TimeDelta::minutes(7));
            assert!(delayed.total < whole.total || delayed.bad != whole.bad, "at {now}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_that_ended_hours_ago_is_backfilled_over_the_whole_of_its_earlier_window() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let labels = |code| [("service", "svc-0000"), ("job", "a"), ("instance", "a"), ("code", code)];
    let history = [
        steady(&labels("200"), -12_000..-300, 1_000, 10),
        steady(&labels("500"), -12_000..-300, 0, 1),
    ];
    let lab = Lab::holding("live-ended", &history);
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(lab.server.url(), &folder, 1, "[7d, 1d]");
    run.start(at(END)).await;
    run.engine.as_mut().unwrap().tick(at(END)).await;
    run.fill(at(END)).await;
    let window = run.views()[0].windows[0].clone();
    assert_eq!((window.bad, window.total), (Some(10_080.0), Some(110_880.0)));
    run.compare(at(END)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_that_ended_longer_ago_than_max_gap_is_stale_also_after_a_kill() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let labels = |code| [("service", "svc-0000"), ("job", "a"), ("instance", "a"), ("code", code)];
    let history = [
        steady(&labels("200"), -12_000..-630, 1_000, 10),
        steady(&labels("500"), -12_000..-630, 0, 1),
    ];
    let lab = Lab::holding("live-ended-long", &history);
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(lab.server.url(), &folder, 1, "[7d, 1d]");
    run.start(at(END)).await;
    run.engine.as_mut().unwrap().tick(at(END)).await;
    // Only the past tells where the data ended, and so how much of the past is wanted.
    run.fill(at(END)).await;
    run.fill(at(END)).await;
    run.compare(at(END)).await;
    assert_eq!(run.views()[0].state, State::Stale);
    run.kill().await;
    run.start(at(END)).await;
    run.compare(at(END)).await;
    run.engine.as_mut().unwrap().tick(at(END + 30)).await;
    run.fill(at(END + 30)).await;
    run.compare(at(END + 30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_victoria_metrics_is_known_by_its_answers_and_its_last_minute_stays_open() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let labels = [("service", "svc-0000"), ("job", "a"), ("instance", "a"), ("code", "200")];
    let lab = Lab::holding("live-victoria", &[steady(&labels, -300..1, 1_000, 10)]);
    for (server, overlap) in [(&lab.server, 15), (&lab.victoria, 60)] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::new(server.url(), &folder, 1, "[1d]");
        run.start(at(END)).await;
        run.engine.as_mut().unwrap().tick(at(END)).await;
        let mark = run.store.as_ref().unwrap().watermarks().await.unwrap().remove(0);
        assert_eq!((mark.read_to, mark.minute), (END * 1_000, Minute::of(at(END - overlap))));
        run.fill(at(END)).await;
        run.compare(at(END)).await;
    }
}

/// Aligned pushers stamp their samples with whole minutes: such a sample belongs to the minute it begins.
#[tokio::test(flavor = "multi_thread")]
async fn samples_on_the_minute_are_counted_once_wherever_reading_is_cut() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let labels = [("service", "svc-0000"), ("job", "a"), ("instance", "a"), ("code", "200")];
    let mut series = steady(&labels, -12_000..1, 1_000, 10);
    series.samples.iter_mut().for_each(|(at, _)| *at -= 15_000);
    let lab = Lab::holding("live-aligned", &[series]);
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(lab.server.url(), &folder, 1, "[7d, 1d]");
    run.start(at(END - 600)).await;
    for second in (-600..=0).step_by(20) {
        let now = at(END + second);
        if second % 140 == 0 {
            run.kill().await;
            run.start(now).await;
        }
        run.engine.as_mut().unwrap().tick(now).await;
        run.fill(now).await;
    }
    run.compare(at(END)).await;
    let totals = |run: &Run| run.views()[0].windows.iter().map(|w| w.total).collect::<Vec<_>>();
    assert_eq!(totals(&run), [Some(100_800.0), Some(14_400.0)]);
}

fn renamed(name: &str, objective: &str, bad: &str) -> String {
    format!(
        "apiVersion: headroom/v1\nkind: Service\nservice: shop\ntier: 2\nenvironment: production\nslos:\n\
         \x20 - {name}\n    objective: {objective}\n    window: 1d\n    indicator:\n      ratio:\n\
         \x20       total: http_requests_total{{service=\"svc-0000\"}}\n        bad: '{bad}'\n"
    )
}

/// Scraped counters are asked for anew by nobody: what an edit keeps, it keeps in the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_keeps_the_history_unless_it_asks_for_other_events() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let labels = |code| [("service", "svc-0000"), ("job", "a"), ("instance", "a"), ("code", code)];
    let history =
        [steady(&labels("200"), -3_000..1, 1_000, 10), steady(&labels("500"), -3_000..1, 0, 1)];
    let lab = Lab::holding("live-edits", &history);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slos.yaml");
    std::fs::write(&file, renamed("name: old", "99%", "{code=\"500\"}")).unwrap();
    let mut run = Run::in_folder(lab.server.url(), &folder);
    run.start(at(END)).await;
    run.engine.as_mut().unwrap().tick(at(END)).await;
    run.fill(at(END)).await;
    let before = run.views()[0].windows[0].clone();
    assert_eq!(before.bad, Some(1_440.0));
    for (name, objective) in [("name: old", "90%"), ("{name: new, was: old}", "90%")] {
        run.kill().await;
        let name = name.replace("{name: new, was: old}", "name: new\n    was: old");
        std::fs::write(&file, renamed(&name, objective, "{code=\"500\"}")).unwrap();
        run.start(at(END)).await;
        let view = run.views().remove(0);
        assert_eq!((view.windows[0].bad, view.windows[0].total), (before.bad, before.total));
        assert!(view.findings.iter().all(|finding| finding.code != "queryChanged"), "{name}");
    }
    run.kill().await;
    std::fs::write(&file, renamed("name: new", "90%", "{code=\"200\"}")).unwrap();
    run.start(at(END)).await;
    let view = run.views().remove(0);
    assert_eq!(view.windows[0].total, None);
    assert!(view.findings.iter().any(|finding| finding.code == "queryChanged"));
    run.engine.as_mut().unwrap().tick(at(END)).await;
    run.fill(at(END)).await;
    let view = run.views().remove(0);
    assert_eq!(view.windows[0].bad, Some(14_400.0));
    assert!(view.findings.iter().all(|finding| finding.code != "queryChanged"));
}
