//! Asks again while the answer is no: at the instant at which the gate should open, else in growing
//! steps, and at the end.

use std::time::Duration;

use budget_gate::harmless::harmless;
use budget_gate::{Decision, text, words};
use tokio::time::{Instant, sleep};

use super::client::Failure;
use super::output;
use super::reply::Reply;

/// The first pause; each one doubles, up to the last.
const PAUSES: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(60)];
/// The engine's numbers are a moment behind the instant that it named.
const AFTER: Duration = Duration::from_secs(1);
/// A gate that does not open when it should is not asked all the time.
const SHORTEST: Duration = Duration::from_secs(5);
/// An override or an approval may open the gate long before it opens by itself.
const LONGEST: Duration = Duration::from_secs(300);

/// The first answer that lets the deploy go, else the last one within the time. A no stays a no when
/// the engine falls silent afterwards.
pub(super) async fn answer(
    wait: Duration,
    ask: impl AsyncFn(u32) -> Result<Reply, Failure>,
) -> Result<Reply, Failure> {
    let end = Instant::now() + wait;
    let mut step = PAUSES[0];
    let mut shut: Option<Reply> = None;
    let mut number = 1;
    loop {
        let asked = ask(number).await;
        if is_final(&asked) {
            return asked;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return last(asked, shut);
        }
        let opens = asked.as_ref().ok().and_then(|reply| opens_in(&reply.decision));
        let pause = pause(opens, step, left);
        output::diagnostic(&progress(&asked, pause, left));
        shut = asked.ok().or(shut);
        sleep(pause).await;
        step = (step * 2).min(PAUSES[1]);
        number += 1;
    }
}

fn is_final(asked: &Result<Reply, Failure>) -> bool {
    match asked {
        Ok(reply) => reply.decision.allow,
        Err(Failure::Unreachable(_)) => false,
        Err(Failure::WrongQuestion(_) | Failure::Refused(_) | Failure::Declined(_)) => true,
    }
}

fn last(asked: Result<Reply, Failure>, shut: Option<Reply>) -> Result<Reply, Failure> {
    match (asked, shut) {
        (Err(failure), Some(shut)) => {
            output::diagnostic(&format!("{failure}; what it said last holds"));
            Ok(shut)
        }
        (asked, _) => asked,
    }
}

/// By the engine's clock, whatever the one here says.
fn opens_in(decision: &Decision) -> Option<Duration> {
    let at = decision.unblocks.as_ref()?.at?;
    Some((at - decision.at).to_std().unwrap_or_default())
}

fn pause(opens: Option<Duration>, step: Duration, left: Duration) -> Duration {
    let opening = opens.map(|opens| opens + AFTER).filter(|opens| *opens <= left);
    opening.map_or(step, |opens| opens.clamp(SHORTEST, LONGEST)).min(left)
}

fn progress(asked: &Result<Reply, Failure>, pause: Duration, left: Duration) -> String {
    let state = match asked {
        Ok(reply) => waits_for(&reply.decision),
        Err(failure) => failure.to_string(),
    };
    let [pause, left] = [pause, left].map(|length| words::length(length.as_secs_f64().round()));
    format!("{state}; asking again in {pause}, for {left} at most")
}

fn waits_for(decision: &Decision) -> String {
    let for_what = match &decision.unblocks {
        Some(unblocks) => harmless(&unblocks.because),
        None => decision.reasons.first().map(|reason| harmless(reason)).unwrap_or_default(),
    };
    format!("{}: waiting for: {for_what}", text::headline(decision))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_next_question_is_asked_when_the_gate_should_open() {
        assert_eq!(pause(Some(s(40)), s(15), s(1_800)), s(41));
        assert_eq!(pause(Some(s(0)), s(15), s(1_800)), SHORTEST);
        assert_eq!(pause(Some(s(1_500)), s(15), s(1_800)), LONGEST);
    }

    #[test]
    fn a_gate_that_opens_too_late_or_nobody_knows_when_is_asked_in_steps_and_at_the_end() {
        assert_eq!(pause(Some(s(4_000)), s(30), s(1_800)), s(30));
        assert_eq!(pause(None, s(15), s(1_800)), s(15));
        assert_eq!(pause(None, s(60), s(20)), s(20));
        assert_eq!(pause(Some(s(0)), s(60), s(2)), s(2));
    }
}
