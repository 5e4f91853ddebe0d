//! Budgets at an instant straight from the sources: no database, no server.

use std::sync::Arc;

use budget_gate::exclusion::Exclusion;
use chrono::{DateTime, Utc};
use slo_core::budget::{Account, end_of};
use slo_core::composite::{self, Known, as_member};
use slo_core::counter::{Outcome, Rules};
use slo_core::plan::{Feeds, Role, Share, shares};
use slo_core::sli::{Indicator, Member};
use slo_core::slo::{Service, Slo, SloId};
use slo_core::time::{Minute, Span};
use slo_core::view::{Ask, BudgetView};

use crate::evaluate::exclusion::{Acting, InForce, reach};
use crate::evaluate::mix::{self, Counted};
use crate::evaluate::reading::{self, Reading};
use crate::source::agreement::Now;
use crate::source::config::{SourceConfig, SourceKind, defaults, source_of};
#[cfg(feature = "elastic")]
use crate::source::elastic::Elastic;
use crate::source::error::SourceError;
use crate::source::intake::{Fed, Feeding, Intake};
use crate::source::prometheus::Prometheus;
use crate::source::prometheus::history::{self, Stretch};

#[cfg(feature = "elastic")]
mod documents;
mod groups;
mod lines;

pub use groups::groups;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The sources.
    pub sources: &'a [SourceConfig],
    /// The SLOs.
    pub slos: Vec<Arc<Slo>>,
    /// All that is declared: members of composites are found there.
    pub services: &'a [Arc<Service>],
    /// The instant.
    pub at: DateTime<Utc>,
    /// Burn windows that policies need.
    pub burns: &'a [Span],
    /// What policies ask about the future.
    pub asks: &'a [Ask],
    /// What is excluded.
    pub exclusions: &'a [Exclusion],
    /// What the time is, where the sources' clocks must agree.
    pub now: Option<Now>,
}

/// One SLO while it is read.
#[derive(Debug)]
pub struct One {
    /// Its history and windows.
    pub account: Account,
    /// How it was read.
    pub reading: Reading,
    /// What feeds it, when one source does.
    pub feeds: Option<Arc<Feeds>>,
    /// What it is added up from, when its sides are apart.
    pub shares: Vec<OneShare>,
    /// What it is made of, when it is a composite.
    pub members: Vec<OneMember>,
    /// The queries that were sent for it.
    pub queries: Vec<String>,
    /// The series that fed it.
    pub series: Vec<Feeding>,
    /// Where they were read.
    pub source: SourceConfig,
    /// The first minute that was counted.
    pub from: Option<Minute>,
    groups: groups::Groups,
}

/// One member of a composite.
#[derive(Debug)]
pub struct OneMember {
    /// The member as it is written.
    pub member: Member,
    /// The member, over the composite's windows.
    pub one: One,
}

/// One share of an SLO whose sides are apart.
#[derive(Debug)]
pub struct OneShare {
    /// What its events are of the SLO's.
    pub role: Role,
    /// How many minutes later its events come.
    pub delay: i64,
    /// The share, read as an SLO of its own.
    pub one: One,
}

impl Question<'_> {
    fn slo(&self, id: &SloId) -> Option<&Arc<Slo>> {
        self.services.iter().flat_map(|service| &service.slos).find(|slo| slo.id == *id)
    }
}

impl One {
    fn is_read_by(&mut self, source: &SourceConfig, share: &Share) {
        self.reading.source = source.name.as_str().into();
        self.reading.reads(&share.feeds);
        self.source = source.clone();
        self.feeds = Some(Arc::new(share.feeds.clone()));
    }

    /// All that is read for it.
    fn parts(&mut self) -> Vec<&mut Self> {
        if self.shares.is_empty() && self.members.is_empty() {
            return vec![self];
        }
        let shares = self.shares.iter_mut().map(|share| &mut share.one);
        let members = self.members.iter_mut().map(|member| &mut member.one);
        shares.chain(members).flat_map(Self::parts).collect()
    }

    /// Adds up what was read.
    fn settle(&mut self) {
        self.members.iter_mut().for_each(|member| member.one.settle());
        if !self.shares.is_empty() {
            self.add_up();
        }
    }

    /// Up to when it, or one of its members, has data.
    fn data_until(&self) -> Option<DateTime<Utc>> {
        if !self.members.is_empty() {
            return composite::end(self.members.iter().map(|member| member.one.data_until()));
        }
        match &self.reading.together {
            Some(_) => self.reading.read_to,
            None => {
                let rules = reading::rules(self.account.slo(), &self.source);
                reading::data_until(&self.reading, rules)
            }
        }
    }

    /// Without what is excluded for it, or for a composite that it is looked at for.
    fn view(
        &mut self,
        question: &Question<'_>,
        exclusions: &[Arc<Acting>],
        of_composite: &[Arc<Acting>],
    ) -> BudgetView {
        let mut acting = Acting::on(exclusions, &self.account.slo().id);
        Acting::join(&mut acting, of_composite);
        if self.members.is_empty() {
            self.reading.exclusions = acting;
            self.account.exclude(&Acting::minutes(&self.reading.exclusions));
            let (account, at, asks) = (&mut self.account, question.at, question.asks);
            let asked = reading::Asked { now: at, asks, ..reading::Asked::default() };
            return reading::view(account, &self.reading, &self.source, asked);
        }
        let until: Vec<_> = self.members.iter().map(|member| member.one.data_until()).collect();
        let end = composite::end(until.iter().copied());
        let views: Vec<BudgetView> = self
            .members
            .iter_mut()
            .map(|member| {
                member.one.reading.ends = end;
                member.one.view(question, exclusions, &acting)
            })
            .collect();
        let known = self.members.iter().zip(&views).zip(until);
        let known: Vec<Known<'_>> = known
            .map(|((OneMember { member, .. }, view), data_until)| Known {
                member,
                view,
                data_until,
            })
            .collect();
        composite::view(self.account.slo(), question.at, &known, question.asks, None)
    }

    /// Adds up what its shares have counted.
    fn add_up(&mut self) {
        let counted: Vec<Counted<'_>> = self.shares.iter().map(OneShare::counted).collect();
        let known = mix::known(self.account.slo(), &counted);
        let hours = known.as_ref().map_or(0..0, |known| mix::hours(&counted, known.start));
        for minute in (hours.start * 60..hours.end * 60).map(Minute) {
            if let Some(bucket) = mix::bucket(&counted, known.as_ref(), minute) {
                self.account.replace(minute, &bucket);
            }
        }
        if let Some(known) = known {
            self.account.events_mut().set_first(known.start);
        }
        self.reading = mix::read(self.account.slo(), &counted);
        self.add_up_groups();
        self.queries = self.shares.iter().flat_map(|share| share.one.queries.clone()).collect();
        self.from = self.shares.iter().filter_map(|share| share.one.from).max();
    }

    fn start(&self, end: Minute, burns: &[Span]) -> Minute {
        reading::history_start(self.account.slo(), end, burns)
    }

    fn end(&self, question: &Question<'_>) -> Minute {
        reading::end(self.account.slo(), &self.reading, &self.source, question.at)
    }

    fn forget(&mut self, burns: &[Span]) {
        self.account = Account::new(self.account.slo().clone(), burns);
        self.groups.clear();
        (self.reading.read_to, self.reading.newest) = (None, None);
    }

    fn was_read(&mut self, intake: &Intake, place: usize, stretch: Stretch) {
        self.series = intake.feeding(place);
        self.reading.read_to = DateTime::from_timestamp_millis(stretch.to);
        self.reading.newest = intake.newest(place);
        self.reading.oddity = intake.oddity(place);
        self.reading.saw(intake.around(place));
        self.queries = intake.queries_of(place);
        if let Some(feeds) = &self.feeds {
            self.reading.reads(feeds);
        }
    }

    fn take(&mut self, outcome: &Outcome) {
        for (minute, bucket) in &outcome.buckets {
            self.account.replace(*minute, bucket);
        }
        for mark in
            outcome.marks.iter().filter(|mark| self.from.is_some_and(|from| mark.minute >= from))
        {
            self.account.mark(mark.minute, mark.measured, mark.partial);
        }
        outcome.subsets.iter().for_each(|of| self.take_subset(of));
        self.reading.dip = outcome.dips.last().copied().or(self.reading.dip);
    }
}

impl OneShare {
    fn counted(&self) -> Counted<'_> {
        Counted {
            role: self.role,
            delay: self.delay,
            events: self.one.account.events(),
            reading: &self.one.reading,
            source: Some(&self.one.source),
            backfill: None,
            catches_up: mix::catches_up(self.one.feeds.as_deref()),
        }
    }
}

/// Reads everything that the views at `at` need. A source that fails leaves its SLOs without data
/// and with the reason in `sources[].lastError`.
pub async fn read(question: &Question<'_>, progress: &(dyn Fn(f64) + Sync)) -> Vec<One> {
    let mut all: Vec<One> = question.slos.iter().map(|slo| open(question, slo)).collect();
    let mut parts: Vec<&mut One> = all.iter_mut().flat_map(One::parts).collect();
    for config in question.sources {
        let mine: Vec<usize> = (0..parts.len())
            .filter(|at| parts[*at].feeds.is_some() && parts[*at].source.name == config.name)
            .collect();
        if mine.is_empty() {
            continue;
        }
        if let Err(reason) = read_source(question, config, &mut parts, &mine, progress).await {
            for at in mine {
                // Whatever was counted before the failure is no answer.
                parts[at].forget(question.burns);
                parts[at].reading.last_error = Some(reason.clone());
            }
        }
    }
    all.iter_mut().for_each(One::settle);
    all
}

/// The views at the question's instant.
pub fn views(question: &Question<'_>, all: &mut [One]) -> Vec<BudgetView> {
    let in_force: Vec<InForce> = question.exclusions.iter().map(InForce::declared).collect();
    let acting = Acting::between(&in_force, reach(&question.slos, question.at));
    all.iter_mut().map(|one| one.view(question, &acting, &[])).collect()
}

fn empty(question: &Question<'_>, slo: &Arc<Slo>) -> One {
    One {
        account: Account::new(slo.clone(), question.burns),
        reading: Reading::default(),
        feeds: None,
        shares: Vec::new(),
        members: Vec::new(),
        queries: Vec::new(),
        series: Vec::new(),
        from: None,
        groups: groups::Groups::new(),
        source: SourceConfig::default(),
    }
}

fn open(question: &Question<'_>, slo: &Arc<Slo>) -> One {
    let mut one = empty(question, slo);
    if let Indicator::Composite(members) = &slo.indicator {
        let member = |member: &Member| {
            let found = question.slo(&member.slo.id(&slo.id.environment))?;
            let one = open(question, &Arc::new(as_member(slo, found)));
            Some(OneMember { member: member.clone(), one })
        };
        one.members = members.iter().filter_map(member).collect();
        return one;
    }
    let shares = shares(slo, defaults(question.sources));
    let source = |share| source_of(question.sources, share).map_err(|reason| (share, reason));
    let found: Result<Vec<_>, _> = shares.iter().map(source).collect();
    match (found, &shares[..]) {
        (Err((share, reason)), _) => one.reading.lacks(share, reason),
        (Ok(found), [only]) if only.is_plain() => one.is_read_by(found[0], only),
        (Ok(found), _) => {
            for (source, share) in found.into_iter().zip(&shares) {
                let mut apart = empty(question, slo);
                apart.is_read_by(source, share);
                let (role, delay) = (share.role, share.delay.as_minutes());
                one.shares.push(OneShare { role, delay, one: apart });
            }
        }
    }
    one
}

async fn read_source(
    question: &Question<'_>,
    config: &SourceConfig,
    all: &mut [&mut One],
    mine: &[usize],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<(), String> {
    #[cfg(feature = "elastic")]
    if config.kind == SourceKind::Elasticsearch {
        let source = Elastic::new(config).map_err(|e| e.to_string())?;
        let read = documents::read(question, &source, all, mine, progress).await;
        return read.map_err(|e| e.to_string());
    }
    if config.kind == SourceKind::Jsonlog {
        return lines::read(question, config, all, mine).await;
    }
    if config.kind != SourceKind::Prometheus {
        return Err(format!(
            "source `{}` has no past to ask; run the server and ask it",
            config.name
        ));
    }
    let source = Prometheus::new(config).map_err(|e| e.to_string())?;
    let read = read_windows(question, &source, all, mine, progress).await;
    read.map_err(|e| e.to_string())
}

async fn read_windows(
    question: &Question<'_>,
    source: &Prometheus,
    all: &mut [&mut One],
    mine: &[usize],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<(), SourceError> {
    let to = question.at.timestamp_millis() - source.config().lag().as_millis();
    let end = end_of(DateTime::from_timestamp_millis(to).unwrap_or(question.at));
    let mut waiting = mine.to_vec();
    let mut from = mine.iter().map(|at| all[*at].start(end, question.burns)).min().unwrap_or(end);
    for at in mine {
        let one = &mut all[*at];
        let Some(feeds) = &mut one.feeds else { continue };
        match source.find_edges(Arc::make_mut(feeds), from.start_millis(), to).await {
            Err(error) if error.is_of_query() && mine.len() > 1 => {
                one.reading.last_error = Some(error.to_string());
                waiting.retain(|one| one != at);
            }
            found => found?,
        }
        one.reading.between = reading::between(feeds);
    }
    while !waiting.is_empty() {
        read_stretch(
            source,
            all,
            &waiting,
            (Stretch { from, to, now: question.now }, question.burns),
            progress,
        )
        .await?;
        // Where the data ended before `to`, the windows end and so begin earlier.
        let begin = |at: usize| all[at].start(all[at].end(question), question.burns);
        waiting.retain(|at| begin(*at) < from);
        from = waiting.iter().map(|at| begin(*at)).min().unwrap_or(from);
        for at in &waiting {
            all[*at].forget(question.burns);
        }
    }
    Ok(())
}

async fn read_stretch(
    source: &Prometheus,
    all: &mut [&mut One],
    mine: &[usize],
    (stretch, burns): (Stretch, &[Span]),
    progress: &(dyn Fn(f64) + Sync),
) -> Result<(), SourceError> {
    let mut slos: Vec<Fed> = Vec::with_capacity(mine.len());
    for at in mine {
        let one = &mut all[*at];
        one.from = Some(stretch.from);
        let Some(feeds) = &one.feeds else { continue };
        let rules = reading::rules(one.account.slo(), source.config());
        slos.push(Fed { feeds: feeds.clone(), rules, apart: one.apart() });
    }
    let mut each = |slo: usize, outcome: Outcome| all[mine[slo]].take(&outcome);
    let replayed = history::replay(source, &slos, stretch, &mut each, progress).await?;
    for group in replayed.groups {
        for (place, slo) in group.slos.iter().enumerate() {
            let one = &mut all[mine[*slo]];
            one.was_read(&group.intake, place, stretch);
            if group.older[place] {
                one.account.events_mut().set_first(stretch.from);
            }
        }
    }
    for (slo, reason) in replayed.refused {
        let one = &mut all[mine[slo]];
        one.forget(burns);
        one.reading.last_error = Some(reason);
    }
    find_older(source, all, mine, stretch).await
}

/// A window that begins in a hole looks like the window of a young service: tells the two apart.
async fn find_older(
    source: &Prometheus,
    all: &mut [&mut One],
    mine: &[usize],
    stretch: Stretch,
) -> Result<(), SourceError> {
    let late = |at: &&usize| all[**at].account.events().first().is_some_and(|f| f > stretch.from);
    let late: Vec<usize> = mine.iter().filter(late).copied().collect();
    let fed = |at: &usize| {
        let one = &all[*at];
        Some((one.feeds.clone()?, reading::rules(one.account.slo(), source.config())))
    };
    let slos: Vec<(Arc<Feeds>, Rules)> = late.iter().filter_map(fed).collect();
    let begin = stretch.from.start_millis();
    let older = source.has_samples(slos, 2 * begin - stretch.to, begin - 1).await?;
    for (at, older) in late.into_iter().zip(older) {
        if older {
            all[at].account.events_mut().set_first(stretch.from);
        }
    }
    Ok(())
}
