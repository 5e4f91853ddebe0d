//! Budgets of files at an instant: all their lines, read once from the beginning.

use std::ops::Range;

use chrono::{DateTime, Utc};
use slo_core::budget::end_of;
use slo_core::plan::Feeds;

use super::{One, Question};
use crate::source::config::SourceConfig;
use crate::source::intake::logs::{measure, weighed};
use crate::source::jsonlog::source::{of_subsets, queries};
use crate::source::jsonlog::{Jsonlog, Polled, Positions, Query};

/// Bytes that are read between two words about the progress.
const AT_ONCE: u64 = 256 * 1024 * 1024;

/// Reads what the views of some SLOs at the question's instant need.
pub(super) async fn read(
    question: &Question<'_>,
    config: &SourceConfig,
    all: &mut [&mut One],
    mine: &[usize],
) -> Result<(), String> {
    let reader = Jsonlog::new(&config.files, &config.time_field)?;
    let (mut asked, mut places) = (Vec::new(), Vec::new());
    for at in mine {
        let Some(Feeds::Logs(counts)) = all[*at].feeds.as_deref() else { continue };
        let apart = all[*at].apart();
        match queries(counts, apart.as_ref().map(|apart| &apart.cuts)) {
            Err(reason) => all[*at].reading.last_error = Some(reason),
            Ok(mine) => {
                places.push((*at, asked.len()..asked.len() + mine.len()));
                asked.extend(mine);
            }
        }
    }
    let now = question.at.timestamp_millis();
    let polled = tokio::task::spawn_blocking(move || read_all(&reader, &asked, now));
    let polled = polled.await.map_err(|e| e.to_string())?;
    if let Some(problem) = polled.problems.first() {
        return Err(problem.clone());
    }
    for (at, range) in places {
        take(all[at], &polled, range, question.at);
    }
    Ok(())
}

fn read_all(reader: &Jsonlog, asked: &[Query], now: i64) -> Polled {
    let mut positions = Positions::default();
    let mut whole = reader.poll(&mut positions, asked, AT_ONCE, now);
    while whole.is_behind {
        whole = reader.poll(&mut positions, asked, AT_ONCE, now).after(whole);
    }
    whole
}

/// Takes what the lines gave for the queries of an SLO.
fn take(one: &mut One, polled: &Polled, range: Range<usize>, at: DateTime<Utc>) {
    let Some(Feeds::Logs(counts)) = one.feeds.as_deref() else { return };
    let newest: Option<Vec<i64>> = polled.newest[range.clone()].iter().copied().collect();
    let newest = newest.and_then(|all| all.into_iter().min());
    let newest = newest.map(|newest| newest.min(at.timestamp_millis()));
    let groups: Vec<_> = of_subsets(polled.subsets[range.clone()].to_vec())
        .into_iter()
        .map(|(subset, found)| (subset, weighed(counts, &found)))
        .collect();
    let mut buckets = weighed(counts, &polled.counts[range]);
    measure(&mut buckets, None, newest);
    for (minute, bucket) in buckets.range(..end_of(at)) {
        one.account.replace(*minute, bucket);
    }
    one.put_all(groups, end_of(at));
    one.from = buckets.keys().next().copied();
    one.reading.newest = newest;
    one.reading.read_to = Some(at);
    one.queries = one.reading.queries.iter().flat_map(|side| side.to_vec()).collect();
}
