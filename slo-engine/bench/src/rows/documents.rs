//! Documents of requests, written late and more than once into indices that roll over, and the count
//! of what happened.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat};
use headroom_bench::random::Random;
use headroom_bench::traffic;
use slo_core::view::{BudgetView, WindowView};

use crate::node::{INDICES, Node, name};

/// The latest that a document is written after it happened.
pub(super) const LATEST: i64 = 90_000;
/// All that was written so long before a rollover is written again.
const RESENT: i64 = 30_000;
/// The SLO of latency.
const FAST_SLO: &str = "fast";
/// What it calls fast, in nanoseconds.
const FAST: i64 = 300_000_000;
/// The most bytes of documents that are written at once; the node takes a megabyte.
const AT_ONCE: usize = 900_000;

/// What is written; instants are Unix milliseconds.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) services: u32,
    pub(super) documents: u32,
    /// When things happen.
    pub(super) from: i64,
    pub(super) until: i64,
    /// When writers turn to the next index.
    pub(super) rollovers: [i64; 2],
    pub(super) seed: u64,
}

/// A document as it is written once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    id: u32,
    index: usize,
    happened: i64,
    written: i64,
    service: u32,
    /// Other documents are no requests and do not count.
    is_access: bool,
    status: u16,
    /// In nanoseconds; requests that were given up have none.
    duration: Option<i64>,
}

impl Plan {
    /// All documents in the order in which they are written.
    pub(super) fn documents(&self) -> Vec<Document> {
        let (mut random, mut all) = (Random::new(self.seed), Vec::new());
        for id in 0..self.documents {
            let mut document = self.document(id, &mut random);
            let is_resent =
                self.rollovers.iter().any(|at| (0..RESENT).contains(&(at - document.written)));
            if is_resent || random.between(0, 20) == 0 {
                let first = document.clone();
                document.written = random.between(first.written, first.happened + LATEST);
                document.index = self.index(document.written);
                all.push(first);
            }
            all.push(document);
        }
        all.sort_by_key(|document| document.written);
        all
    }

    fn document(&self, id: u32, random: &mut Random) -> Document {
        let happened = random.between(self.from, self.until);
        let is_late = random.between(0, 10) == 0;
        let written = happened + if is_late { random.between(0, LATEST) } else { 0 };
        let duration = match random.between(0, 20) {
            0 => None,
            1 => Some(FAST),
            2 => Some(FAST + 1),
            _ => Some(random.between(FAST / 300, FAST * 11 / 10)),
        };
        Document {
            id,
            index: self.index(written),
            happened,
            written,
            service: random.between(0, self.services.into()) as u32,
            is_access: random.between(0, 20) != 0,
            status: if random.between(0, 50) == 0 { 503 } else { 200 },
            duration,
        }
    }

    fn index(&self, written: i64) -> usize {
        self.rollovers.iter().filter(|at| **at <= written).count()
    }

    /// An SLO of requests for each service.
    pub(super) fn requests(&self, windows: &str) -> String {
        (0..self.services).map(|service| requests(&traffic::name(service), windows)).collect()
    }

    /// The same and one of latency.
    pub(super) fn requests_and_latency(&self, windows: &str) -> String {
        let mut text = String::new();
        for service in (0..self.services).map(traffic::name) {
            let _ = write!(
                text,
                "{}  - name: {FAST_SLO}\n    objective: 90%\n    window: {windows}\n    indicator:\n      latency: \
                 {{source: logs, index: '{INDICES}', query: 'service.name : \"{service}\" and event.dataset : \"access\"', \
                 field: event.duration, unit: ns, under: 300ms}}\n",
                requests(&service, windows)
            );
        }
        text
    }
}

/// A service with an SLO of its requests.
fn requests(service: &str, windows: &str) -> String {
    format!(
        "---\napiVersion: headroom/v1\nkind: Service\nservice: {service}\nowner: bench\ntier: 3\n\
         environment: bench\nslos:\n  - name: requests\n    objective: 99%\n    window: {windows}\n    \
         indicator:\n      ratio: {{source: logs, index: '{INDICES}', \
         total: 'service.name : \"{service}\" and event.dataset : \"access\"', \
         bad: 'http.response.status_code >= 500'}}\n"
    )
}

impl Document {
    /// Its two lines for the bulk interface.
    fn lines(&self) -> anyhow::Result<String> {
        let instant = DateTime::from_timestamp_millis(self.happened).context("no such instant")?;
        let instant = instant.to_rfc3339_opts(SecondsFormat::Millis, true);
        let dataset = if self.is_access { "access" } else { "audit" };
        let duration = self.duration.map_or_else(String::new, |ns| format!(",\"duration\":{ns}"));
        Ok(format!(
            "{{\"index\":{{\"_index\":\"{}\",\"_id\":\"{}\"}}}}\n{{\"@timestamp\":\"{instant}\",\
             \"service\":{{\"name\":\"{}\"}},\"event\":{{\"dataset\":\"{dataset}\"{duration}}},\
             \"http\":{{\"response\":{{\"status_code\":{}}}}}}}\n",
            name(self.index),
            self.id,
            traffic::name(self.service),
            self.status
        ))
    }
}

/// Writes documents when their time has come.
#[derive(Debug)]
pub(super) struct Shipper<'a> {
    node: &'a Node,
    waiting: &'a [Document],
    /// How many there are.
    indices: usize,
}

impl<'a> Shipper<'a> {
    pub(super) const fn new(node: &'a Node, documents: &'a [Document]) -> Self {
        Self { node, waiting: documents, indices: 0 }
    }

    /// Writes all that is due by an instant in Unix milliseconds; it can be found then.
    pub(super) fn ship(&mut self, until: i64) -> anyhow::Result<()> {
        let due = self.waiting.partition_point(|document| document.written <= until);
        let (due, waiting) = self.waiting.split_at(due);
        let mut lines = String::new();
        for document in due {
            while self.indices <= document.index {
                self.node.index(self.indices)?;
                self.indices += 1;
            }
            lines += &document.lines()?;
            if lines.len() > AT_ONCE {
                self.node.write(std::mem::take(&mut lines))?;
            }
        }
        if !lines.is_empty() {
            self.node.write(lines)?;
        }
        self.waiting = waiting;
        self.node.refresh()
    }
}

/// An event: a document's `_id` in an index, whenever it was written there first.
#[derive(Debug)]
struct Event {
    happened: i64,
    written: i64,
    is_bad: bool,
    /// `None` where nothing tells.
    is_slow: Option<bool>,
}

/// What happened, by service.
#[derive(Debug)]
pub(super) struct Truth {
    services: BTreeMap<String, Vec<Event>>,
    /// Documents that were written again into the same index, and into the next one.
    pub(super) again: [usize; 2],
}

/// How many windows were compared, and by how many events they were off; NaN where one counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Compared {
    pub(super) windows: usize,
    pub(super) off: f64,
}

impl Truth {
    /// Counts documents that are in the order of their writing.
    pub(super) fn of(documents: &[Document]) -> Self {
        let (mut seen, mut ids) = (HashSet::new(), HashSet::new());
        let mut truth = Self { services: BTreeMap::new(), again: [0, 0] };
        for document in documents {
            let is_known = !ids.insert(document.id);
            let is_new = seen.insert((document.index, document.id));
            truth.again[0] += usize::from(!is_new);
            truth.again[1] += usize::from(is_known && is_new);
            if is_new && document.is_access {
                let name = traffic::name(document.service);
                truth.services.entry(name).or_default().push(Event {
                    happened: document.happened,
                    written: document.written,
                    is_bad: document.status >= 500,
                    is_slow: document.duration.map(|ns| ns > FAST),
                });
            }
        }
        truth
    }

    /// Compares all windows of some views with what had been written by an instant in Unix milliseconds.
    pub(super) fn compare(&self, views: &[impl Borrow<BudgetView>], written_by: i64) -> Compared {
        let mut compared = Compared::default();
        for view in views.iter().map(Borrow::borrow) {
            compared.windows += view.windows.len();
            let off = view.windows.iter().map(|window| self.window_off(view, window, written_by));
            compared.off += off.sum::<f64>();
        }
        compared
    }

    fn window_off(&self, view: &BudgetView, window: &WindowView, written_by: i64) -> f64 {
        let inside = window.from.timestamp_millis()..window.to.timestamp_millis();
        let [bad, total] = self.count(&view.service, &view.slo, &inside, written_by);
        let off = |count: Option<f64>, truth| (count.unwrap_or(f64::NAN) - f64::from(truth)).abs();
        off(window.bad, bad) + off(window.total, total)
    }

    /// Bad and all events of an SLO.
    fn count(&self, service: &str, slo: &str, inside: &Range<i64>, written_by: i64) -> [u32; 2] {
        let (mut bad, mut total) = (0, 0);
        for event in self.services.get(service).into_iter().flatten() {
            let is_bad = if slo == FAST_SLO { event.is_slow } else { Some(event.is_bad) };
            let is_inside = inside.contains(&event.happened) && event.written <= written_by;
            if let Some(is_bad) = is_bad.filter(|_| is_inside) {
                total += 1;
                bad += u32::from(is_bad);
            }
        }
        [bad, total]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        services: 3,
        documents: 20_000,
        from: 0,
        until: 7_200_000,
        rollovers: [2_400_000, 6_000_000],
        seed: 1,
    };

    const ONE: Document = Document {
        id: 1,
        index: 0,
        happened: 100,
        written: 100,
        service: 0,
        is_access: true,
        status: 503,
        duration: None,
    };

    #[test]
    fn documents_are_written_within_90_s_in_order_and_into_the_index_of_then() {
        let all = PLAN.documents();
        assert!(all == PLAN.documents() && all.is_sorted_by_key(|document| document.written));
        assert!(all.iter().all(|d| (0..=LATEST).contains(&(d.written - d.happened))));
        assert!(all.iter().all(|d| d.index == PLAN.index(d.written)));
        assert_eq!(all.last().map(|document| document.index), Some(2));
        let late = all.iter().filter(|d| d.written > d.happened).count();
        assert!((2_000..4_000).contains(&late), "{late}");
    }

    #[test]
    fn a_document_that_is_written_again_is_the_same_and_often_goes_into_the_next_index() {
        let all = PLAN.documents();
        let mut firsts: BTreeMap<u32, &Document> = BTreeMap::new();
        for document in &all {
            let first = *firsts.entry(document.id).or_insert(document);
            let (written, index) = (first.written, first.index);
            assert_eq!(Document { written, index, ..document.clone() }, *first);
        }
        assert_eq!(firsts.len(), 20_000);
        let [same, next] = Truth::of(&all).again;
        assert_eq!(same + next, all.len() - 20_000);
        assert!(same > 900 && next > 50, "{same} {next}");
    }

    #[test]
    fn the_same_id_is_one_event_in_one_index_and_two_events_in_two() {
        let again = Document { written: 200, ..ONE };
        let rolled = Document { written: 300, index: 1, ..ONE };
        let truth = Truth::of(&[ONE, again, rolled]);
        let bad_by = |by| truth.count("svc-0000", "requests", &(100..101), by);
        assert_eq!([99, 100, 299, 300].map(bad_by), [[0, 0], [1, 1], [1, 1], [2, 2]]);
        assert_eq!(truth.count("svc-0000", "requests", &(0..100), 300), [0, 0]);
        assert_eq!(truth.again, [1, 1]);
    }

    #[test]
    fn only_requests_count_and_only_those_with_a_duration_are_fast_or_slow() {
        let documents = [None, Some(FAST), Some(FAST + 1), Some(1)].map(|duration| Document {
            duration,
            id: duration.unwrap_or(0) as u32,
            ..ONE
        });
        let audit = Document { is_access: false, id: 9, ..ONE };
        let truth = Truth::of(&[&documents[..], &[audit]].concat());
        assert_eq!(truth.count("svc-0000", FAST_SLO, &(0..101), 100), [1, 3]);
        assert_eq!(truth.count("svc-0000", "requests", &(0..101), 100), [4, 4]);
    }
}
