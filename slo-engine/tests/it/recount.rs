//! A recount agrees with the ledger that ticks and backfill made, and sees when somebody changed it.

use slo_core::ledger::Hour;
use slo_core::time::Minute;
use slo_engine::declared;
use slo_engine::evaluate::recount::{Asked, Recount, recount};
use slo_engine::store::{Commit, Store};

use crate::live::{Run, at};
use crate::support::lab::{END, Lab, steady};

const SLOS: &str = "apiVersion: headroom/v1\nkind: Service\nservice: shop\ntier: 2\nenvironment: p\nslos:\n\
    \x20 - name: one\n    objective: 99%\n    window: 1d\n    indicator: {ratio: {total: http_requests_total, bad: '{code=\"500\"}'}}\n\
    \x20 - name: apart\n    objective: 99%\n    window: 1d\n    indicator: {ratio: {total: http_requests_total,\n\
    \x20     bad: {source: second, selector: 'http_requests_total{code=\"500\"}', delay: 3m}}}\n\
    \x20 - name: both\n    objective: 99%\n    window: 1d\n    indicator: {composite: [{slo: shop/one, weight: 1}, {slo: shop/apart, weight: 1}]}\n";

async fn counted_anew(run: &mut Run, folder: &tempfile::TempDir) -> Vec<Recount> {
    let declared = declared::read(&[folder.path().to_owned()], None).unwrap();
    let store = Store::open(&run.config_mut().store.url).await.unwrap();
    let slos: Vec<_> = declared.services.iter().flat_map(|s| s.slos.clone()).collect();
    let sources = run.config_mut().sources.clone();
    let asked = Asked { sources: &sources, services: &declared.services, slos: &slos };
    let found = recount(&store, asked, at(END), &|_| {}).await.unwrap();
    store.close().await;
    found
}

/// Loses the minutes of an hour.
async fn tamper(run: &mut Run, ledger: u32) {
    let store = Store::open(&run.config_mut().store.url).await.unwrap();
    let hour = Minute::of(at(END - 6 * 3_600)).hour();
    let mut commit = Commit::default();
    commit.hours.push((hour, ledger, Hour::default().pack()));
    store.commit(&commit).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recount_agrees_until_the_ledger_is_changed() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let labels = |code| [("job", "a"), ("instance", "a"), ("code", code)];
    let history =
        [steady(&labels("200"), -3_000..1, 1_000, 10), steady(&labels("500"), -3_000..1, 0, 1)];
    let lab = Lab::holding("recount", &history);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), SLOS).unwrap();
    let mut run = Run::in_folder(lab.server.url(), &folder);
    let mut second = run.config_mut().sources[0].clone();
    second.name = "second".to_owned();
    run.config_mut().sources.push(second);
    run.start(at(END)).await;
    run.engine.as_mut().unwrap().tick(at(END)).await;
    run.fill(at(END)).await;
    let ledgers = run.ledgers();
    run.kill().await;
    let found = counted_anew(&mut run, &folder).await;
    let (agree, not): (Vec<_>, Vec<_>) = found.into_iter().partition(|one| one.problem.is_none());
    assert_eq!((agree.len(), not.len()), (2, 1));
    for one in &agree {
        assert_eq!(one.ledger, one.source, "{}", one.slo);
        assert!(one.source.bad > 1_000 && one.off == Some(0.0), "{one:?}");
    }
    assert_eq!(not[0].problem.as_deref(), Some("it is made of other SLOs"));
    let ledger = *ledgers.iter().find(|(id, _)| id.slo.as_str() == "one").unwrap().1;
    tamper(&mut run, ledger).await;
    let found = counted_anew(&mut run, &folder).await;
    let one = found.iter().find(|one| one.id().slo.as_str() == "one").unwrap();
    assert_eq!((one.source.total - one.ledger.total, one.is_alarming()), (660, true));
    run.start(at(END)).await;
    let engine = run.engine.as_mut().unwrap();
    engine.note_recounts(found.clone());
    engine.publish(at(END)).await;
    let has = |slo: &str| {
        let view = run.views().into_iter().find(|view| *view.slo == *slo).unwrap();
        view.findings.iter().any(|finding| finding.code == "recountDiffers")
    };
    assert!(has("one") && !has("apart"));
}
