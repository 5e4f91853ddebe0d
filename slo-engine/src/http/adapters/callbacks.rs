//! Questions that are answered by a call of our own. A question is in the database before its caller
//! hears that it was taken, and stays there until the answer has been told: a kill at any moment loses
//! nothing. What is told is written down before it is told, so that a second try says the same.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{github, gitlab, terraform};
use crate::gate::id;
use crate::http::app::App;
use crate::http::observe::words;
use crate::http::problem::Problem;
use crate::store::{Callback, NewCallback, StoreError};

/// Whoever waits for nothing looks so often.
const AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// The longest pause after tries that failed.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(5);
/// So many targets of each adapter are told at once: targets that hang hold up no other adapter.
const AT_ONCE: usize = 16;

/// What came of a try.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing is left to do; how it ended.
    Done(String),
    /// There is more to do, at an instant.
    Later {
        at: DateTime<Utc>,
        /// What has been told so far.
        progress: String,
    },
}

/// Why a try failed; it is repeated.
#[derive(Debug)]
pub(super) struct Failed(pub(super) String);

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// Keeps a question, and sees to it that it is answered soon.
///
/// # Errors
/// When it cannot be kept: the caller has to send it again.
pub(super) async fn accept(app: &App, mut new: NewCallback) -> Result<bool, Problem> {
    let now = app.now();
    new.id = id::new(now);
    let kept = tokio::time::timeout(super::WITHIN, app.shared.store.put_callback(&new, now)).await;
    let unkept = || Problem::unavailable("the question cannot be kept now").again_after(5);
    let is_new = kept.map_err(|_| unkept())?.map_err(|error| {
        tracing::error!(%error, "cannot keep a callback");
        unkept()
    })?;
    app.callbacks.notify_one();
    Ok(is_new)
}

/// JSON of what is kept.
pub(super) fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers serialise")
}

/// What was kept.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Failed> {
    serde_json::from_str(text).map_err(|error| Failed(format!("what was kept is damaged: {error}")))
}

/// Answers the questions that are kept.
pub struct Callbacks(pub(in crate::http) Arc<App>);

impl Callbacks {
    /// Answers until `stop` is set. What is under way then is begun anew by the next start.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let app = self.0;
        if !app.shared.adapters.call_back() {
            return;
        }
        let (mut running, mut busy) = (JoinSet::new(), Busy::default());
        let finds = [
            tokio::spawn(github::find_lost(app.clone())),
            tokio::spawn(gitlab::find_blocked(app.clone())),
        ];
        loop {
            let pause = begin(&app, &mut running, &mut busy).await;
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                () = app.callbacks.notified() => {}
                () = tokio::time::sleep(pause) => {}
                Some(ended) = running.join_next_with_id() => {
                    let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                    busy.remove(&id);
                }
            }
        }
        finds.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Targets that are being told, each with its adapter.
type Busy = HashMap<tokio::task::Id, (String, String)>;

/// Whether there is a place for one more of an adapter, and nobody is telling its target.
fn has_place(busy: &Busy, one: &Callback) -> bool {
    let is_same = |told: &&(String, String)| told.0 == one.adapter;
    let same: Vec<_> = busy.values().filter(is_same).collect();
    same.len() < AT_ONCE && same.iter().all(|(_, target)| *target != one.target)
}

/// Begins what is due and whose target nobody is telling; how long to wait for what is not.
async fn begin(app: &Arc<App>, running: &mut JoinSet<()>, busy: &mut Busy) -> Duration {
    let due = match app.shared.store.due_callbacks(app.now()).await {
        Ok(due) => due,
        Err(error) => {
            tracing::error!(%error, "cannot read which callbacks are due");
            return AT_LEAST_EVERY;
        }
    };
    for one in due {
        if has_place(busy, &one) {
            let told = (one.adapter.clone(), one.target.clone());
            busy.insert(running.spawn(deliver(app.clone(), one)).id(), told);
        }
    }
    // What is due already waits for a target that is busy, and is woken by its end.
    let next = app.shared.store.next_callback().await.ok().flatten();
    let wait = next.map(|at| at - app.now()).and_then(|wait| wait.to_std().ok());
    wait.filter(|wait| !wait.is_zero()).unwrap_or(AT_LEAST_EVERY).min(AT_LEAST_EVERY)
}

async fn step(app: &App, one: &Callback) -> Result<Step, Failed> {
    match one.adapter.as_str() {
        terraform::NAME => terraform::step(app, one).await,
        github::NAME => github::step(app, one).await,
        gitlab::NAME => gitlab::step(app, one).await,
        other => Ok(Step::Done(format!("no adapter is called {other}"))),
    }
}

/// One try.
async fn deliver(app: Arc<App>, one: Callback) {
    let tried = caught(step(&app, &one)).await;
    let (store, now) = (&app.shared.store, app.now());
    let (adapter, id) = (&one.adapter, &one.id);
    let outcome = match &tried {
        Ok(Ok(_)) => "ok",
        Ok(Err(_)) => "failed",
        Err(_) => "panicked",
    };
    app.metrics.called_back(adapter, outcome);
    let kept = match tried.and_then(|step| step) {
        Ok(Step::Done(outcome)) => {
            tracing::info!(adapter, id, outcome, "a callback is finished");
            store.finish_callback(id, &outcome, now).await
        }
        Ok(Step::Later { at, progress }) => store.keep_callback(id, &progress, 0, at).await,
        Err(Failed(why)) => {
            tracing::warn!(adapter, id, attempts = one.attempts, why, "a callback failed");
            // What the try wrote down meanwhile stays.
            let progress = store.callback_progress(id).await.ok().flatten();
            let progress = progress.unwrap_or(one.progress);
            store.keep_callback(id, &progress, one.attempts + 1, now + pause(one.attempts)).await
        }
    };
    if let Err(error) = kept {
        tracing::error!(%error, adapter, id, "cannot write what came of a callback");
        // It is due still: not at once, so that a full disk is not asked all the time.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// What came of work; a panic in it is a failure, so that whoever does the work goes on with the rest.
async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Failed> {
    let caught = AssertUnwindSafe(work).catch_unwind().await;
    caught.map_err(|panic| Failed(format!("it panicked: {}", words(&*panic))))
}

/// Looks through places for what waits there, again and again as long as it runs. Whatever goes wrong in
/// one is logged, and keeps nobody from looking at the others, or there again.
pub(super) async fn look_through<F, Found>(
    adapter: &'static str,
    places: Vec<String>,
    every: Duration,
    find: F,
) where
    F: Fn(String) -> Found,
    Found: Future<Output = Result<(), Failed>>,
{
    loop {
        for place in &places {
            let found = caught(async { find(place.clone()).await }).await;
            if let Err(Failed(why)) = found.and_then(|found| found) {
                tracing::warn!(adapter, place, why, "cannot look for deployments that wait");
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// 1 s, 2 s, 4 s and so on.
fn pause(attempts: u32) -> TimeDelta {
    let seconds = 1_i64.checked_shl(attempts.min(20)).unwrap_or(i64::MAX);
    TimeDelta::try_seconds(seconds).map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests;
