//! Groups of an SLO count what SLOs of their own count, through backfill, kills and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_bench::openmetrics::Series;
use slo_core::view::{BudgetView, Group, WindowView};

use crate::live::{Run, at};
use crate::support::Dice;
use crate::support::lab::{END, Lab, series, service, slo};

/// When each route is asked for, and how many of a hundred requests fail.
const ROUTES: [(&str, std::ops::Range<i64>, u64); 5] = [
    ("/cart", -3_000..1, 3),
    ("/pay", -3_000..1, 0),
    // New while the server runs, and new while only the past is read.
    ("/new", -35..1, 20),
    ("/old", -2_900..-1_500, 5),
    ("/ended", -3_000..-50, 40),
];

fn traffic(dice: &mut Dice) -> Vec<Series> {
    let mut all = Vec::new();
    for (route, minutes, bad_of_100) in ROUTES {
        let mut counts = [0_u64; 2];
        let mut points = [Vec::new(), Vec::new()];
        for minute in minutes {
            for (code, growth) in [(0, dice.below(50)), (1, dice.below(1 + bad_of_100))] {
                counts[code] += growth;
                points[code].push((minute, counts[code] as f64));
            }
        }
        for (code, points) in ["200", "500"].iter().zip(&points) {
            let labels = [("job", "shop"), ("instance", "a"), ("route", route), ("code", code)];
            all.push(series("http_requests_total", &labels, points));
        }
    }
    all
}

const SLICES: &str = "    budgeting: {timeslices: {size: 5m, goodWhen: 90%}}\n";

/// A grouped SLO, and one for each route, by events and by slices.
fn slos() -> String {
    let indicator = |matcher: &str| {
        format!(
            "{{ratio: {{total: 'http_requests_total{{{matcher}}}', bad: '{{code=~\"5..\"}}'}}}}"
        )
    };
    let mut all = String::new();
    for (kind, more) in [("events", ""), ("slices", SLICES)] {
        let cuts = "    groupBy: [route]\n    attributeBy: [code]\n    gate: groups\n";
        all += &(slo(kind, &indicator("")) + cuts + more);
        for (at, (route, ..)) in ROUTES.iter().enumerate() {
            all +=
                &(slo(&format!("{kind}-{at}"), &indicator(&format!("route=\"{route}\""))) + more);
        }
    }
    all
}

type Views<K> = BTreeMap<K, Arc<BudgetView>>;

/// Of SLOs by name, and of groups by SLO and route.
fn views(run: &Run) -> (Views<String>, Views<(String, String)>) {
    let snapshot = run.snapshot();
    let wholes = snapshot.all().map(|view| (view.slo.to_string(), view.clone())).collect();
    let groups = snapshot.groups.iter().flatten().map(|view| {
        let Some(Group::Labels { labels }) = &view.group else { panic!("{:?}", view.group) };
        ((view.slo.to_string(), labels["route"].clone()), view.clone())
    });
    (wholes, groups.collect())
}

fn counts(window: &WindowView) -> [Option<f64>; 4] {
    [window.bad, window.total, window.assumed.into(), window.dropped.into()]
}

/// Every group is as the SLO of its own, and all groups add up to their SLO.
fn compare(run: &Run, when: &str) {
    let (wholes, groups) = views(run);
    for kind in ["events", "slices"] {
        let mut sum = [0.0; 2];
        for (at, (route, ..)) in ROUTES.iter().enumerate() {
            let Some(group) = groups.get(&(kind.to_owned(), (*route).to_owned())) else { continue };
            let own = &wholes[&format!("{kind}-{at}")];
            let [mine, theirs] = [&group.windows[0], &own.windows[0]];
            // Of an SLO without series the windows end with its data; a group goes on, idle. And to an SLO
            // of its own the target of a new route is new, too, so its first events cannot be told.
            if own.data_until == group.data_until && *route != "/new" {
                let bad = (mine.bad, theirs.bad);
                assert_eq!(bad.0, bad.1, "{when}: {kind} {route}");
                if kind == "events" {
                    assert_eq!(counts(mine), counts(theirs), "{when}: {kind} {route}");
                    assert_eq!(mine.remaining, theirs.remaining, "{when}: {route}");
                }
            }
            sum[0] += mine.bad.unwrap_or(0.0);
            sum[1] += mine.total.unwrap_or(0.0);
            let whole = &wholes[kind].windows[0];
            assert_eq!((mine.coverage, mine.maturity), (whole.coverage, whole.maturity), "{when}");
        }
        let whole = &wholes[kind].windows[0];
        if kind == "events" {
            assert_eq!([whole.bad, whole.total], [Some(sum[0]), Some(sum[1])], "{when}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_count_what_slos_of_their_own_count() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut dice = Dice(11);
    let lab = Lab::holding("groups", &traffic(&mut dice));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), service(&slos())).unwrap();
    let mut run = Run::in_folder(lab.server.url(), &folder);
    let begin = END - 60 * 60;
    run.start(at(begin)).await;
    run.engine.as_mut().unwrap().tick(at(begin)).await;
    for _ in 0..3 {
        run.fill(at(begin)).await;
    }
    compare(&run, "after the backfill");
    let known = views(&run).1.len();
    assert_eq!(known, 8, "four routes have been asked for, by events and by slices");
    for minute in 1..=60 {
        let now = at(begin + minute * 60);
        run.engine.as_mut().unwrap().tick(now).await;
        compare(&run, &format!("minute {minute}"));
        if minute % 20 == 0 {
            run.compare_groups(now).await;
        }
        if dice.below(4) == 0 {
            run.kill().await;
            run.start(now).await;
            compare(&run, &format!("a restart at minute {minute}"));
        }
    }
    let (_, groups) = views(&run);
    let routes: Vec<&str> = groups.keys().map(|(_, route)| &**route).take(4).collect();
    assert_eq!(routes, ["/cart", "/ended", "/new", "/pay"], "nothing of /old lies in the window");
    let new = &groups[&("events".to_owned(), "/new".to_owned())];
    assert!(new.windows[0].bad > Some(0.0));
}
