//! Elasticsearch and OpenSearch: documents counted by minute. Closed minutes are kept; open ones are
//! read again, because documents come late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use slo_core::bucket::Bucket;
use slo_core::filter::Filter;
use slo_core::plan::{Feeds, LogCount};
use slo_core::subset::Subset;
use slo_core::time::Minute;
use slo_source_elastic::{Config, Counts, Elastic as Client, Error, Fault, Groups, Query};

use super::agreement::Now;
use super::config::{Auth, SourceConfig};
use super::error::SourceError;
use super::intake::logs::{Found, OfCounts, weighed};
use super::intake::{Apart, Fed, Intake};
use super::reader::{Later, MetricSource, Read};

/// One cluster.
#[derive(Debug, Clone)]
pub struct Elastic {
    client: Client,
}

/// What the past holds of one SLO.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// Minutes of which anything is known.
    pub buckets: BTreeMap<Minute, Bucket>,
    /// The newest heartbeat, Unix milliseconds.
    pub newest: Option<i64>,
    /// Minutes with events of subsets.
    pub subsets: Vec<(Subset, BTreeMap<Minute, Bucket>)>,
}

impl Elastic {
    /// A source as configured.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn new(config: &SourceConfig) -> Result<Self, SourceError> {
        let setup = |reason: String| SourceError::Setup { name: config.name.clone(), reason };
        let ca_pem = config.ca_file.as_ref().map(|path| {
            std::fs::read(path).map_err(|e| setup(format!("cannot read {}: {e}", path.display())))
        });
        let header = |(name, value): (&String, &super::config::Secret)| {
            Ok((name.clone(), value.reveal().map_err(setup)?))
        };
        let headers: Result<Vec<_>, SourceError> = config.headers.iter().map(header).collect();
        let client = Client::new(&Config {
            url: config.url.clone(),
            auth: auth(&config.auth).map_err(setup)?,
            headers: headers?,
            ca_pem: ca_pem.transpose()?,
            timeout: Duration::from_millis(config.timeout.as_millis().unsigned_abs()),
            time_field: config.time_field.clone(),
        });
        let client = client.map_err(|e| setup(e.to_string()))?;
        Ok(Self { client })
    }

    /// The address, without secrets.
    #[must_use]
    pub fn url(&self) -> &str {
        self.client.url()
    }

    async fn read_minutes(
        &self,
        intake: &mut Intake,
        from: i64,
        to: i64,
    ) -> Result<Read, SourceError> {
        let (first, end) = (Minute::of_millis(from).max(intake.from()), Minute::of_millis(to) + 1);
        let feeds = intake.logs();
        if feeds.is_empty() || end <= first {
            return Ok(Read::default());
        }
        let asked: Vec<Asked<'_>> =
            feeds.iter().map(|feed| (feed.counts(), feed.apart.as_ref())).collect();
        let (found, date) = self.find(&asked, (first, end)).await?;
        if let Some(now) = &intake.now {
            now.agrees(date, self.client.url())?;
        }
        let mut read = Read::default();
        for (feed, found) in feeds.iter().zip(found) {
            match found {
                Err(fault) => read.failed.push((feed.slo, fault.to_string())),
                Ok(found) => {
                    read.samples += found.counts.iter().map(Vec::len).sum::<usize>();
                    let outcome = intake.replace_logs(feed, &found, (first, end));
                    read.outcomes.push((feed.slo, outcome));
                }
            }
        }
        Ok(read)
    }

    /// What was found for each of some SLOs, and the time that the answer says.
    async fn find(
        &self,
        asked: &[Asked<'_>],
        minutes: (Minute, Minute),
    ) -> Result<(Vec<Result<Found, Fault>>, Option<DateTime<Utc>>), SourceError> {
        let (mut found, date) = self.find_once(asked, minutes).await?;
        // Where one count knows groups that another does not, all count those that the total knows.
        let settled: Vec<Option<Apart>> = asked.iter().zip(&found).map(settled).collect();
        let again: Vec<Asked<'_>> = asked
            .iter()
            .zip(&settled)
            .filter_map(|((counts, _), apart)| Some((*counts, Some(apart.as_ref()?))))
            .collect();
        if !again.is_empty() {
            let mut better = self.find_once(&again, minutes).await?.0.into_iter();
            let places = found.iter_mut().zip(&settled).filter(|(_, apart)| apart.is_some());
            places.zip(&mut better).for_each(|((place, _), better)| *place = better);
        }
        Ok((found, date))
    }

    async fn find_once(
        &self,
        asked: &[Asked<'_>],
        (from, to): (Minute, Minute),
    ) -> Result<(Vec<Result<Found, Fault>>, Option<DateTime<Utc>>), SourceError> {
        let queries: Vec<Query> = asked.iter().flat_map(queries).collect();
        let counted = self.client.count(&queries, from, to).await.map_err(refused)?;
        let mut answers = counted.queries.into_iter();
        let found = asked.iter().map(|of| found(of, &mut answers)).collect();
        Ok((found, counted.date))
    }

    /// Counts the minutes `from..until` anew: SLOs by what feeds them and the newest heartbeat that is
    /// known of them. One that cannot be counted whole has the reason in its place.
    ///
    /// # Errors
    /// Why nothing could be asked.
    pub async fn history(
        &self,
        slos: &[(&Fed, Option<i64>)],
        (from, until): (Minute, Minute),
        now: Option<Now>,
    ) -> Result<Vec<Result<Counted, String>>, SourceError> {
        let counts = |fed: &Fed| match &*fed.feeds {
            Feeds::Logs(counts) => counts.clone(),
            _ => Vec::new(),
        };
        let all: Vec<Vec<LogCount>> = slos.iter().map(|(fed, _)| counts(fed)).collect();
        let asked: Vec<Asked<'_>> = all
            .iter()
            .zip(slos)
            .map(|(counts, (fed, _))| (&counts[..], fed.apart.as_ref()))
            .collect();
        let queries: Vec<Query> = all.iter().flatten().map(|count| query(count, None)).collect();
        let oldest = self.client.oldest(&queries).await.map_err(refused)?;
        let (found, date) = self.find(&asked, (from, until)).await?;
        if let Some(now) = now {
            now.agrees(date, self.client.url())?;
        }
        let mut oldest = oldest.into_iter();
        let mut histories = Vec::with_capacity(slos.len());
        for ((counts, (_, newest)), found) in all.iter().zip(slos).zip(found) {
            let first: Result<Vec<Option<i64>>, Fault> =
                oldest.by_ref().take(counts.len()).collect();
            histories.push(match (first, found) {
                (Ok(first), Ok(found)) => {
                    Ok(history(counts, &found, &first, *newest, (from, until)))
                }
                (Err(fault), _) | (_, Err(fault)) => Err(fault.to_string()),
            });
        }
        Ok(histories)
    }

    /// Whether it answers: a search that finds nothing.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self) -> Result<(), SourceError> {
        let query = Query {
            index: "*".to_owned(),
            filter: serde_json::json!({"match_none": {}}),
            heartbeat: None,
            groups: None,
        };
        self.client.count(&[query], Minute(0), Minute(1)).await.map_err(refused).map(|_| ())
    }
}

/// The counts of an SLO, and by what their documents are told apart.
type Asked<'a> = (&'a [LogCount], Option<&'a Apart>);

fn query(count: &LogCount, groups: Option<Groups>) -> Query {
    Query {
        index: count.index.clone().unwrap_or_else(|| "*".to_owned()),
        filter: count.query(),
        heartbeat: count.heartbeat.as_ref().map(Filter::dsl),
        groups,
    }
}

/// The queries of each count, one for each cut.
fn queries((counts, apart): &Asked<'_>) -> Vec<Query> {
    let of = |count: &LogCount| match apart {
        None => vec![query(count, None)],
        Some(apart) => groups(apart).into_iter().map(|groups| query(count, Some(groups))).collect(),
    };
    counts.iter().flat_map(of).collect()
}

fn groups(apart: &Apart) -> Vec<Groups> {
    let of = |(rest, by): (Subset, &[String])| {
        let known = apart.known.iter().filter(|known| !known.is_rest() && known.rest() == rest);
        let known: Vec<Vec<String>> = known.map(|known| key(known, by)).collect();
        let max = if apart.is_settled { known.len() } else { apart.cuts.most() };
        Groups { by: by.to_vec(), max, known }
    };
    apart.cuts.each().map(of).collect()
}

/// The values of a subset, in the order of the fields.
fn key(subset: &Subset, by: &[String]) -> Vec<String> {
    match subset {
        Subset::Group(Some(labels)) => {
            by.iter().map(|label| labels.get(label).cloned().unwrap_or_default()).collect()
        }
        Subset::Attribute(_, Some(value)) => vec![value.clone()],
        Subset::Group(None) | Subset::Attribute(_, None) => Vec::new(),
    }
}

/// What all counts of an SLO are to know, where they do not know the same yet.
fn settled(((counts, apart), found): (&Asked<'_>, &Result<Found, Fault>)) -> Option<Apart> {
    let (apart, found) = ((*apart)?, found.as_ref().ok()?);
    let is_new = |subset: &Subset| !subset.is_rest() && !apart.known.iter().any(|k| **k == *subset);
    let new: Vec<&(Subset, OfCounts)> =
        found.subsets.iter().filter(|(subset, _)| is_new(subset)).collect();
    if new.is_empty() || counts.len() < 2 {
        return None;
    }
    let total = counts.iter().position(|count| count.weights.total != 0).unwrap_or(0);
    let of_total = new.iter().filter(|(_, of)| of.get(total).is_some_and(|all| !all.is_empty()));
    let known = of_total.map(|(subset, _)| Arc::new(subset.clone()));
    let known = apart.known.iter().cloned().chain(known).collect();
    Some(Apart { cuts: apart.cuts.clone(), known, is_settled: true })
}

/// Measured are the minutes from the oldest to the newest heartbeat: what an index no longer holds is
/// not known, and what it has not got yet neither.
fn history(
    counts: &[LogCount],
    found: &Found,
    oldest: &[Option<i64>],
    newest: Option<i64>,
    (from, until): (Minute, Minute),
) -> Counted {
    let newest = found.newest.max(newest);
    let mut buckets = weighed(counts, &found.counts);
    let oldest: Option<Vec<i64>> = oldest.iter().copied().collect();
    let begin = oldest.and_then(|all| all.into_iter().max()).map(Minute::of_millis);
    if let (Some(begin), Some(newest)) = (begin, newest) {
        let end = until.min(Minute::of_millis(newest) + 1);
        for minute in (begin.max(from).0..end.0).map(Minute) {
            buckets.entry(minute).or_default().measured = true;
        }
    }
    let of = |(subset, found): &(Subset, OfCounts)| (subset.clone(), weighed(counts, found));
    Counted { buckets, newest, subsets: found.subsets.iter().map(of).collect() }
}

/// What all counts of an SLO found, or why one of them cannot be trusted.
fn found(
    (counts, apart): &Asked<'_>,
    answers: &mut impl Iterator<Item = Result<Counts, Fault>>,
) -> Result<Found, Fault> {
    let cuts: Vec<(Subset, &[String])> =
        apart.map_or_else(Vec::new, |apart| apart.cuts.each().collect());
    let each = cuts.len().max(1);
    // All answers are taken, also behind one that cannot be trusted.
    let answers: Vec<_> = answers.take(counts.len() * each).collect();
    let answers: Vec<Counts> = answers.into_iter().collect::<Result<_, _>>()?;
    let mut subsets: BTreeMap<Subset, OfCounts> = BTreeMap::new();
    for (place, of_count) in answers.chunks(each).enumerate() {
        for ((rest, by), counted) in cuts.iter().zip(of_count) {
            let mut left: BTreeMap<Minute, i64> = minutes(&counted.minutes).into_iter().collect();
            let mut put = |subset: Subset, found: Vec<(Minute, i64)>| {
                let all = subsets.entry(subset).or_insert_with(|| vec![Vec::new(); counts.len()]);
                all[place] = found;
            };
            for group in &counted.groups {
                let found = minutes(&group.minutes);
                for (minute, count) in &found {
                    *left.entry(*minute).or_default() -= count;
                }
                put(subset(rest, by, &group.key), found);
            }
            let left: Vec<(Minute, i64)> =
                left.into_iter().filter(|(_, count)| *count != 0).collect();
            if !left.is_empty() {
                put(rest.clone(), left);
            }
        }
    }
    let wholes = || answers.iter().step_by(each);
    let newest: Option<Vec<i64>> = wholes().map(|counts| counts.newest).collect();
    Ok(Found {
        newest: newest.and_then(|all| all.into_iter().min()),
        counts: wholes().map(|counts| minutes(&counts.minutes)).collect(),
        subsets: subsets.into_iter().collect(),
    })
}

fn subset(rest: &Subset, by: &[String], key: &[String]) -> Subset {
    match rest {
        Subset::Group(_) => {
            Subset::Group(Some(by.iter().cloned().zip(key.iter().cloned()).collect()))
        }
        Subset::Attribute(label, _) => Subset::Attribute(label.clone(), key.first().cloned()),
    }
}

fn minutes(found: &[(Minute, u64)]) -> Vec<(Minute, i64)> {
    let minute =
        |(minute, count): &(Minute, u64)| (*minute, i64::try_from(*count).unwrap_or(i64::MAX));
    found.iter().map(minute).collect()
}

fn auth(auth: &Auth) -> Result<slo_source_elastic::Auth, String> {
    Ok(match (&auth.api_key, &auth.bearer, &auth.basic) {
        (None, None, None) => slo_source_elastic::Auth::None,
        (Some(key), None, None) => slo_source_elastic::Auth::ApiKey(key.reveal()?),
        (None, Some(token), None) => slo_source_elastic::Auth::Bearer(token.reveal()?),
        (None, None, Some(basic)) => slo_source_elastic::Auth::Basic {
            username: basic.username.clone(),
            password: basic.password.reveal()?,
        },
        _ => return Err("`auth` names more than one of apiKey, bearer and basic; keep one".into()),
    })
}

fn refused(error: Error) -> SourceError {
    match error {
        Error::Throttled { url, retry_after, .. } => SourceError::Throttled { url, retry_after },
        error => SourceError::Search(error),
    }
}

impl MetricSource for Elastic {
    fn prepare<'a>(&'a self, _: &'a mut Feeds, _: i64, _: i64) -> Later<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn read<'a>(&'a self, intake: &'a mut Intake, from: i64, to: i64) -> Later<'a, Read> {
        Box::pin(self.read_minutes(intake, from, to))
    }
}
