//! Whatever is excluded, in whatever order: every number is that of a recount over minutes.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::bucket::{Bucket, Lump};
use crate::budget::Facts;
use crate::ledger::Hour;
use crate::sli::Indicator;
use crate::slo::{Budgeting, Slo, Unmeasured};
use crate::spec;
use crate::time::Span;
use crate::view::{BudgetView, WindowView};

const KINDS: [&str; 5] = [
    "indicator: {ratio: {total: t, bad: b}}",
    "budgeting: {timeslices: {size: 5m, goodWhen: 80%}}, indicator: {ratio: {total: t, bad: b}}",
    "budgeting: {timeslices: {size: 15m, goodWhen: 80%}}, unmeasured: bad, \
     indicator: {ratio: {total: t, bad: b}}",
    "budgeting: {ratioTimeslices: {size: 5m}}, indicator: {ratio: {total: t, bad: b}}",
    "budgeting: {timeslices: {size: 10m, goodWhen: 80%}}, indicator: {raw: {goodRatio: r}}",
];

/// A Monday, 00:00 UTC.
const START: i64 = 29_701_440;
const LENGTH: i64 = 2_400;
const RECENT: i64 = 400;

fn slo(kind: usize, has_week: bool) -> Arc<Slo> {
    let week = if has_week { ", {calendar: week, zone: UTC}" } else { "" };
    let text = format!(
        "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\nslos:\n  \
         - {{name: x, objective: 90%, alerts: none, \
         window: [12h, 3h{week}], {}}}\n",
        KINDS[kind]
    );
    let set = spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
    set.services[0].slos[0].clone()
}

#[derive(Debug, Clone)]
enum Step {
    /// A minute: good and bad events, whether it is measured, and how many of the events came over a
    /// gap of how many minutes.
    Put(i64, (i64, i64), bool, Option<(i64, i64)>),
    Exclude(Vec<(i64, i64)>),
    Advance(i64),
    Evict,
    Forget(i64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let counts = (0..20_i64, prop_oneof![3 => Just(0), 2 => 0..20_i64]);
    let lump = prop::option::weighted(0.15, (0..30_i64, 1..360_i64));
    let runs = prop::collection::vec((0..LENGTH + 600, 1..200_i64), 0..4);
    prop_oneof![
        8 => (0..LENGTH, counts, prop::bool::weighted(0.8), lump)
            .prop_map(|(minute, counts, measured, lump)| Step::Put(minute, counts, measured, lump)),
        3 => runs.prop_map(|runs| {
            Step::Exclude(runs.into_iter().map(|(from, length)| (from, from + length)).collect())
        }),
        3 => (0..90_i64).prop_map(Step::Advance),
        1 => Just(Step::Evict),
        1 => (0..LENGTH).prop_map(Step::Forget),
        1 => Just(Step::Restart),
    ]
}

/// An account over a disk, as an engine keeps it.
struct Kept {
    slo: Arc<Slo>,
    account: Account,
    disk: BTreeMap<i64, Hour>,
    all: BTreeMap<i64, Bucket>,
    runs: Vec<(i64, i64)>,
    first: Option<i64>,
    end: i64,
}

const BURNS: [i64; 2] = [30, 300];

impl Kept {
    fn new(kind: usize, has_week: bool) -> Self {
        let slo = slo(kind, has_week);
        let account = Account::new(slo.clone(), &BURNS.map(Span::minutes));
        let (disk, all) = (BTreeMap::new(), BTreeMap::new());
        let mut kept =
            Self { slo, account, disk, all, runs: Vec::new(), first: None, end: LENGTH - 600 };
        // Traffic all the time, with an outage, so that there is something to leave out.
        for minute in 0..LENGTH {
            let bad = if (700..760).contains(&minute) { 6 } else { minute % 2 };
            kept.put(minute, (10, bad), minute % 97 != 0, None);
        }
        kept.advance(0);
        kept
    }

    fn load(&mut self, hours: &[i64]) {
        for hour in hours {
            if let Some(minutes) =
                self.disk.get(hour).filter(|_| self.account.events().lacks(*hour))
            {
                self.account.load_minutes(*hour, minutes.clone());
            }
        }
    }

    fn put(
        &mut self,
        minute: i64,
        (good, bad): (i64, i64),
        measured: bool,
        lump: Option<(i64, i64)>,
    ) {
        let lump = lump.map(|(events, gap)| Lump {
            from: Minute(START + minute - gap),
            good: events.min(good),
            total: events.min(good + bad),
        });
        let bucket = Bucket { good, total: good + bad, measured, lump, ..Bucket::default() };
        let at = Minute(START + minute);
        self.load(&[at.hour()]);
        self.account.replace(at, &bucket);
        let place = usize::try_from(at.0.rem_euclid(60)).unwrap();
        self.disk.entry(at.hour()).or_default().set(place, &bucket);
        self.all.insert(minute, bucket);
        if !bucket.is_empty() {
            self.first = Some(self.first.map_or(minute, |first| first.min(minute)));
        }
    }

    fn exclude(&mut self) {
        let runs = self.runs.iter().map(|(from, to)| (Minute(START + from), Minute(START + to)));
        let minutes = Excluded::new(runs);
        let wants = self.account.exclude_wants(&minutes);
        self.load(&wants.iter().map(|want| want.0).collect::<Vec<_>>());
        self.account.exclude(&minutes);
        self.account.unload(&wants);
    }

    fn advance(&mut self, by: i64) {
        self.end += by;
        let end = Minute(START + self.end);
        let wants: Vec<i64> = self.account.wants(end).iter().map(|want| want.0).collect();
        self.load(&wants);
        self.account.advance(end);
    }

    /// A new account from what is on the disk, as a start makes it.
    fn restart(&mut self) {
        self.account = Account::new(self.slo.clone(), &BURNS.map(Span::minutes));
        let events = self.account.events_mut();
        for (hour, minutes) in &self.disk {
            events.load_fold(*hour, &minutes.sums(0, 60));
            if self.slo.budgeting.slice().is_some() {
                events.load_minutes(*hour, minutes.clone());
            }
        }
        events.set_first(Minute(START + self.first.unwrap()));
        let recent = Minute(START + self.end - RECENT).hour();
        self.load(&(recent..=Minute(START + LENGTH).hour()).collect::<Vec<_>>());
        self.exclude();
        self.advance(0);
    }

    fn view(&self) -> BudgetView {
        let now = Minute(START + self.end).start();
        let newest = Some(Minute(START + self.end - 1));
        self.account.view(Facts { now, data_until: Some(now), newest, ..Facts::default() })
    }

    /// Whether a minute is excluded, counted one by one.
    fn is_out(&self, minute: i64) -> bool {
        let one = |minute: i64| self.runs.iter().any(|(from, to)| (*from..*to).contains(&minute));
        match self.slo.indicator {
            Indicator::Raw(_) => {
                let start = (START + minute).div_euclid(10) * 10 - START;
                (start..start + 10).filter(|minute| one(*minute)).count() >= 5
            }
            _ => one(minute),
        }
    }

    /// Good and all events of a minute, and whether it is measured.
    fn counting(&self, minute: i64, with: bool) -> (i64, i64, bool) {
        let Some(bucket) = self.all.get(&minute) else { return (0, 0, false) };
        let lump = bucket.lump.unwrap_or(Lump { from: Minute(0), good: 0, total: 0 });
        let gap = || lump.from.0 - START + 1..=minute;
        let inside = || gap().filter(|minute| self.is_out(*minute)).count();
        let lump_goes = bucket.lump.is_some() && 2 * inside() >= gap().count();
        let (out, lump_goes) = (with && self.is_out(minute), with && lump_goes);
        let part = |all: i64, lump: i64| {
            (if out { 0 } else { all - lump }) + (if lump_goes { 0 } else { lump })
        };
        let (good, total) = (part(bucket.good, lump.good), part(bucket.total, lump.total));
        (good, total, bucket.measured && !out)
    }

    fn sums(&self, from: i64, to: i64, with: bool) -> (i64, i64, i64) {
        (from..to).map(|minute| self.counting(minute, with)).fold((0, 0, 0), |sums, one| {
            (sums.0 + one.0, sums.1 + one.1, sums.2 + i64::from(one.2))
        })
    }

    /// Bad and all slices (or parts of slices), and how many slices are excluded, of slices that end
    /// in `from..=to`.
    fn slices(&self, from: i64, (to, end): (i64, i64), with: bool) -> (f64, f64, i64) {
        let size = self.slo.budgeting.slice().unwrap().as_minutes();
        let start = |minute: i64| (START + minute).div_euclid(size) * size - START;
        let (mut bad, mut total, mut out) = (0.0, 0.0, 0);
        let mut at = start(from);
        while at + size <= end {
            let slice = (at, at + size);
            at += size;
            if slice.0 < from {
                continue;
            }
            if with && (slice.0..slice.1).all(|minute| self.is_out(minute)) {
                out += 1;
                continue;
            }
            if slice.1 > to || slice.0 < start(self.first.unwrap()) {
                continue;
            }
            let (lost, whole) = self.outcome(slice, with);
            (bad, total) = (bad + lost, total + whole);
        }
        (bad, total, out)
    }

    /// How much of a slice is bad, and whether it counts.
    fn outcome(&self, (from, to): (i64, i64), with: bool) -> (f64, f64) {
        let (good, all, measured) = self.sums(from, to, with);
        if measured == 0 && all == 0 {
            let is_bad = f64::from(self.slo.unmeasured == Unmeasured::Bad);
            return (is_bad, is_bad);
        }
        match self.slo.budgeting {
            Budgeting::RatioTimeslices { .. } if all == 0 => (0.0, 0.0),
            Budgeting::RatioTimeslices { .. } => ((all - good) as f64 / all as f64, 1.0),
            _ => (f64::from(10 * good < 8 * all), 1.0),
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let view = self.view();
        let windows = [(self.end - 720, self.end), (self.end - 180, self.end), (0, 7 * 1_440)];
        for (window, (from, end)) in view.windows.iter().zip(windows) {
            self.check_window(window, from, end)?;
        }
        for (burn, length) in view.burn.iter().zip(BURNS) {
            self.check_burn(burn.rate, length)?;
        }
        Ok(())
    }

    fn check_window(&self, window: &WindowView, from: i64, end: i64) -> Result<(), TestCaseError> {
        let known = |with| {
            let (_, total, measured) = self.sums(from, self.end, with);
            (total > 0 || measured > 0).then(|| self.numbers(from, end, with))
        };
        let (counting, all) = (known(true), known(false));
        let shown = (window.bad, window.total, window.allowed, window.spent);
        let expected =
            counting.map(|(bad, total, allowed)| (bad, total, allowed, spent(bad, allowed)));
        same("bad", shown.0, expected.map(|n| n.0))?;
        same("total", shown.1, expected.map(|n| n.1))?;
        same("allowed", shown.2, expected.map(|n| n.2))?;
        same("spent", shown.3, expected.map(|n| n.3))?;
        let out = |minute: &i64| self.is_out(*minute);
        let first = from.max(self.first.unwrap());
        let minutes = self.end - first - (first..self.end).filter(out).count() as i64;
        let measured = self.sums(from, self.end, true).2;
        let coverage = (minutes > 0).then(|| (measured as f64 / minutes as f64).min(1.0));
        same("coverage", window.coverage, coverage)?;
        let touched = (from..end).any(|minute| self.is_out(minute))
            || self.sums(from, self.end, true) != self.sums(from, self.end, false);
        prop_assert_eq!(window.without_exclusions.is_some(), touched);
        if let Some(without) = window.without_exclusions {
            same("without", without.spent, all.map(|(bad, _, allowed)| spent(bad, allowed)))?;
            same("left without", without.remaining, without.spent.map(|spent| 1.0 - spent))?;
        }
        Ok(())
    }

    /// Bad, all, allowed.
    fn numbers(&self, from: i64, end: i64, with: bool) -> (f64, f64, f64) {
        let Some(size) = self.slo.budgeting.slice().map(Span::as_minutes) else {
            let (good, total, _) = self.sums(from, self.end, with);
            return ((total - good) as f64, total as f64, total as f64 * 0.1);
        };
        let to = (START + self.end).div_euclid(size) * size - START;
        let rolls = end == self.end;
        let (from, end, length) =
            if rolls { (to - (end - from), to, end - from) } else { (from, end, end - from) };
        let (bad, total, out) = self.slices(from, (to, end), with);
        let ratio = matches!(self.slo.budgeting, Budgeting::RatioTimeslices { .. });
        let count = if ratio { total } else { (length / size - out) as f64 };
        (bad, total, count * 0.1)
    }

    fn check_burn(&self, rate: Option<f64>, length: i64) -> Result<(), TestCaseError> {
        let (from, end) = (self.end - length, self.end);
        let measured = self.sums(from, end, true).2;
        let out = (from..end).filter(|minute| self.is_out(*minute)).count() as i64;
        let gap = (from..end).filter_map(|minute| {
            let gap = minute + START - self.all.get(&minute)?.lump?.from.0;
            let inside = (minute - gap + 1..=minute).filter(|m| self.is_out(*m)).count() as i64;
            (2 * inside < gap).then_some(gap)
        });
        let young = self.first.unwrap() > from;
        let known = measured > 0
            && (young || 2 * measured >= length - out)
            && gap.max().unwrap_or(0) <= length;
        let (bad, total, _) = self.numbers(from, end, true);
        let expected = if total > 0.0 { bad / total / 0.1 } else { 0.0 };
        same("burn", rate, known.then_some(expected))
    }
}

fn spent(bad: f64, allowed: f64) -> f64 {
    match allowed {
        0.0 if bad > 0.0 => f64::INFINITY,
        0.0 => 0.0,
        _ => bad / allowed,
    }
}

fn same(what: &str, shown: Option<f64>, expected: Option<f64>) -> Result<(), TestCaseError> {
    let is_same = match (shown, expected) {
        (Some(a), Some(b)) => {
            a.to_bits() == b.to_bits() || (a - b).abs() <= 1e-6 * b.abs().max(1.0)
        }
        (a, b) => a.is_none() && b.is_none(),
    };
    prop_assert!(is_same, "{}: {:?} is shown, {:?} is right", what, shown, expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_number_is_that_of_a_recount_whatever_is_excluded_late_filled_in_or_restarted(
        kind in 0..KINDS.len(), has_week in any::<bool>(), steps in prop::collection::vec(step(), 1..25),
    ) {
        let mut kept = Kept::new(kind, has_week);
        for step in steps {
            match step {
                Step::Put(minute, counts, measured, lump) => kept.put(minute, counts, measured, lump),
                Step::Exclude(runs) => {
                    kept.runs = runs;
                    kept.exclude();
                }
                Step::Advance(by) => kept.advance(by),
                Step::Evict => kept.account.evict(Minute(START + kept.end - RECENT)),
                Step::Forget(to) => kept.account.forget_before(Minute(START + to).hour()),
                Step::Restart => kept.restart(),
            }
            // What changed is judged at the next step.
            kept.advance(0);
            kept.check()?;
        }
    }
}
