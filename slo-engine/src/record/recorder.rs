//! Records durably: an answer says that what was given is on the disk. Callers that wait at the
//! same time share a transaction.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use budget_gate::decision::Recorded;
use budget_gate::incident::Incident;
use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::failing::Failing;
use super::signing::SigningKey;
use super::writer::{QUEUE, Writer};
use super::{Entry, Records};
use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// How often it is checked whether a head is due, and whether what failed works again.
const CHECK: Duration = Duration::from_secs(60);

/// The one that writes records; clones write to the same chain.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Waiting>,
    records: Records,
    clock: Arc<dyn Clock>,
    failing: Arc<Failing>,
    running: Arc<Running>,
}

struct Running {
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Why something was not recorded, as callers may read it.
#[derive(Debug, Clone, Error)]
pub enum Unrecorded {
    /// Too many wait already.
    #[error("{QUEUE} others wait to be recorded already")]
    Full,
    /// The time was over.
    #[error("it was not recorded within {} ms{}", within.as_millis(), if *under_way { "; it may still be, because writing had begun" } else { "" })]
    Slow {
        /// The time.
        within: Duration,
        /// Whether its transaction had begun: then it may be recorded all the same. Else it is not.
        under_way: bool,
    },
    /// The transaction failed. What the database said is for those who run the engine.
    #[error("the database could not be written; whoever runs the engine finds why in its log")]
    Failed(#[source] Arc<StoreError>),
    /// The server ends.
    #[error("the recorder has stopped")]
    Stopped,
}

/// What is to be written.
#[derive(Debug)]
pub(super) enum Work {
    /// A link of the chain.
    Entry(Entry),
    /// Incidents as they are now; they are no part of it.
    Incidents(Vec<Incident>),
}

impl Work {
    pub(super) const fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Incidents(_) => None,
        }
    }

    pub(super) const fn rows(&self) -> usize {
        match self {
            Self::Entry(_) => 1,
            Self::Incidents(incidents) => incidents.len(),
        }
    }

    pub(super) fn incidents(&self) -> &[Incident] {
        match self {
            Self::Entry(_) => &[],
            Self::Incidents(incidents) => incidents,
        }
    }
}

/// Something to write whose caller waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) work: Work,
    pub(super) claim: Claim,
    pub(super) then: Then,
    pub(super) reply: oneshot::Sender<Result<Recorded, Unrecorded>>,
}

/// What follows from a record, whether or not its caller still waits.
pub(super) struct Then(Box<dyn FnOnce(&Recorded) + Send + Sync>);

impl Then {
    pub(super) fn follow(self, recorded: &Recorded) {
        (self.0)(recorded);
    }
}

impl fmt::Debug for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Then")
    }
}

/// Who gets to it first: the writer, or a caller that gives up.
#[derive(Debug, Clone, Default)]
pub(super) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Whether this is the first to take it.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_taken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A caller that goes away has given up.
struct Asking(Claim);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.take();
    }
}

impl Recorder {
    /// Continues the chain of a database.
    ///
    /// # Errors
    /// When its end cannot be read.
    pub async fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        key: SigningKey,
    ) -> Result<Self, StoreError> {
        Self::checking(store, clock, key, CHECK).await
    }

    /// The same, with another time between checks whether a head is due.
    pub(super) async fn checking(
        store: Store,
        clock: Arc<dyn Clock>,
        key: SigningKey,
        check: Duration,
    ) -> Result<Self, StoreError> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (stop, stopped) = watch::channel(false);
        let records = Records::of(store.clone());
        let failing = Arc::<Failing>::default();
        let writer = Writer::start(store, clock.clone(), key, waiting, failing.clone()).await?;
        let task = Mutex::new(Some(tokio::spawn(writer.run(stopped, check))));
        let running = Arc::new(Running { stop, task });
        Ok(Self { queue, records, clock, failing, running })
    }

    /// Records an entry; the answer comes when it is on the disk, or when the time is over.
    ///
    /// # Errors
    /// Why it is not recorded. An entry whose caller gave up (or went away) before its transaction
    /// began is never written.
    pub async fn record(&self, entry: Entry, within: Duration) -> Result<Recorded, Unrecorded> {
        self.record_then(entry, within, |_| {}).await
    }

    /// The same, where something follows from it: `then` runs before the answer, once the entry is on
    /// the disk, also when its caller gave up or went away while it was being written. So memory
    /// never knows less than the record. It must not wait for anything.
    ///
    /// # Errors
    /// As [`Recorder::record`].
    pub async fn record_then(
        &self,
        entry: Entry,
        within: Duration,
        then: impl FnOnce(&Recorded) + Send + Sync + 'static,
    ) -> Result<Recorded, Unrecorded> {
        self.write_then(Work::Entry(entry), within, then).await
    }

    /// Writes incidents as they are now, all of them or none, in the transaction of what is recorded at
    /// the same time. `then` runs as in [`Recorder::record_then`].
    ///
    /// # Errors
    /// As [`Recorder::record`].
    pub async fn report_then(
        &self,
        incidents: Vec<Incident>,
        within: Duration,
        then: impl FnOnce() + Send + Sync + 'static,
    ) -> Result<(), Unrecorded> {
        self.write_then(Work::Incidents(incidents), within, |_| then()).await.map(drop)
    }

    async fn write_then(
        &self,
        work: Work,
        within: Duration,
        then: impl FnOnce(&Recorded) + Send + Sync + 'static,
    ) -> Result<Recorded, Unrecorded> {
        let recorded = self.wait(work, within, Then(Box::new(then))).await;
        if let Err(why @ (Unrecorded::Full | Unrecorded::Slow { .. })) = &recorded {
            self.failing.in_vain(why, self.clock.now());
        }
        recorded
    }

    async fn wait(&self, work: Work, within: Duration, then: Then) -> Result<Recorded, Unrecorded> {
        let (reply, answer) = oneshot::channel();
        let asking = Asking(Claim::default());
        let waiting = Waiting { work, claim: asking.0.clone(), then, reply };
        self.queue.try_send(waiting).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Unrecorded::Full,
            mpsc::error::TrySendError::Closed(_) => Unrecorded::Stopped,
        })?;
        match tokio::time::timeout(within, answer).await {
            Ok(answered) => answered.unwrap_or(Err(Unrecorded::Stopped)),
            Err(_) => Err(Unrecorded::Slow { within, under_way: !asking.0.take() }),
        }
    }

    /// Since when nothing can be recorded; `None` while all goes well. Without callers it is tried
    /// again once a minute.
    #[must_use]
    pub fn failing_since(&self) -> Option<DateTime<Utc>> {
        self.failing.since()
    }

    /// What was recorded.
    #[must_use]
    pub const fn records(&self) -> &Records {
        &self.records
    }

    /// Takes nothing more, writes what waits, signs the end when something was written since the
    /// last signed one, and returns when that is done.
    pub async fn stop(&self) {
        self.running.stop.send_replace(true);
        if let Some(task) = self.running.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the recorder broke off");
        }
    }
}

#[cfg(test)]
pub(in crate::record) mod tests;
