//! Reads the past that new SLOs want and that a downtime missed: newest first, in slices of days,
//! beside the running ticks. A slice that fails is still missing, and tried again by the next run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use slo_core::bucket::Bucket;
use slo_core::counter::Outcome;
use slo_core::ledger::Hour;
use slo_core::subset::Subset;
use slo_core::time::Minute;
use tokio::sync::mpsc::Sender;

use crate::source::Past;
use crate::source::error::SourceError;
use crate::source::intake::Fed;
use crate::source::prometheus::Prometheus;
use crate::source::prometheus::history::{self, Stretch};

const DAY: i64 = 1_440;
/// SLOs that are read together: what a slice of days holds must fit in memory. As many as a row of
/// the database holds.
const TOGETHER: usize = 64;
const PAUSE: Duration = Duration::from_secs(30);

/// A stretch of the past that some SLOs of a source lack.
#[derive(Debug, Clone)]
pub struct Job {
    /// The source.
    pub source: Past,
    /// The SLOs.
    pub slos: Vec<Member>,
    /// First minute.
    pub from: Minute,
    /// First minute after the stretch.
    pub until: Minute,
}

/// One SLO of a job.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its position.
    pub at: usize,
    /// What feeds it, and how it is counted.
    pub fed: Fed,
    /// Its newest sample or heartbeat, Unix milliseconds.
    pub newest: Option<i64>,
}

/// A slice that was read.
#[derive(Debug, Clone, Default)]
pub struct Filled {
    /// By position of the SLO: hours and their minutes.
    pub hours: Vec<(usize, Vec<(i64, Hour)>)>,
    /// By position of the SLO: its newest sample, Unix milliseconds.
    pub newest: Vec<(usize, i64)>,
    /// By position of the SLO: the hours of subsets of its events.
    pub subsets: Vec<(usize, Vec<OfSubset>)>,
    /// First minute.
    pub from: Option<Minute>,
    /// First minute after the slice.
    pub until: Option<Minute>,
}

/// Hours of a subset.
pub type OfSubset = (Arc<Subset>, Vec<(i64, Hour)>);

impl Job {
    /// How many minutes of SLOs it is.
    #[must_use]
    pub fn minutes(&self) -> i64 {
        (self.until - self.from) * i64::try_from(self.slos.len()).unwrap_or(i64::MAX)
    }
}

impl Filled {
    /// How many minutes of SLOs were read.
    #[must_use]
    pub fn minutes(&self) -> i64 {
        let length = self.until.zip(self.from).map_or(0, |(until, from)| until - from);
        length * i64::try_from(self.hours.len()).unwrap_or(i64::MAX)
    }
}

/// Reads all jobs; ends early when nobody listens any more. Sources do not wait for each other: one
/// that fails leaves the rest of its own past to the next run.
pub async fn run(jobs: Vec<Job>, results: Sender<Filled>) {
    let mut sources: Vec<Vec<Job>> = Vec::new();
    for job in jobs {
        let same = |jobs: &&mut Vec<Job>| jobs[0].source.is(&job.source);
        match sources.iter_mut().find(same) {
            Some(jobs) => jobs.push(job),
            None => sources.push(vec![job]),
        }
    }
    let all = sources.iter().map(|jobs| of_source(jobs, &results));
    futures::future::join_all(all).await;
}

async fn of_source(jobs: &[Job], results: &Sender<Filled>) {
    let mut is_short = false;
    for (job, from, until) in slices(jobs) {
        for members in job.slos.chunks(TOGETHER) {
            match read(job, members, from, until).await {
                Ok(filled) => {
                    is_short |= filled.hours.len() < members.len();
                    if results.send(filled).await.is_err() {
                        return;
                    }
                }
                Err(_) if results.is_closed() => return,
                Err(error) => {
                    tracing::warn!(%error, from = %from.start(), until = %until.start(), "cannot read the past, trying again in 30 s");
                    return pause(results).await;
                }
            }
        }
        tracing::info!(slos = job.slos.len(), from = %from.start(), until = %until.start(), "read a slice of the past");
    }
    if is_short {
        pause(results).await;
    }
}

/// What is wanted again at once may as well wait.
async fn pause(results: &Sender<Filled>) {
    tokio::select! {
        () = tokio::time::sleep(PAUSE) => {}
        () = results.closed() => {}
    }
}

/// All slices of all jobs, newest first: a day, then three days at a time.
fn slices(jobs: &[Job]) -> Vec<(&Job, Minute, Minute)> {
    let mut all = Vec::new();
    for job in jobs {
        let (mut until, mut length) = (job.until, DAY);
        while job.from < until {
            let from = Minute((until - length).hour() * 60).max(job.from);
            all.push((job, from, until));
            (until, length) = (from, 3 * DAY);
        }
    }
    all.sort_by_key(|(_, _, until)| std::cmp::Reverse(*until));
    all
}

async fn read(
    job: &Job,
    members: &[Member],
    from: Minute,
    until: Minute,
) -> Result<Filled, SourceError> {
    match &job.source {
        Past::Prometheus(prometheus) => of_series(prometheus, members, from, until).await,
        #[cfg(feature = "elastic")]
        Past::Elastic(elastic) => of_documents(elastic, members, from, until).await,
    }
}

/// SLOs that cannot be counted whole are left out, and so wanted again.
#[cfg(feature = "elastic")]
async fn of_documents(
    elastic: &crate::source::elastic::Elastic,
    members: &[Member],
    from: Minute,
    until: Minute,
) -> Result<Filled, SourceError> {
    let slos: Vec<(&Fed, Option<i64>)> =
        members.iter().map(|member| (&member.fed, member.newest)).collect();
    let mut filled = Filled { from: Some(from), until: Some(until), ..Filled::default() };
    let histories = elastic.history(&slos, (from, until), None).await?;
    for (member, counted) in members.iter().zip(histories) {
        match counted {
            Err(fault) => tracing::warn!(fault, from = %from.start(), "cannot read the past"),
            Ok(counted) => {
                let outcome = Outcome {
                    buckets: counted.buckets.into_iter().collect(),
                    ..Outcome::default()
                };
                let mut hours = BTreeMap::new();
                collect(&mut hours, &outcome, until);
                filled.hours.push((member.at, hours.into_iter().collect()));
                let of = |(subset, buckets): (Subset, BTreeMap<Minute, Bucket>)| {
                    let mut hours = BTreeMap::new();
                    set(&mut hours, &buckets.into_iter().collect::<Vec<_>>(), until);
                    (Arc::new(subset), hours.into_iter().collect())
                };
                let subsets = counted.subsets.into_iter().map(of).collect();
                filled.subsets.push((member.at, subsets));
                filled.newest.extend(counted.newest.map(|newest| (member.at, newest)));
            }
        }
    }
    Ok(filled)
}

async fn of_series(
    prometheus: &Prometheus,
    members: &[Member],
    from: Minute,
    until: Minute,
) -> Result<Filled, SourceError> {
    let slos: Vec<Fed> = members.iter().map(|member| member.fed.clone()).collect();
    // The minutes before the end are covered by samples up to a look-back after it.
    let look_back = slos.iter().map(|fed| fed.rules.look_back.as_millis()).max().unwrap_or(0);
    let stretch = Stretch { from, to: until.start_millis() + look_back, now: None };
    let mut hours: Vec<BTreeMap<i64, Hour>> = vec![BTreeMap::new(); members.len()];
    let mut subsets: Vec<BTreeMap<Arc<Subset>, BTreeMap<i64, Hour>>> =
        vec![BTreeMap::new(); members.len()];
    let mut each = |slo: usize, outcome: Outcome| {
        collect(&mut hours[slo], &outcome, until);
        for of in outcome.subsets {
            set(subsets[slo].entry(of.subset).or_default(), &of.buckets, until);
        }
    };
    let replayed = history::replay(prometheus, &slos, stretch, &mut each, &|_| {}).await?;
    for why in replayed.refused.values() {
        tracing::warn!(fault = why, from = %from.start(), "cannot read the past");
    }
    let is_read = |slo: usize| !replayed.refused.contains_key(&slo);
    let newest = replayed.groups.iter().flat_map(|group| {
        let read = group.slos.iter().enumerate().filter(|(_, slo)| is_read(**slo));
        read.filter_map(|(place, slo)| Some((members[*slo].at, group.intake.newest(place)?)))
    });
    let newest = newest.collect();
    let counted = members.iter().zip(hours).enumerate().filter(|(slo, _)| is_read(*slo));
    let hours = counted.map(|(_, (member, hours))| (member.at, hours.into_iter().collect()));
    let subsets = members
        .iter()
        .zip(subsets)
        .enumerate()
        .filter(|(slo, (_, of))| is_read(*slo) && !of.is_empty())
        .map(|(_, (member, of))| {
            let hours =
                |(subset, hours): (_, BTreeMap<i64, Hour>)| (subset, hours.into_iter().collect());
            (member.at, of.into_iter().map(hours).collect())
        });
    let (hours, subsets) = (hours.collect(), subsets.collect());
    Ok(Filled { hours, newest, subsets, from: Some(from), until: Some(until) })
}

fn place(minute: Minute) -> usize {
    usize::try_from(minute.0.rem_euclid(60)).unwrap_or(0)
}

fn set(hours: &mut BTreeMap<i64, Hour>, buckets: &[(Minute, Bucket)], until: Minute) {
    for (minute, bucket) in buckets.iter().filter(|(minute, _)| *minute < until) {
        hours.entry(minute.hour()).or_default().set(place(*minute), bucket);
    }
}

fn collect(hours: &mut BTreeMap<i64, Hour>, outcome: &Outcome, until: Minute) {
    set(hours, &outcome.buckets, until);
    for mark in outcome.marks.iter().filter(|mark| mark.minute < until) {
        let Some(hour) = hours.get_mut(&mark.minute.hour()) else { continue };
        let mut bucket = hour.get(place(mark.minute));
        bucket.measured |= mark.measured;
        bucket.partial |= mark.partial;
        hour.set(place(mark.minute), &bucket);
    }
}
