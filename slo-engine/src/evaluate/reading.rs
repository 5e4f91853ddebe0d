//! What is known about one SLO besides its counts, and the view that follows.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use slo_core::bucket::Sums;
use slo_core::budget::{Account, Facts, end_of};
use slo_core::calendar;
use slo_core::counter::Rules;
use slo_core::plan::{Feeds, Share};
use slo_core::sli::Part;
use slo_core::slo::{Slo, Window};
use slo_core::time::{Minute, Span};
use slo_core::view::{Ask, Backfill, BudgetView, Finding, SourceView};

use super::exclusion::Acting;
use super::recount::Recount;
use crate::source::config::SourceConfig;
use crate::source::intake::Oddity;

/// How an SLO was read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The source's name.
    pub source: Arc<str>,
    /// What the total and the other side are counted from.
    pub queries: [Arc<[String]>; 2],
    /// How far the source was read.
    pub read_to: Option<DateTime<Utc>>,
    /// The newest sample of the total, Unix milliseconds.
    pub newest: Option<i64>,
    /// Why the last read failed.
    pub last_error: Option<String>,
    /// What is odd about its series.
    pub oddity: Option<Oddity>,
    /// The buckets around a latency threshold: boundaries below and above, when it lies between.
    pub between: Option<(Option<f64>, Option<f64>)>,
    /// When a counter fell a little and was held, and by how much.
    pub dip: Option<(Minute, i64)>,
    /// The exclusions that act on it.
    pub exclusions: Vec<Arc<Acting>>,
    /// Whether it was counted in another way before.
    pub replaces: bool,
    /// What a recount found that contradicts the ledger.
    pub recount: Option<Box<Recount>>,
    /// Where its windows end, when a composite says so.
    pub ends: Option<DateTime<Utc>>,
    /// Where several sources were read for it.
    pub together: Option<Box<Together>>,
}

/// What several sources gave for one SLO.
#[derive(Debug, Clone)]
pub struct Together {
    /// Each of them, by side.
    pub sources: Vec<SourceView>,
    /// The age beyond which the slowest of them is stale.
    pub stale_after: Span,
    /// How far the reading of the past is.
    pub backfill: Option<Backfill>,
    /// What nothing was ever seen of, as `query in source`.
    pub silent: Vec<String>,
}

impl Reading {
    /// Notes what the SLO is counted from.
    pub fn reads(&mut self, feeds: &Feeds) {
        let (total, other) = feeds.expressions();
        self.queries = [total.into(), other.into()];
    }

    /// Notes that there is no source to count it from, and why.
    pub fn lacks(&mut self, share: &Share, reason: String) {
        self.source = share.source.as_str().into();
        self.reads(&share.feeds);
        self.last_error = Some(reason);
    }

    /// Notes the boundaries that a native histogram was seen to have around the threshold.
    pub fn saw(&mut self, around: Option<(f64, f64)>) {
        self.between = around.map(|(lower, upper)| (Some(lower), Some(upper))).or(self.between);
    }
}

/// The rules of counting for an SLO of a source.
#[must_use]
pub fn rules(slo: &Slo, source: &SourceConfig) -> Rules {
    let two_scrapes = Span::millis(2 * source.scrape_interval.as_millis());
    // A raw ratio is read once a slice.
    let raw = match (&slo.indicator, slo.budgeting.slice()) {
        (slo_core::sli::Indicator::Raw(_), Some(slice)) => Span::millis(2 * slice.as_millis()),
        _ => Span::millis(0),
    };
    let look_back = slo.look_back.unwrap_or(Span::minutes(5)).max(two_scrapes).max(raw);
    Rules { look_back, max_gap: slo.max_gap }
}

/// The age beyond which an SLO is stale: its own limit, or lag + max(5 min, 5 scrapes).
#[must_use]
pub fn stale_after(slo: &Slo, source: &SourceConfig) -> Span {
    let scrapes = Span::millis(5 * source.scrape_interval.as_millis()).max(Span::minutes(5));
    let scrapes = scrapes.max(rules(slo, source).look_back);
    slo.stale_after.unwrap_or(Span::millis(source.lag().as_millis() + scrapes.as_millis()))
}

/// The newest instant that the SLO has been read to, or that a composite lets it end at. While the newest sample is no older than the
/// look-back, the minutes since can still become measured; beyond it the data ended there.
#[must_use]
pub fn data_until(reading: &Reading, rules: Rules) -> Option<DateTime<Utc>> {
    if reading.ends.is_some() {
        return reading.ends;
    }
    let newest = DateTime::from_timestamp_millis(reading.newest?)?;
    let read_to = reading.read_to?;
    let alive = read_to - newest <= TimeDelta::milliseconds(rules.look_back.as_millis());
    Some(if alive { read_to } else { newest.min(read_to) })
}

/// The first minute after what an SLO's windows cover.
#[must_use]
pub fn end(slo: &Slo, reading: &Reading, source: &SourceConfig, now: DateTime<Utc>) -> Minute {
    end_of(data_until(reading, rules(slo, source)).unwrap_or(now))
}

/// What a view is made for.
#[derive(Debug, Clone, Default)]
pub struct Asked<'a> {
    /// The instant.
    pub now: DateTime<Utc>,
    /// What policies ask about the future.
    pub asks: &'a [Ask],
    /// How far the reading of the past is.
    pub backfill: Option<Backfill>,
    /// The view before.
    pub before: Option<&'a BudgetView>,
}

/// Moves the account to the newest data and makes its view.
pub fn view(
    account: &mut Account,
    reading: &Reading,
    source: &SourceConfig,
    asked: Asked<'_>,
) -> BudgetView {
    account.advance(end(account.slo(), reading, source, asked.now));
    account.view(facts(account, reading, source, asked))
}

/// What is known besides the counts of an account that was moved.
#[must_use]
pub fn facts<'a>(
    account: &Account,
    reading: &Reading,
    source: &SourceConfig,
    asked: Asked<'a>,
) -> Facts<'a> {
    let findings = findings(account, reading);
    Facts { findings, ..read(account.slo(), reading, source, asked) }
}

/// The same as far as it does not come from the counts: of all groups of an SLO it is one.
#[must_use]
pub fn read<'a>(
    slo: &Slo,
    reading: &Reading,
    source: &SourceConfig,
    Asked { now, asks, backfill, before }: Asked<'a>,
) -> Facts<'a> {
    let data_until = data_until(reading, rules(slo, source));
    let together = reading.together.as_deref();
    let stale = together.map(|t| slo.stale_after.unwrap_or(t.stale_after));
    let stale = stale.unwrap_or_else(|| stale_after(slo, source));
    let oddity = reading.oddity.as_ref();
    Facts {
        now,
        data_until,
        newest: reading.newest.map(Minute::of_millis),
        stale_after: Some(stale),
        faulty: oddity.is_some_and(Oddity::is_fault),
        sources: sources(slo, reading, data_until),
        findings: Vec::new(),
        backfill: backfill.or_else(|| together.and_then(|t| t.backfill.clone())),
        asks,
        before,
    }
}

fn sources(slo: &Slo, reading: &Reading, data_until: Option<DateTime<Utc>>) -> Arc<[SourceView]> {
    let [total, other] = &reading.queries;
    let side = |side: &'static str, queries: &Arc<[String]>| SourceView {
        name: reading.source.clone(),
        side: side.into(),
        queries: queries.clone(),
        data_until,
        last_error: reading.last_error.clone(),
    };
    let part = if slo.indicator.part() == Part::Bad { "bad" } else { "good" };
    if let Some(together) = &reading.together {
        together.sources.as_slice().into()
    } else if reading.source.is_empty() && reading.last_error.is_none() {
        Arc::default()
    } else {
        [side("total", total), side(part, other)].into()
    }
}

fn finding(code: &str, message: String, numbers: &[(&str, f64)]) -> Finding {
    let numbers = numbers.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    Finding { code: code.to_owned(), message, since: None, numbers }
}

/// What a person should know about the counts of an account, and how they came.
#[must_use]
pub fn findings(account: &Account, reading: &Reading) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(reading.oddity.as_ref().map(odd));
    if let Some((lower, upper)) = reading.between {
        let text = |b: Option<f64>| b.map_or_else(|| "none".to_owned(), |b| b.to_string());
        let message = format!(
            "the threshold lies between two histogram buckets: the nearest boundaries are {} below and {} above; \
             events up to the lower one count as good",
            text(lower),
            text(upper)
        );
        let numbers = [("lower", lower), ("upper", upper)];
        let known: Vec<(&str, f64)> = numbers
            .into_iter()
            .filter_map(|(n, b)| b.filter(|b| b.is_finite()).map(|b| (n, b)))
            .collect();
        found.push(finding("betweenBuckets", message, &known));
    }
    if let Some((minute, by)) = reading.dip {
        let message =
            format!("a counter fell by {by}, less than 5 %, and was held until it caught up");
        found.push(Finding {
            since: Some(minute.start()),
            ..finding("dip", message, &[("by", by as f64)])
        });
    }
    found.extend(unseen(reading));
    let silent = reading.together.iter().flat_map(|together| &together.silent);
    found.extend(silent.map(|side| silent_side(side)));
    found.extend(changed(account, reading));
    found.extend(reading.recount.as_deref().map(recounted));
    found.extend(faults(account));
    found.extend(excluded(account, reading));
    found
}

/// Nothing can be told of what was never seen.
fn unseen(reading: &Reading) -> Option<Finding> {
    let is_read = reading.read_to.is_some() && reading.last_error.is_none();
    if !is_read || reading.newest.is_some() || reading.together.is_some() {
        return None;
    }
    let what = reading.queries[0].join(", ");
    let message = format!(
        "nothing was ever seen of {what}: nothing matches it, or what does has no value; `slo-engine explain` shows what is asked"
    );
    reading.oddity.is_none().then(|| finding("noSamples", message, &[]))
}

/// Of two sides that are apart neither tells whether the other is idle or dead.
fn silent_side(side: &str) -> Finding {
    let message = format!(
        "nothing was ever seen of {side}, so nothing is known of the SLO: a counter should be there, at 0, before its first event"
    );
    finding("sideWithoutData", message, &[])
}

fn recounted(recount: &Recount) -> Finding {
    let Recount { ledger, source, .. } = recount;
    let message = format!(
        "counted anew, the source gives {} bad of {} events where the ledger has {} of {}",
        source.bad, source.total, ledger.bad, ledger.total
    );
    let numbers = [
        ("ledgerBad", ledger.bad as f64),
        ("ledgerTotal", ledger.total as f64),
        ("sourceBad", source.bad as f64),
        ("sourceTotal", source.total as f64),
    ];
    Finding { since: recount.from, ..finding("recountDiffers", message, &numbers) }
}

/// What was counted by another query is no part of the numbers.
fn changed(account: &Account, reading: &Reading) -> Option<Finding> {
    let window = account.events().slides().next().filter(|_| reading.replaces)?;
    let first = account.first();
    if first.is_some_and(|first| first <= window.from) {
        return None;
    }
    let since = first.map(Minute::start);
    let message =
        "its query or source was another before, and what that counted is no part of these \
        numbers; the past is read anew as far as the source still has it"
            .to_owned();
    Some(Finding { since, ..finding("queryChanged", message, &[]) })
}

/// What is left out of the first window, and why; nothing where nothing was counted anyway.
fn excluded(account: &Account, reading: &Reading) -> Option<Finding> {
    let slide = account.events().slides().next()?;
    if slide.sums == Sums::default() {
        return None;
    }
    let minutes = account.excluded_between(slide.from, slide.to);
    if minutes == 0 {
        return None;
    }
    let acting = reading.exclusions.iter().filter(|one| one.count(slide.from, slide.to) > 0);
    let names: Vec<String> = acting.map(ToString::to_string).collect();
    let named = match names.get(NAMED..).filter(|rest| !rest.is_empty()) {
        Some(rest) => format!("{} and {} more", names[..NAMED].join(", "), rest.len()),
        None => names.join(", "),
    };
    let window = account.slo().windows.first()?;
    let message = format!("{minutes} minutes of the {window} window are excluded: {named}");
    let numbers = [("minutes", minutes as f64), ("exclusions", names.len() as f64)];
    Some(finding("excluded", message, &numbers))
}

/// So many exclusions are named in a sentence.
const NAMED: usize = 3;

/// Faults in the counts themselves.
fn faults(account: &Account) -> Option<Finding> {
    account.events().slides().next()?;
    let sums = account.event_sums(0);
    if sums.invalid > 0 {
        let minutes = sums.invalid as f64;
        let message = format!(
            "{minutes} minutes of the window hold a value that is no count (not a whole number from 0 to 2^53)"
        );
        return Some(finding("noCount", message, &[("minutes", minutes)]));
    }
    let (good, total) = (sums.good, sums.total);
    if good > total || good < 0 {
        let message = format!("good and total contradict each other: {good} good of {total}");
        let numbers = [("good", good as f64), ("total", total as f64)];
        return Some(finding("goodExceedsTotal", message, &numbers));
    }
    None
}

fn odd(oddity: &Oddity) -> Finding {
    match oddity {
        Oddity::MissingLabels { missing, existing } => finding(
            "missingLabel",
            format!(
                "no series of the total has the label {}; the labels are {}",
                missing.join(", "),
                existing.join(", ")
            ),
            &[],
        ),
        Oddity::NeverMatched => finding(
            "neverMatched",
            "no series has matched the refinement in the whole window: no such event, or a mistake in its matchers"
                .to_owned(),
            &[],
        ),
        Oddity::SeveralSeries(count) => finding(
            "severalSeries",
            format!("the expression gives {count} series, and a ratio is one number; aggregate it"),
            &[("series", *count as f64)],
        ),
        Oddity::Recorded(name) => finding(
            "recordedSeries",
            format!(
                "the selector matches {name}, which a recording rule made: sums of counters fall when a pod leaves; \
                 name the counters themselves"
            ),
            &[],
        ),
        Oddity::NotANumber => finding(
            "notANumber",
            "the newest samples of the gauge are NaN, which tells nothing: they are no samples".to_owned(),
            &[],
        ),
        Oddity::NativeHistogram => finding(
            "nativeHistogram",
            "the series are native histograms, which are no counters: use an indicator of kind `latency`".to_owned(),
            &[],
        ),
    }
}

/// The boundaries around a threshold that is no boundary.
#[must_use]
pub fn between(feeds: &Feeds) -> Option<(Option<f64>, Option<f64>)> {
    match feeds {
        Feeds::Latency { edges: Some(edges), .. } if edges.has_classic() && !edges.is_exact() => {
            Some((edges.lower, edges.upper))
        }
        _ => None,
    }
}

/// The first minute that the views need: the longest window, for calendar ones also the period
/// before, and the seven days that a forecast repeats.
#[must_use]
pub fn history_start(slo: &Slo, end: Minute, burns: &[Span]) -> Minute {
    let windows = slo.windows.iter().map(|window| {
        let placed = calendar::place(*window, end);
        match window {
            Window::Rolling(_) => placed.from,
            Window::Calendar { .. } => placed.from - calendar::longest(*window),
        }
    });
    let pairs = slo.alerts.iter().map(|pair| pair.long);
    let burns = burns.iter().copied().chain(pairs).map(|span| end - span.as_minutes());
    windows.chain(burns).min().unwrap_or(end).min(end - 7 * 1_440)
}
