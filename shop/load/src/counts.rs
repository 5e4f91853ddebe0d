//! What was sent and what came back, counted under one lock so that every report adds up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::client::{Answer, TransportError};
use crate::mix::Operation;
use crate::report::{LatencyMs, RouteReport, Tally, TransportErrors};

/// Latencies are kept in microseconds up to this, with three digits; longer ones count as this.
const MAX_LATENCY_US: u64 = 3_600_000_000;

/// The counts of one load.
#[derive(Debug)]
pub(crate) struct Counts {
    most_in_flight: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    in_flight: u64,
    most_seen_in_flight: u64,
    routes: [Route; 6],
}

#[derive(Debug)]
struct Route {
    sent: u64,
    not_sent: u64,
    codes: BTreeMap<u16, u64>,
    errors: TransportErrors,
    latency: Histogram<u64>,
}

impl Counts {
    pub(crate) fn new(most_in_flight: u64) -> Self {
        let routes = std::array::from_fn(|_| Route {
            sent: 0,
            not_sent: 0,
            codes: BTreeMap::new(),
            errors: TransportErrors::default(),
            latency: latencies(),
        });
        let inner = Inner { in_flight: 0, most_seen_in_flight: 0, routes };
        Self { most_in_flight, inner: Mutex::new(inner) }
    }

    /// Counts a request as sent, or as not sent when too many are in flight already.
    pub(crate) fn begin(&self, operation: Operation) -> bool {
        let mut inner = self.inner();
        let fits = inner.in_flight < self.most_in_flight;
        let route = &mut inner.routes[operation as usize];
        if fits {
            route.sent += 1;
            inner.in_flight += 1;
            inner.most_seen_in_flight = inner.most_seen_in_flight.max(inner.in_flight);
        } else {
            route.not_sent += 1;
        }
        fits
    }

    /// Counts what came back, `latency` after the request was due.
    pub(crate) fn end(
        &self,
        operation: Operation,
        latency: Duration,
        outcome: Result<Answer, TransportError>,
    ) {
        let mut inner = self.inner();
        inner.in_flight -= 1;
        let route = &mut inner.routes[operation as usize];
        match outcome {
            Ok(answer) => {
                *route.codes.entry(answer.code).or_default() += 1;
                route.latency.saturating_record(latency.as_micros() as u64);
            }
            Err(TransportError::Connect) => route.errors.connect += 1,
            Err(TransportError::Timeout) => route.errors.timeout += 1,
            Err(TransportError::Other) => route.errors.other += 1,
        }
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.inner().in_flight
    }

    pub(crate) fn tally(&self) -> Tally {
        let inner = self.inner();
        let mut all = latencies();
        for route in &inner.routes {
            all.add(&route.latency).expect("all histograms have the same bounds");
        }
        let of = |operation: Operation| inner.routes[operation as usize].report(operation);
        Tally {
            in_flight: inner.in_flight,
            most_in_flight: inner.most_seen_in_flight,
            latency_ms: quantiles(&all),
            routes: Operation::ALL.map(of).to_vec(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route {
    fn report(&self, operation: Operation) -> RouteReport {
        let (_, method, route) = operation.parts();
        RouteReport {
            method: method.to_owned(),
            route: route.to_owned(),
            sent: self.sent,
            not_sent: self.not_sent,
            answered: self.codes.values().sum(),
            transport_errors: self.errors,
            codes: self.codes.clone(),
            latency_ms: quantiles(&self.latency),
        }
    }
}

fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_LATENCY_US, 3).expect("the bounds are constants")
}

/// Nothing for no answers: there is no latency then.
fn quantiles(histogram: &Histogram<u64>) -> Option<LatencyMs> {
    let at = |share| histogram.value_at_quantile(share) as f64 / 1_000.0;
    (!histogram.is_empty()).then(|| LatencyMs {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: histogram.max() as f64 / 1_000.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_cap_requests_are_not_sent_until_an_answer_makes_room() {
        let counts = Counts::new(2);
        let begun: Vec<bool> = (0..3).map(|_| counts.begin(Operation::Get)).collect();
        assert_eq!(begun, [true, true, false]);
        let answer = Ok(Answer { code: 200, created: None });
        counts.end(Operation::Get, Duration::from_millis(3), answer);
        assert!(counts.begin(Operation::Get));
        let tally = counts.tally();
        let get = &tally.routes[Operation::Get as usize];
        assert_eq!((get.sent, get.not_sent, get.answered, tally.in_flight), (3, 1, 1, 2));
    }

    #[test]
    fn quantiles_of_1_to_100_ms_are_within_a_tenth_of_a_percent_and_absent_without_answers() {
        let counts = Counts::new(1);
        assert_eq!(counts.tally().latency_ms, None);
        for ms in 1..=100 {
            counts.begin(Operation::List);
            let answer = Ok(Answer { code: 200, created: None });
            counts.end(Operation::List, Duration::from_millis(ms), answer);
        }
        let latency = counts.tally().latency_ms.unwrap();
        for (found, expected) in [(latency.p50, 50.0), (latency.p90, 90.0), (latency.p99, 99.0)] {
            assert!((found / expected - 1.0).abs() < 0.001, "{found} for {expected}");
        }
    }
}
