//! Asks the parts of a plan until each query is answered or at fault.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use elasticsearch::http::StatusCode;
use elasticsearch::{FieldCapsParts, MsearchParts};
use serde_json::{Value, json};
use slo_core::time::Minute;

use crate::plan::{BUCKETS, BYTES, Found, Part, Plan, Time};
use crate::reply::{Reply, read, read_edge, read_groups};
use crate::{Counted, Counts, Elastic, Error, Fault, Group, Kind, Query};

/// Shards whose documents are all older or newer than what is asked for are not searched: a pattern holds months of
/// indices, a tick reads minutes. Without it the servers look only where there are more than 128 shards.
const SKIPPING: &str = "pre_filter_shard_size=1";
/// The most searches that one call spends on finding out which filters are refused.
const ISOLATING: u32 = 200;

/// Smaller numbers are no milliseconds of a time since 1973.
const FIRST_MILLIS: f64 = 1e11;

pub(crate) async fn count(
    elastic: &Elastic,
    queries: &[Query],
    from: Minute,
    to: Minute,
) -> Result<Counted, Error> {
    let mut run = Run::new(elastic, Plan::new(queries), Time::Minutes { from, to });
    run.finish().await?;
    let counts = |query: usize| {
        let found = run.plan.found(query)?;
        let groups = found.groups.into_iter();
        let group = |(key, found): (&Vec<String>, &Found)| Group {
            key: key.clone(),
            minutes: found.sorted(),
        };
        Ok(Counts {
            minutes: found.filter.sorted(),
            newest: found.heartbeat.edge,
            groups: groups.map(group).collect(),
        })
    };
    let queries = (0..run.plan.len()).map(counts).collect();
    Ok(Counted { queries, requests: run.requests, searches: run.searches, date: run.date })
}

pub(crate) async fn oldest(
    elastic: &Elastic,
    queries: &[Query],
) -> Result<Vec<Result<Option<i64>, Fault>>, Error> {
    let mut run = Run::new(elastic, Plan::heartbeats(queries), Time::Oldest);
    run.finish().await?;
    let edge = |query| run.plan.found(query).map(|found| found.heartbeat.edge);
    Ok((0..run.plan.len()).map(edge).collect())
}

/// A plan that is being asked.
struct Run<'a> {
    elastic: &'a Elastic,
    plan: Plan,
    queue: VecDeque<Part>,
    requests: u32,
    searches: u32,
    /// Searches spent on finding refused filters.
    isolating: u32,
    date: Option<DateTime<Utc>>,
}

impl<'a> Run<'a> {
    fn new(elastic: &'a Elastic, plan: Plan, time: Time) -> Self {
        let queue = plan.parts(time).into();
        Self { elastic, plan, queue, requests: 0, searches: 0, isolating: 0, date: None }
    }

    async fn finish(&mut self) -> Result<(), Error> {
        loop {
            let batch = self.batch();
            if batch.is_empty() {
                break;
            }
            let responses = self.ask(&batch).await?;
            for (part, response) in batch.iter().zip(responses) {
                self.take(part, response);
            }
        }
        self.explain_silence().await
    }

    /// The next parts that fit into one request, without what is known to fail.
    fn batch(&mut self) -> Vec<Part> {
        let (mut batch, mut buckets, mut bytes) = (Vec::new(), 0, 0);
        while let Some(mut part) = self.queue.pop_front() {
            let index = &self.plan.indices[part.index];
            let is_probe = part.clauses.is_empty();
            part.clauses.retain(|clause| index.clauses[*clause].found.is_ok());
            if index.fault.is_some() || (part.clauses.is_empty() && !is_probe) {
                continue;
            }
            buckets += part.buckets(&self.plan);
            bytes += part.bytes(&self.plan);
            if !batch.is_empty() && (buckets > BUCKETS || bytes > BYTES) {
                self.queue.push_front(part);
                break;
            }
            batch.push(part);
        }
        batch
    }

    async fn ask(&mut self, batch: &[Part]) -> Result<Vec<Value>, Error> {
        let (field, http) = (&self.elastic.time_field, &self.elastic.http);
        let timeout = self.elastic.search_timeout.as_millis().max(1);
        let lines: String =
            batch.iter().map(|part| part.lines(&self.plan, field, timeout)).collect();
        self.requests += 1;
        self.searches += u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let path = format!("{}?{SKIPPING}", MsearchParts::None.url());
        let received = http.post(&path, lines.into_bytes()).await?;
        self.date = received.date.or(self.date);
        let reply: Reply = serde_json::from_slice(&received.body)
            .map_err(|e| http.garbage(&received.body, e.to_string()))?;
        if reply.responses.len() != batch.len() {
            let reason = format!("{} answers to {} searches", reply.responses.len(), batch.len());
            return Err(http.garbage(&received.body, reason));
        }
        Ok(reply.responses)
    }

    fn take(&mut self, part: &Part, response: Value) {
        if let Some(number) = part.grouping {
            return self.take_groups(number, part, response);
        }
        let index = &mut self.plan.indices[part.index];
        match read(response, &index.pattern, part.clauses.len().max(1)) {
            Ok(buckets) => index.take(&part.clauses, buckets, part.time),
            Err(fault) if part.clauses.is_empty() => index.fault = Some(fault),
            Err(fault) if part.clauses.len() == 1 || fault.kind != Kind::Refused => {
                index.blame(&part.clauses, &fault);
            }
            Err(fault) => self.isolate(part, fault),
        }
    }

    /// New groups are counted at once, in a further request.
    fn take_groups(&mut self, number: usize, part: &Part, response: Value) {
        let (plan, index) = (&mut self.plan, part.index);
        let first = plan.indices[index].clauses.len();
        match read_groups(response, &plan.indices[index].pattern) {
            Ok(found) => plan.groupings[number].take(found, &mut plan.indices[index]),
            Err(fault) => plan.groupings[number].fault = Some(fault),
        }
        self.queue.extend(self.plan.parts_of(index, first, part.time));
    }

    /// One refused filter fails all filters of its search: they are asked again by halves, before anything else, and
    /// once without any, in case it is the index that is at fault.
    fn isolate(&mut self, part: &Part, mut fault: Fault) {
        let index = &mut self.plan.indices[part.index];
        if index.fault.is_some() {
            return;
        }
        if self.isolating >= ISOLATING {
            fault.reason += "; too many queries of this index are refused to tell them apart";
            index.blame(&part.clauses, &fault);
            return;
        }
        let [left, right] = part.halves();
        self.queue.push_front(right);
        self.queue.push_front(left);
        self.isolating += 2;
        if !index.probed {
            index.probed = true;
            self.queue.push_front(part.probe());
        }
    }

    /// Where no document was found, a time field that is not mapped may be why: a search does not tell.
    async fn explain_silence(&mut self) -> Result<(), Error> {
        for number in 0..self.plan.indices.len() {
            if self.searches > 0 && self.plan.indices[number].is_silent() {
                let pattern = self.plan.indices[number].pattern.clone();
                self.requests += 1;
                self.plan.indices[number].fault = self.time_fault(&pattern).await?;
            }
        }
        Ok(())
    }

    async fn time_fault(&self, pattern: &str) -> Result<Option<Fault>, Error> {
        let (field, http) = (self.elastic.time_field.as_str(), &self.elastic.http);
        let path = FieldCapsParts::Index(&[pattern]).url();
        let received = http.get(&path, &[("fields", field)]).await?;
        if received.status != StatusCode::OK {
            let reason = format!("no document found, and its mapping: {}", received.reason());
            return Ok(Some(Fault::new(pattern, Kind::Failed, reason)));
        }
        let caps: Value = serde_json::from_slice(&received.body)
            .map_err(|e| http.garbage(&received.body, e.to_string()))?;
        let types = caps["fields"][field].as_object();
        let types: Vec<&str> = types.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        if types.iter().any(|name| matches!(*name, "date" | "date_nanos")) {
            return Ok(None);
        }
        if types.iter().any(|name| matches!(*name, "long" | "unsigned_long" | "double")) {
            return self.seconds_fault(pattern).await;
        }
        let mapped = match types.as_slice() {
            [] => "not mapped".to_owned(),
            types => format!("mapped as {}", types.join(" and ")),
        };
        let reason = format!("the field `{field}` is {mapped}");
        Ok(Some(Fault::new(pattern, Kind::NoTime, reason)))
    }

    /// A number is milliseconds; seconds lie so far in the past that no search finds them.
    async fn seconds_fault(&self, pattern: &str) -> Result<Option<Fault>, Error> {
        let (field, http) = (self.elastic.time_field.as_str(), &self.elastic.http);
        let head = json!({ "index": pattern });
        let newest = json!({ "size": 0, "aggs": { "edge": { "max": { "field": field } } } });
        let lines = format!("{head}\n{newest}\n").into_bytes();
        let received = http.post(&MsearchParts::None.url(), lines).await?;
        let reply: Reply = serde_json::from_slice(&received.body)
            .map_err(|e| http.garbage(&received.body, e.to_string()))?;
        let [response] = <[Value; 1]>::try_from(reply.responses).map_err(|all| {
            http.garbage(&received.body, format!("{} answers to 1 search", all.len()))
        })?;
        Ok(match read_edge(response, pattern) {
            Ok(Some(newest)) if newest < FIRST_MILLIS => {
                let reason = format!(
                    "the newest `{field}` is the number {newest}, which is no time in milliseconds"
                );
                Some(Fault::new(pattern, Kind::NoTime, reason))
            }
            Ok(_) => None,
            Err(fault) => Some(fault),
        })
    }
}
