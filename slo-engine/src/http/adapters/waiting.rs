//! Deploys that wait for an answer: judged again and again, and recorded when something changed.

use budget_gate::{Decision, Verdict, text};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::callbacks::Failed;
use super::mapping::Mapping;
use super::{Question, ask, look, own};
use crate::http::app::App;

/// An answer that could not be told for so long is judged anew: as long as an allow is repeated.
pub(super) const FRESH: TimeDelta = TimeDelta::minutes(10);
/// How often what waits is looked at.
pub(super) const AGAIN: TimeDelta = TimeDelta::minutes(1);
/// The most letters of a comment.
pub(super) const MOST: usize = 1_000;

/// What a refusal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnDeny {
    /// The deployment waits until the gate opens.
    Wait,
    /// The deployment is rejected.
    Reject,
}

/// What the gate says now.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    /// Why, in one line.
    pub(super) comment: String,
    opens: Option<DateTime<Utc>>,
}

impl Judged {
    /// When to look again.
    pub(super) fn again(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let opens = self.opens.filter(|at| *at > now);
        opens.map_or(now + AGAIN, |at| at.min(now + AGAIN))
    }
}

impl From<&Decision> for Judged {
    fn from(decision: &Decision) -> Self {
        let opens = decision.unblocks.as_ref().and_then(|unblocks| unblocks.at);
        let comment = text::one_line(decision, MOST);
        Self { verdict: decision.verdict, comment, opens }
    }
}

/// What the gate says. It is recorded when it is the first verdict, or another one than before: what
/// waits for a day is not recorded every minute.
pub(super) async fn judged(
    app: &App,
    adapter: &str,
    question: Question,
    before: Option<Verdict>,
) -> Result<Judged, Failed> {
    let (caller, mapping) = (own::caller(adapter), Mapping::default());
    let same = match before {
        Some(before) => {
            let seen = look(app, &caller, &mapping, question.clone()).await;
            seen.map(|seen| Some(seen).filter(|seen| seen.verdict == before))
        }
        None => Ok(None),
    };
    let asked = match same {
        Ok(Some(same)) => return Ok(Judged::from(&same)),
        Ok(None) => ask(app, &caller, &mapping, question).await,
        Err(problem) => Err(problem),
    };
    match asked {
        Ok(answer) => Ok(Judged::from(&*answer.decision)),
        Err(problem) if problem.status().is_server_error() => {
            Err(Failed(problem.detail().to_owned()))
        }
        Err(problem) => {
            let comment = format!("UNKNOWN: {}", problem.detail());
            Ok(Judged { verdict: Verdict::Unknown, comment, opens: None })
        }
    }
}
