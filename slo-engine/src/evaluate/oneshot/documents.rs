//! Budgets of logs at an instant, straight from a search cluster.

use std::sync::Arc;

use slo_core::budget::end_of;
use slo_core::time::Minute;

use super::{One, Question};
use crate::evaluate::reading;
use crate::source::agreement::Now;
use crate::source::elastic::Elastic;
use crate::source::error::SourceError;
use crate::source::intake::Fed;
use crate::source::intake::logs::newest_of;

/// Minutes that are asked for at once.
const AT_ONCE: i64 = 3 * 1_440;

/// Reads what the views of some SLOs at the question's instant need.
pub(super) async fn read(
    question: &Question<'_>,
    source: &Elastic,
    all: &mut [&mut One],
    mine: &[usize],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<(), SourceError> {
    let lag = mine.first().map_or(0, |at| all[*at].source.lag().as_millis());
    let to = question.at.timestamp_millis() - lag;
    let read_to = chrono::DateTime::from_timestamp_millis(to).unwrap_or(question.at);
    let end = end_of(read_to);
    let mut until = end;
    let mut from = mine.iter().map(|at| all[*at].start(end, question.burns)).min().unwrap_or(end);
    for at in mine {
        let one = &mut all[*at];
        one.reading.read_to = Some(read_to);
        one.queries = one.reading.queries.iter().flat_map(|side| side.to_vec()).collect();
    }
    let whole = until - from;
    while from < until {
        let begin = (until - AT_ONCE).max(from);
        take(source, all, mine, (begin, until), question.now).await?;
        until = begin;
        progress(1.0 - (until - from) as f64 / whole.max(1) as f64);
        if until == from {
            // Where the data ended before the instant, the windows end and so begin earlier.
            let begin = |at: &usize| all[*at].start(all[*at].end(question), question.burns);
            from = mine.iter().map(begin).min().unwrap_or(from).min(from);
        }
    }
    Ok(())
}

async fn take(
    source: &Elastic,
    all: &mut [&mut One],
    mine: &[usize],
    (from, until): (Minute, Minute),
    now: Option<Now>,
) -> Result<(), SourceError> {
    let fed = |at: &usize| {
        let One { feeds, account, source, reading, .. } = &*all[*at];
        let rules = reading::rules(account.slo(), source);
        Some((Fed { feeds: feeds.clone()?, rules, apart: all[*at].apart() }, reading.newest))
    };
    let slos: Vec<(Fed, Option<i64>)> = mine.iter().filter_map(fed).collect();
    let slos: Vec<(&Fed, Option<i64>)> = slos.iter().map(|(fed, newest)| (fed, *newest)).collect();
    let histories = source.history(&slos, (from, until), now).await?;
    for (at, counted) in mine.iter().zip(histories) {
        let one = &mut all[*at];
        match counted {
            Err(fault) => one.reading.last_error = Some(fault),
            Ok(counted) => {
                for (minute, bucket) in &counted.buckets {
                    one.account.replace(*minute, bucket);
                }
                for (subset, buckets) in counted.subsets {
                    let newest = newest_of(&buckets);
                    let found: Vec<_> = buckets.into_iter().collect();
                    one.put(&Arc::new(subset), newest, &found);
                }
                one.reading.newest = one.reading.newest.max(counted.newest);
                one.from = Some(from);
            }
        }
    }
    Ok(())
}
