//! Budgets of the binary against a brute-force count of the same samples that is written apart.

use headroom_bench::compare::{Found, check};
use headroom_bench::openmetrics;
use headroom_bench::random::Random;
use headroom_bench::server::{Tools, Traffic};
use headroom_bench::{rough, traffic};

use crate::support::lab::{END, engine, folder};

const SERVICES: u32 = 5;

/// Asks both servers at random instants of the last `days` and compares all windows.
fn compare(
    name: &str,
    days: i64,
    histograms: u32,
    windows: &str,
    write: impl FnOnce(&std::path::Path),
) -> Found {
    let folder = folder(name);
    let (samples, dir) = (folder.join("samples"), folder.join("server"));
    write(&samples);
    Tools::default().load(&dir, &samples).unwrap();
    let victoria = Tools::default().victoria(&folder.join("victoria"), &samples).unwrap();
    let servers = [Tools::default().start(&dir).unwrap(), victoria];
    let specs = folder.join("slos.yaml");
    std::fs::write(&specs, traffic::specs(SERVICES, histograms, windows)).unwrap();
    let slos = traffic::count(&samples).unwrap();
    let (mut random, mut found) = (Random::new(7), Found::default());
    for _ in 0..10 {
        let at = random.between((END - days * 86_400) * 1_000, END * 1_000 + 1);
        for server in &servers {
            let views = engine(server.url()).budget(&specs, at).unwrap();
            found.join(check(&slos, &views, at));
        }
    }
    found
}

#[test]
fn budgets_of_traffic_with_resets_and_gaps_are_0_events_off_at_any_instant() {
    let found = compare("truth-traffic", 3, 2, "[30d, 2d, 6h]", |samples| {
        let traffic = Traffic { services: SERVICES, histograms: 2, days: 3, seed: 3, end: END };
        Tools::default().generate(samples, &traffic).unwrap();
    });
    assert_eq!((found.off, found.wrong), (0, 0), "{:#?}", found.notes);
    assert!(found.windows == 2 * 10 * 9 * 3 && found.events > 1_000_000, "{found:?}");
}

#[test]
fn budgets_of_short_lived_targets_with_holes_of_hours_are_0_events_off_at_any_instant() {
    let found = compare("truth-rough", 3, 0, "[7d, 1d, 2h]", |samples| {
        let series = rough::histories(SERVICES, 10 * 1_440, END * 1_000, 5);
        openmetrics::write(samples, &series).unwrap();
    });
    assert_eq!((found.off, found.wrong), (0, 0), "{:#?}", found.notes);
    let (assumed, dropped) = found.births;
    assert!(assumed > 0 && dropped > 0 && found.partial > 0, "{found:?}");
}
