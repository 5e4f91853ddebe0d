//! When work is due. The only file that names the scheduler, which is no more than a coarse trigger:
//! what is due is decided by the clock, so a lost, late or doubled activation changes nothing.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use slo_core::time::Span;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

/// Ticks that never overlap: the next one is asked for when the last one is done.
pub struct Ticks {
    scheduler: JobScheduler,
    triggers: mpsc::Receiver<()>,
    every: TimeDelta,
    due: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Ticks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticks")
            .field("every", &self.every)
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

/// The scheduler wakes up this often.
const COARSE: &str = "* * * * * *";
/// Without a trigger for so long the scheduler has died; work goes on without it.
const SILENCE: Duration = Duration::from_secs(5);

impl Ticks {
    /// Starts the trigger.
    ///
    /// # Errors
    /// When the scheduler cannot be started.
    pub async fn start(every: Span) -> anyhow::Result<Self> {
        let (sender, triggers) = mpsc::channel(1);
        let scheduler = JobScheduler::new().await.context("cannot start the scheduler")?;
        let trigger = move |_, _: JobScheduler| {
            // A trigger that is waiting already is enough.
            let _ = sender.try_send(());
        };
        let job = Job::new(COARSE, trigger);
        scheduler
            .add(job.context("cannot make the tick's job")?)
            .await
            .context("cannot add the tick's job")?;
        scheduler.start().await.context("cannot start the scheduler")?;
        Ok(Self {
            scheduler,
            triggers,
            every: TimeDelta::milliseconds(every.as_millis()),
            due: None,
        })
    }

    /// Waits until a tick may be due. Drops nothing when it is cancelled.
    pub async fn wait(&mut self) {
        if tokio::time::timeout(SILENCE, self.triggers.recv()).await.is_err() {
            tracing::error!("the scheduler has been silent for 5 s, ticking without it");
        }
    }

    /// Whether a tick is due at `now`; then the next one is due a whole number of ticks later.
    pub fn is_due(&mut self, now: DateTime<Utc>) -> bool {
        let due = self.due.unwrap_or(now);
        // A clock that was set back does not stop the ticks.
        let is_due = now >= due || due - now > self.every;
        if is_due {
            let late = (now - due).num_milliseconds().max(0) / self.every.num_milliseconds().max(1);
            let base = if due - now > self.every { now } else { due };
            self.due = Some(base + self.every * i32::try_from(late + 1).unwrap_or(i32::MAX));
        }
        is_due
    }

    /// Stops the trigger.
    pub async fn stop(&mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "the scheduler did not stop in order");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[tokio::test]
    async fn ticks_are_due_by_the_clock_and_missed_ones_are_not_made_up() {
        let mut ticks = Ticks::start(Span::seconds(15)).await.unwrap();
        let due: Vec<bool> = [100, 101, 114, 115, 116, 175, 176, 189, 190, 60]
            .iter()
            .map(|s| ticks.is_due(at(*s)))
            .collect();
        assert_eq!(due, [true, false, false, true, false, true, false, false, true, true]);
        ticks.stop().await;
    }

    #[tokio::test]
    async fn the_trigger_comes_every_second() {
        let mut ticks = Ticks::start(Span::seconds(1)).await.unwrap();
        tokio::time::timeout(Duration::from_secs(4), ticks.wait()).await.unwrap();
        ticks.stop().await;
    }
}
