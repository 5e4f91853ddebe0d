//! Elasticsearch and OpenSearch: documents counted by minute. Closed minutes are kept; open ones are
//! read again, because documents come late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use slo_core::bucket::Bucket;
use slo_core::filter::Filter;
use slo_core::plan::{Feeds, LogCount};
use slo_core::time::Minute;
use slo_source_elastic::{Config, Counts, Elastic as Client, Error, Fault, Query};

use super::config::{Auth, SourceConfig};
use super::error::SourceError;
use super::intake::Intake;
use super::intake::logs::{Found, LogFeed, weighed};
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
        let counts = feeds.iter().flat_map(LogFeed::counts);
        let queries: Vec<Query> = counts.map(query).collect();
        let counted = self.client.count(&queries, first, end).await.map_err(refused)?;
        if let Some(now) = &intake.now {
            now.agrees(counted.date, self.client.url())?;
        }
        let (mut read, mut answers) = (Read::default(), counted.queries.into_iter());
        for feed in feeds {
            let mine: Vec<_> = answers.by_ref().take(feed.counts().len()).collect();
            match found(mine) {
                Err(fault) => read.failed.push((feed.slo, fault.to_string())),
                Ok(found) => {
                    read.samples += found.counts.iter().map(Vec::len).sum::<usize>();
                    let outcome = intake.replace_logs(&feed, &found, (first, end));
                    read.outcomes.push((feed.slo, outcome));
                }
            }
        }
        Ok(read)
    }

    /// Counts the minutes `from..until` anew: SLOs by what feeds them and the newest heartbeat that is
    /// known of them. One that cannot be counted whole has the reason in its place.
    ///
    /// # Errors
    /// Why nothing could be asked.
    pub async fn history(
        &self,
        slos: &[(Arc<Feeds>, Option<i64>)],
        (from, until): (Minute, Minute),
    ) -> Result<Vec<Result<Counted, String>>, SourceError> {
        let counts = |feeds: &Feeds| match feeds {
            Feeds::Logs(counts) => counts.clone(),
            _ => Vec::new(),
        };
        let all: Vec<Vec<LogCount>> = slos.iter().map(|(feeds, _)| counts(feeds)).collect();
        let queries: Vec<Query> = all.iter().flatten().map(query).collect();
        let oldest = self.client.oldest(&queries).await.map_err(refused)?;
        let counted = self.client.count(&queries, from, until).await.map_err(refused)?;
        let (mut oldest, mut answers) = (oldest.into_iter(), counted.queries.into_iter());
        let mut histories = Vec::with_capacity(slos.len());
        for (counts, (_, newest)) in all.iter().zip(slos) {
            let first: Result<Vec<Option<i64>>, Fault> =
                oldest.by_ref().take(counts.len()).collect();
            let found = found(answers.by_ref().take(counts.len()).collect());
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

fn query(count: &LogCount) -> Query {
    Query {
        index: count.index.clone().unwrap_or_else(|| "*".to_owned()),
        filter: count.query(),
        heartbeat: count.heartbeat.as_ref().map(Filter::dsl),
        groups: None,
    }
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
    Counted { buckets, newest }
}

/// What all counts of an SLO found, or why one of them cannot be trusted.
fn found(answers: Vec<Result<Counts, Fault>>) -> Result<Found, Fault> {
    let answers: Vec<Counts> = answers.into_iter().collect::<Result<_, _>>()?;
    let newest: Option<Vec<i64>> = answers.iter().map(|counts| counts.newest).collect();
    let minutes = |counts: Counts| {
        let minute = |(minute, count)| (minute, i64::try_from(count).unwrap_or(i64::MAX));
        counts.minutes.into_iter().map(minute).collect()
    };
    Ok(Found {
        newest: newest.and_then(|all| all.into_iter().min()),
        counts: answers.into_iter().map(minutes).collect(),
    })
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
