//! When work is due. The only file that names the scheduler, which is no more than a coarse trigger:
//! what is due is decided by the clock, so a lost, late or doubled activation changes nothing.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use slo_core::time::Span;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_cron_scheduler::{Job, JobScheduler};

/// Ticks that never overlap: the next one is asked for when the last one is done.
pub struct Ticks {
    /// The trigger ends when this is dropped.
    _stop: std::sync::mpsc::Sender<()>,
    triggers: mpsc::Receiver<()>,
    every: TimeDelta,
    /// Between two triggers.
    grid: Duration,
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

/// Without a trigger for so long after it should have come the scheduler has died; work goes on
/// without it.
const SILENCE: Duration = Duration::from_secs(5);

impl Ticks {
    /// Starts the trigger.
    ///
    /// # Errors
    /// When the scheduler cannot be started.
    pub async fn start(every: Span) -> anyhow::Result<Self> {
        let (sender, triggers) = mpsc::channel(1);
        let (stop, stopped) = std::sync::mpsc::channel();
        let (say, said) = oneshot::channel();
        let grid = grid(every);
        let work = move || match Trigger::start(grid, sender) {
            Err(error) => drop(say.send(Err(error))),
            Ok(trigger) => {
                if say.send(Ok(())).is_ok() {
                    trigger.run(&stopped);
                }
            }
        };
        std::thread::Builder::new()
            .name("schedule".to_owned())
            .spawn(work)
            .context("cannot start the scheduler's thread")?;
        said.await.context("the scheduler ended")??;
        Ok(Self {
            _stop: stop,
            triggers,
            every: TimeDelta::milliseconds(every.as_millis()),
            grid: Duration::from_secs(grid.unsigned_abs()),
            due: None,
        })
    }

    /// Waits until a tick may be due; the first one is due at once. Drops nothing when it is cancelled.
    pub async fn wait(&mut self) {
        if self.due.is_none() {
            return;
        }
        let patience = self.grid + SILENCE;
        let begun = tokio::time::Instant::now();
        if let Ok(Some(())) = tokio::time::timeout(patience, self.triggers.recv()).await {
            return;
        }
        // A scheduler that has ended is silent at once.
        tokio::time::sleep_until(begun + patience).await;
        tracing::error!("the scheduler has been silent for 5 s, ticking without it");
    }

    /// Whether a tick is due at `now`; then the next one is due a whole number of ticks later. Triggers
    /// come on whole multiples of the grid; where ticks are multiples of it, too, they are due there.
    pub fn is_due(&mut self, now: DateTime<Utc>) -> bool {
        let due = self.due.unwrap_or(now);
        // A clock that was set back does not stop the ticks.
        let is_due = now >= due || due - now > self.every;
        if is_due {
            let late = (now - due).num_milliseconds().max(0) / self.every.num_milliseconds().max(1);
            let base = if due - now > self.every { now } else { due };
            let next = base + self.every * i32::try_from(late + 1).unwrap_or(i32::MAX);
            let grid = self.grid.as_millis() as i64;
            let fits = self.every.num_milliseconds() % grid == 0;
            let beyond = if fits { next.timestamp_millis().rem_euclid(grid) } else { 0 };
            self.due = Some(next - TimeDelta::milliseconds(beyond));
        }
        is_due
    }
}

/// The scheduler on a runtime of its own. It would wake up twice a second; it is left asleep until
/// its next job is near.
struct Trigger {
    runtime: Runtime,
    scheduler: JobScheduler,
    fired: Arc<Notify>,
    grid: Duration,
}

impl Trigger {
    fn start(grid: i64, sender: mpsc::Sender<()>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.context("cannot start the scheduler's runtime")?;
        let fired = Arc::new(Notify::new());
        let note = fired.clone();
        let trigger = move |_, _: JobScheduler| {
            // A trigger that is waiting already is enough.
            let _ = sender.try_send(());
            note.notify_one();
        };
        let job = Job::new(cron(grid), trigger).context("cannot make the tick's job")?;
        let scheduler = runtime.block_on(async {
            let scheduler = JobScheduler::new().await.context("cannot start the scheduler")?;
            scheduler.add(job).await.context("cannot add the tick's job")?;
            scheduler.start().await.context("cannot start the scheduler")?;
            anyhow::Ok(scheduler)
        })?;
        Ok(Self { runtime, scheduler, fired, grid: Duration::from_secs(grid.unsigned_abs()) })
    }

    /// Triggers until nobody holds the other end of `stopped`.
    fn run(mut self, stopped: &std::sync::mpsc::Receiver<()>) {
        loop {
            // In whole seconds, so up to one too late.
            let left = self.runtime.block_on(self.scheduler.time_till_next_job());
            let left = left.ok().flatten().unwrap_or_default();
            // A clock that was set back makes it longer.
            let pause = left.min(self.grid).saturating_sub(Duration::from_secs(1));
            if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let fired = async { tokio::time::timeout(SILENCE, self.fired.notified()).await };
            // Without a trigger the ticks say so themselves.
            let _ = self.runtime.block_on(fired);
        }
    }
}

/// Seconds between triggers: the most that every tick is a multiple of, within a minute.
fn grid(every: Span) -> i64 {
    let (mut a, mut b) = (60, every.as_millis() / 1_000);
    if every.as_millis() % 1_000 != 0 {
        return 1;
    }
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn cron(grid: i64) -> String {
    if grid == 60 { "0 * * * * *".to_owned() } else { format!("*/{grid} * * * * *") }
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
        let due: Vec<bool> = [100, 101, 104, 105, 106, 165, 166, 179, 180, 60]
            .iter()
            .map(|s| ticks.is_due(at(*s)))
            .collect();
        assert_eq!(due, [true, false, false, true, false, true, false, false, true, true]);
    }

    #[tokio::test]
    async fn ticks_of_a_second_and_a_half_come_two_in_three_seconds() {
        let mut ticks = Ticks::start(Span::millis(1_500)).await.unwrap();
        let due = (100..130).filter(|second| ticks.is_due(at(*second))).count();
        assert_eq!(due, 20);
    }

    #[test]
    fn triggers_are_as_rare_as_the_ticks_allow() {
        let grids = [1_000, 7_000, 10_000, 15_000, 45_000, 60_000, 90_000, 120_000, 1_500]
            .map(|millis| grid(Span::millis(millis)));
        assert_eq!(grids, [1, 1, 10, 15, 15, 60, 30, 60, 1]);
        assert_eq!((cron(15).as_str(), cron(60).as_str()), ("*/15 * * * * *", "0 * * * * *"));
    }

    #[tokio::test]
    async fn the_trigger_comes_every_second() {
        let mut ticks = Ticks::start(Span::seconds(1)).await.unwrap();
        assert!(ticks.is_due(at(100)));
        for _ in 0..3 {
            tokio::time::timeout(Duration::from_secs(4), ticks.wait()).await.unwrap();
        }
    }
}
