//! A server that is killed again and again while documents are written late and more than once and the
//! index rolls over: what it counted in the end is what was written. `make bench ARGS=search-kills` is
//! the same in full.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::SecondsFormat;
use headroom_bench::engine::{Engine, Serving};
use serde_json::{Value, json};
use slo_core::view::BudgetView;
use slo_engine::clock::{Clock, SystemClock};

use super::{SLOS, prepare};
use crate::support::Dice;
use crate::support::lab::{engine, folder};
use crate::support::node::Node;

const KILLS: u64 = 6;
const STEP: Duration = Duration::from_millis(200);
/// The latest that a document is written, in milliseconds; minutes stay open for longer.
const LATEST: u64 = 6_000;
/// How long the service had lived before, in milliseconds.
const PAST: u64 = 5 * 3_600_000;

/// A document on its way: when it is written (Unix milliseconds), and what.
struct Waiting {
    due: i64,
    id: u64,
    happened: i64,
    bad: bool,
}

/// What shippers do.
struct Shippers {
    dice: Dice,
    ids: u64,
    waiting: Vec<Waiting>,
    /// Which documents each index holds, and whether they are bad ones.
    written: HashSet<(u64, u64, bool)>,
}

impl Shippers {
    fn happen(&mut self, happened: i64) {
        let mut below = |limit| i64::try_from(self.dice.below(limit)).unwrap();
        let late = if below(3) == 0 { below(LATEST) } else { 0 };
        let bad = below(8) == 0;
        let again = (below(4) == 0).then(|| late + below(LATEST - late.unsigned_abs()));
        for due in [Some(late), again].into_iter().flatten() {
            self.waiting.push(Waiting { due: happened + due, id: self.ids, happened, bad });
        }
        self.ids += 1;
    }

    /// Writes what is due into the index of a number.
    async fn ship(&mut self, node: &Node, index: u64, now: i64) {
        let due: Vec<Waiting> = self.waiting.extract_if(.., |one| one.due <= now).collect();
        let mut lines = Vec::new();
        for Waiting { id, happened, bad, .. } in due {
            self.written.insert((index, id, bad));
            let instant = chrono::DateTime::from_timestamp_millis(happened).unwrap();
            let body = json!({
                "@timestamp": instant.to_rfc3339_opts(SecondsFormat::Millis, true),
                "event": {"dataset": "access"},
                "http": {"response": {"status_code": if bad { 503 } else { 200 }}},
            });
            lines.push((format!("logs-killed-{index}"), Value::from(id.to_string()), body));
        }
        node.write(&lines).await;
    }

    /// Bad and all events.
    fn truth(&self) -> [Option<f64>; 2] {
        let bad = self.written.iter().filter(|(.., bad)| *bad).count();
        [Some(bad as f64), Some(self.written.len() as f64)]
    }
}

fn now() -> i64 {
    SystemClock.now().timestamp_millis()
}

fn reading(node: &Node, folder: &Path) -> Engine {
    std::fs::create_dir(folder.join("slos")).unwrap();
    std::fs::write(folder.join("slos/slos.yaml"), SLOS.replace("NAME", "killed")).unwrap();
    let settings = [
        ("SOURCES__0__NAME", "logs"),
        ("SOURCES__0__KIND", "elasticsearch"),
        ("SOURCES__0__LAG", "1s"),
        ("SOURCES__0__OVERLAP", "10s"),
        ("SCHEDULE__TICK", "1s"),
    ];
    let with = |engine: Engine, (key, value): (&str, &str)| {
        engine.with(&format!("HEADROOM__{key}"), value)
    };
    settings.into_iter().fold(engine(&node.url), with)
}

/// The first window of the SLO of requests: bad and all events.
async fn counted(server: &Serving) -> [Option<f64>; 2] {
    let answer = reqwest::get(format!("{}/v1/slos/shop/requests", server.url)).await.unwrap();
    let view: BudgetView = answer.json().await.unwrap();
    [view.windows[0].bad, view.windows[0].total]
}

pub(super) async fn a_server_killed_at_random_instants_loses_and_doubles_nothing(node: &Node) {
    prepare(node, "killed").await;
    let folder = folder("logs-killed");
    let engine = reading(node, &folder);
    let (dice, waiting, written) = (Dice(9), Vec::new(), HashSet::new());
    let mut shippers = Shippers { dice, ids: 0, waiting, written };
    let begun = now();
    for _ in 0..2_000 {
        let ago = i64::try_from(LATEST + shippers.dice.below(PAST)).unwrap();
        shippers.happen(begun - ago);
    }
    let (mut kills, mut server) = (0, None);
    let mut dies = Instant::now();
    while kills < KILLS || !shippers.waiting.is_empty() {
        if kills < KILLS {
            (0..shippers.dice.below(4)).for_each(|_| shippers.happen(now()));
        }
        // The index rolls over half-way: what is written again then is another event.
        shippers.ship(node, u64::from(kills >= KILLS / 2), now()).await;
        if kills < KILLS && dies <= Instant::now() {
            kills += u64::from(server.is_some());
            drop(server.take());
            server = Some(engine.serve(&folder).unwrap());
            dies = Instant::now() + Duration::from_millis(50 + shippers.dice.below(3_000));
        }
        tokio::time::sleep(STEP).await;
    }
    let [again, rolled] =
        [0, 1].map(|index| shippers.written.iter().filter(|w| w.0 == index).count());
    assert!(again > 2_000 && rolled > 20, "{again} {rolled}");
    // The lag, and ticks that read all of it.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(counted(server.as_ref().unwrap()).await, shippers.truth());
}
