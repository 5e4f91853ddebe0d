//! One SLO and one source while the server runs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use slo_core::bucket::Bucket;
use slo_core::budget::Account;
use slo_core::counter::{Outcome, Weights};
use slo_core::ledger::Hour;
use slo_core::plan::{Feeds, LogCount, Role, Share};
use slo_core::sli::Member;
use slo_core::stretches::{ONGOING, Stretches};
use slo_core::subset::{Cuts, Subset};
use slo_core::time::Minute;
use slo_core::view::{Ask, Backfill, BudgetView};

use crate::evaluate::reading::{self, Reading};
use crate::source::config::{SourceConfig, SourceKind};
use crate::source::intake::Intake;
use crate::source::reader::{MetricSource, Trouble};
use crate::store::Registered;

/// One SLO.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) account: Account,
    pub(super) reading: Reading,
    /// Position of its source; `None` when it has none of its own.
    pub(super) source: Option<usize>,
    /// What identifies its events.
    pub(super) fingerprint: String,
    /// Where its counts are added up from, when its sides are apart.
    pub(super) shares: Vec<ShareOf>,
    /// What it is there for.
    pub(super) place: Place,
    /// What it is made of, when it is a composite.
    pub(super) members: Vec<MemberOf>,
    /// Why the source had nothing for it at the last read, although it answered.
    pub(super) fault: Option<String>,
    /// What the source could not read of it at the last read, where it can tell.
    pub(super) trouble: Option<Trouble>,
    /// By what its events are told apart.
    pub(super) apart: Option<Box<Apart>>,
    /// Its ledger in the database.
    pub(super) ledger: Registered,
    /// Hours that changed since the last commit.
    pub(super) dirty: BTreeSet<i64>,
    /// The past that is wanted, while some of it is missing.
    pub(super) backfill: Option<Wanted>,
    pub(super) view: Option<Arc<BudgetView>>,
}

/// By what the events of an SLO are told apart, and into what.
#[derive(Debug)]
pub(super) struct Apart {
    pub(super) cuts: Arc<Cuts>,
    /// The ledger whose stretches these are.
    pub(super) ledger: u32,
    pub(super) stretches: Stretches,
    /// Positions of the subsets that have been seen.
    pub(super) subsets: HashMap<Arc<Subset>, usize>,
}

/// What an account is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is an SLO that people see.
    Shown,
    /// It counts a share of one, in a ledger of its own.
    Share,
    /// It looks at one for a composite, in the ledger that is there.
    Member,
}

/// One member of a composite.
#[derive(Debug, Clone)]
pub(super) struct MemberOf {
    /// Position of the look at it.
    pub(super) at: usize,
    /// The member as it is written.
    pub(super) member: Member,
    /// Up to when it has data.
    pub(super) data_until: Option<DateTime<Utc>>,
}

/// One share of an SLO whose sides are apart.
#[derive(Debug, Clone)]
pub(super) struct ShareOf {
    /// Position of what counts it.
    pub(super) at: usize,
    /// What its events are of the SLO's.
    pub(super) role: Role,
    /// How many minutes later its events come.
    pub(super) delay: i64,
}

/// The past that an SLO wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) from: Minute,
    pub(super) until: Minute,
}

/// One source and the counting of its SLOs.
#[derive(Debug)]
pub(super) struct LiveSource {
    pub(super) config: SourceConfig,
    pub(super) source: Arc<dyn MetricSource>,
    pub(super) has_past: bool,
    /// Whether it shows samples much later than it takes them, as its answers say.
    pub(super) shows_late: bool,
    /// Once its series have been found.
    pub(super) intake: Option<Intake>,
    /// Positions of its SLOs, as in the intake.
    pub(super) slos: Vec<usize>,
    /// How far it has been read, Unix milliseconds.
    pub(super) read_to: Option<i64>,
    pub(super) error: Option<String>,
    /// Whether each SLO has its own part of the error.
    pub(super) tells_whom: bool,
    pub(super) pause_until: Option<DateTime<Utc>>,
    /// When series were forgotten last, Unix milliseconds.
    pub(super) pruned: Option<i64>,
    pub(super) looked_for_edges: Option<DateTime<Utc>>,
    /// Latency SLOs whose histograms the source refuses to look for, by position, and why.
    pub(super) unfound: BTreeMap<usize, String>,
    /// Whether it has been opened since the start.
    pub(super) was_opened: bool,
    /// Where reading must begin anew, because other series are to be read.
    pub(super) reopen_from: Option<Minute>,
}

impl LiveSource {
    pub(super) fn overlap(&self) -> i64 {
        let default = match self.config.kind {
            SourceKind::Elasticsearch => 120_000,
            SourceKind::Prometheus if self.shows_late => 60_000,
            SourceKind::Prometheus => 15_000,
            SourceKind::Scrape | SourceKind::Jsonlog => 0,
        };
        self.config.overlap.map_or(default, slo_core::time::Span::as_millis)
    }

    /// The oldest minute that is still open: reading resumes there after a restart.
    pub(super) fn watermark(&self) -> Option<Minute> {
        self.read_to.map(|read_to| Minute::of_millis(read_to - self.overlap()))
    }

    /// Whether it is time to read it.
    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        let paused = self.pause_until.is_some_and(|until| now < until);
        let waits = self.config.kind == SourceKind::Scrape
            && self.read_to.is_some_and(|last| {
                // Half a second of grace, so that ticks of the same length do not miss every other one.
                now.timestamp_millis() - last < self.config.scrape_interval.as_millis() - 500
            });
        !paused && !waits
    }
}

impl Live {
    /// Moves the account to its newest minute and makes its view.
    pub(super) fn look(&mut self, sources: &[LiveSource], asks: &[Ask], now: DateTime<Utc>) {
        let config = config_of(sources, self.source);
        let (backfill, before) = (self.progress(), self.view.take());
        let before = before.as_deref();
        let asked = reading::Asked { now, asks, backfill, before };
        let view = reading::view(&mut self.account, &self.reading, config, asked);
        self.view = Some(Arc::new(view));
    }

    /// Takes what a read changed. The hours must be in memory. Minutes from `opened` on are being read.
    pub(super) fn take(&mut self, outcome: &Outcome, opened: Minute) {
        for (minute, bucket) in &outcome.buckets {
            self.replace(*minute, bucket);
        }
        for (minute, more) in &outcome.more {
            let known = self.account.events().bucket(*minute).unwrap_or_default();
            self.replace(*minute, &known.plus(more));
        }
        let first = self.account.events().first().unwrap_or(Minute(i64::MAX));
        for mark in outcome.marks.iter().filter(|mark| mark.minute >= first) {
            // What could not be read of a silence is read later.
            if mark.minute < opened && !self.ledger.stretches.has(mark.minute) {
                continue;
            }
            self.account.mark(mark.minute, mark.measured, mark.partial);
            self.dirty.insert(mark.minute.hour());
        }
        self.reading.dip = outcome.dips.last().copied().or(self.reading.dip);
    }

    pub(super) fn replace(&mut self, minute: Minute, bucket: &Bucket) {
        self.account.replace(minute, bucket);
        self.dirty.insert(minute.hour());
    }

    /// Notes whether the last read had something for it: minutes from `from` on are not read while it
    /// has not, and will be.
    pub(super) fn note_fault(&mut self, fault: Option<String>, from: Minute) -> bool {
        let changed = fault.is_some() != self.fault.is_some();
        if changed && fault.is_some() {
            self.all_stretches().for_each(|stretches| stretches.end(from));
        } else if changed {
            self.cover(from, ONGOING);
        }
        self.fault = fault;
        changed
    }

    /// Says in the log that nothing is read of it, or that it is again.
    pub(super) fn tell_fault(&self) {
        let slo = &self.account.slo().id;
        match &self.fault {
            Some(fault) => tracing::warn!(%slo, fault, "an SLO cannot be read"),
            None => tracing::info!(%slo, "an SLO is read again"),
        }
    }

    /// Empties the open minutes that the last run left, from `mark` on: they have been read again,
    /// and until then they were the newest that was known.
    pub(super) fn reopen(&mut self, mark: Minute) {
        let events = self.account.events();
        let last = Minute(events.hours().end * 60);
        for minute in (mark.0..last.0).map(Minute) {
            if self.account.events().bucket(minute).is_some_and(|bucket| !bucket.is_empty()) {
                self.replace(minute, &Bucket::default());
            }
        }
    }

    /// Takes hours of the past, of minutes `from..until`; they are to be covered then.
    pub(super) fn fill(&mut self, hours: &[(i64, Hour)], from: Minute, until: Minute) {
        // Where only the events have not been told apart, the source may have forgotten some since.
        let unread = self.ledger.stretches.missing(from, until);
        for (hour, minutes) in hours {
            for at in 0..60 {
                let minute = Minute(hour * 60 + i64::try_from(at).unwrap_or(0));
                let bucket = minutes.get(at);
                if unread.iter().any(|(a, b)| *a <= minute && minute < *b) && !bucket.is_empty() {
                    self.account.replace(minute, &bucket);
                    self.dirty.insert(*hour);
                }
            }
        }
        self.account.judge_filled();
    }

    /// Notes that minutes `from..until` have been read.
    pub(super) fn cover(&mut self, from: Minute, until: Minute) {
        self.all_stretches().for_each(|stretches| stretches.cover(from, until));
    }

    /// What has been read of it, and where its events have been told apart.
    pub(super) fn all_stretches(&mut self) -> impl Iterator<Item = &mut Stretches> {
        let told_apart = self.apart.iter_mut().map(|apart| &mut apart.stretches);
        std::iter::once(&mut self.ledger.stretches).chain(told_apart)
    }

    /// What has been read of it in all ways that it is counted.
    fn read(&self) -> Cow<'_, Stretches> {
        match &self.apart {
            Some(apart) => Cow::Owned(self.ledger.stretches.and(&apart.stretches)),
            None => Cow::Borrowed(&self.ledger.stretches),
        }
    }

    /// The stretches of `from..until` that have not been read, newest first.
    pub(super) fn missing(&self, from: Minute, until: Minute) -> Vec<(Minute, Minute)> {
        self.read().missing(from, until)
    }

    /// How far the reading of the wanted past is; `None` when it is complete.
    pub(super) fn progress(&self) -> Option<Backfill> {
        let wanted = self.backfill?;
        let missing = self.missing(wanted.from, wanted.until);
        let left: i64 = missing.iter().map(|(a, b)| *b - *a).sum();
        let whole = (wanted.until - wanted.from).max(1);
        (left > 0).then(|| Backfill {
            from: wanted.from.start(),
            until: wanted.until.start(),
            share: 1.0 - left as f64 / whole as f64,
        })
    }
}

/// The configuration of a source, or that of none.
pub(super) fn config_of(sources: &[LiveSource], at: Option<usize>) -> &SourceConfig {
    static NONE: LazyLock<SourceConfig> = LazyLock::new(SourceConfig::default);
    at.map_or(&NONE, |at| &sources[at].config)
}

/// What identifies the events of an SLO: another query is another ledger.
#[must_use]
pub(super) fn fingerprint(source: &str, feeds: &Feeds) -> String {
    let list = |all: &[slo_core::selector::Selector]| {
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
    };
    let text = match feeds {
        Feeds::Ratio { totals, parts, part_is, .. } => {
            format!("ratio {} {part_is:?} {}", list(totals), list(parts))
        }
        Feeds::Latency { histogram, under, .. } => format!("latency {histogram} {under}"),
        Feeds::Gauge { selector, good } => format!("gauge {selector} {good:?}"),
        Feeds::Raw { expression, share_of, size } => {
            format!("raw {share_of:?} {size} {expression}")
        }
        Feeds::Logs(counts) => {
            let text = |count: &LogCount| {
                let Weights { total, good, .. } = count.weights;
                format!("{total} {good} {:?} {}", count.heartbeat, count.text())
            };
            format!("logs {}", counts.iter().map(text).collect::<Vec<_>>().join("\n"))
        }
    };
    digest(&format!("{source}\n{text}"))
}

/// What identifies the events of an SLO; where its sides are apart, of all of them together.
#[must_use]
pub(super) fn identity(shares: &[Share]) -> String {
    if let [only] = shares
        && only.is_plain()
    {
        return fingerprint(&only.source, &only.feeds);
    }
    let text = |share: &Share| {
        let of = fingerprint(&share.source, &share.feeds);
        format!("{of} {:?} {}", share.role, share.delay)
    };
    digest(&shares.iter().map(text).collect::<Vec<_>>().join("\n"))
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use slo_core::counter::Mark;

    use super::*;

    fn live(stretches: &[(i64, i64)]) -> Live {
        let text = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\nslos:\n  - name: x\n    objective: 99%\n    indicator: {ratio: {total: t_total, bad: '{c=\"1\"}'}}\n";
        let set = slo_core::spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
        Live {
            account: Account::new(set.services[0].slos[0].clone(), &[]),
            reading: Reading::default(),
            source: None,
            fingerprint: String::new(),
            shares: Vec::new(),
            place: Place::Shown,
            members: Vec::new(),
            fault: None,
            trouble: None,
            apart: None,
            ledger: Registered {
                id: 1,
                first: None,
                stretches: stretches
                    .iter()
                    .map(|(a, b)| (Minute(*a), Minute(*b)))
                    .collect::<Vec<_>>()
                    .into(),
                replaces: false,
            },
            dirty: BTreeSet::new(),
            backfill: None,
            view: None,
        }
    }

    #[test]
    fn open_minutes_stay_until_they_have_been_read_again() {
        let mut live = live(&[]);
        let bucket = Bucket { good: 3, total: 4, measured: true, ..Bucket::default() };
        for minute in [58, 59, 60, 61].map(Minute) {
            live.account.replace(minute, &bucket);
        }
        live.reopen(Minute(59));
        let total = |at| live.account.events().bucket(Minute(at)).unwrap().total;
        assert_eq!([58, 59, 60, 61].map(total), [4, 0, 0, 0]);
        assert_eq!(live.dirty.iter().copied().collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn a_silence_is_measured_as_far_as_it_was_read() {
        // A query was refused from minute 20 on, and answers again at 40.
        let mut live = live(&[(0, 20)]);
        let known = Bucket { good: 1, total: 1, measured: true, ..Bucket::default() };
        live.account.replace(Minute(0), &known);
        live.fault = Some("refused".to_owned());
        let mark = |minute| Mark { minute: Minute(minute), measured: true, partial: false };
        let outcome = Outcome { marks: (10..45).map(mark).collect(), ..Outcome::default() };
        live.take(&outcome, Minute(40));
        let measured = |at: &i64| live.account.events().bucket(Minute(*at)).unwrap().measured;
        let measured: Vec<i64> = (1..50).filter(measured).collect();
        assert_eq!(measured, (10..20).chain(40..45).collect::<Vec<_>>());
    }
}
