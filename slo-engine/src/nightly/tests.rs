use std::sync::Arc;

use super::*;
use crate::declared;

const SLOS: &str = "apiVersion: headroom/v1\nkind: Service\nservice: shop\ntier: 2\nenvironment: p\nslos:\n\
    \x20 - name: one\n    objective: 99%\n    window: 1d\n    indicator: {ratio: {total: t_total, bad: '{code=\"500\"}'}}\n";

/// An engine that has not ticked, of one SLO whose source nobody answers for.
struct Lab {
    _folder: tempfile::TempDir,
    config: Config,
    store: Store,
    latest: Latest,
    engine: Engine,
    nightly: Nightly,
}

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-{text}:00Z").parse().unwrap()
}

impl Lab {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("slos.yaml"), SLOS).unwrap();
        let mut config = Config::default();
        config.sources[0].url = "http://127.0.0.1:1".to_owned();
        let store =
            Store::open(&format!("sqlite://{}/h.db", folder.path().display())).await.unwrap();
        let declared = Arc::new(declared::read(&[folder.path().to_owned()], None).unwrap());
        let latest = Latest::default();
        let (kept, seen) = (store.clone(), latest.clone());
        let engine = Engine::start(&config, declared, kept, seen, Arc::default(), at("21T01:00"));
        let engine = engine.await.unwrap();
        Self { _folder: folder, config, store, latest, engine, nightly: Nightly::default() }
    }

    async fn step(&mut self, now: &str) {
        let places = (&self.config, &self.store, &self.latest);
        self.nightly.step(&mut self.engine, places, at(now)).await;
    }

    /// Whether a step begins to count; what it finds is then handed over by the next one.
    async fn begins(&mut self, now: &str) -> bool {
        self.step(now).await;
        let begins = self.nightly.task.is_some();
        while self.nightly.task.as_ref().is_some_and(|task| !task.is_finished()) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        begins
    }

    /// How many SLOs the last recount was about, as snapshots say it.
    async fn found(&mut self) -> usize {
        self.engine.publish(at("21T03:00")).await;
        self.latest.get().unwrap().recounts.len()
    }
}

#[tokio::test]
async fn it_counts_once_in_each_night_and_hands_over_what_it_found() {
    let mut lab = Lab::new().await;
    assert_eq!(lab.found().await, 0);
    assert!(!lab.begins("21T01:59").await, "before its hour");
    assert!(lab.begins("21T02:00").await);
    assert_eq!(lab.found().await, 0, "nobody has asked for it yet");
    assert!(!lab.begins("21T02:01").await, "once a night");
    assert_eq!(lab.found().await, 1);
    let snapshot = lab.latest.get().unwrap();
    assert!(snapshot.recounts[0].problem.is_some(), "{:?}", snapshot.recounts);
    for (now, expected) in [("21T02:59", false), ("22T01:00", false), ("22T02:30", true)] {
        assert_eq!(lab.begins(now).await, expected, "{now}");
    }
}

#[tokio::test]
async fn a_recount_that_fails_is_over_and_the_next_night_has_another() {
    let mut lab = Lab::new().await;
    lab.found().await;
    lab.store.close().await;
    assert!(lab.begins("21T02:00").await);
    lab.step("21T02:01").await;
    assert!(lab.nightly.task.is_none() && lab.found().await == 0);
    assert!(lab.begins("22T02:00").await);
}
