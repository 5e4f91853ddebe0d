//! The tokens in memory, read on the way of every request: a database that is slow or gone keeps
//! nobody out who was known before.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::bucket::Bucket;
use super::stored::{self, StoredToken, note_use};
use super::{Principal, Token, TokenHash};
use crate::config::RateLimit;
use crate::store::{Stamp, Store, StoreError};

/// What a token is checked against is at most so old.
const EVERY: Duration = Duration::from_secs(2);

/// How long a database is waited for that is slow or gone; then what was known goes on.
const PATIENCE: Duration = Duration::from_millis(500);

/// Unknown ids make the tokens be read no more often than this, and for no longer.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// How often whoever it is may send a secret in a path that is none.
const GUESSES: RateLimit = RateLimit { per_second: 1, burst: 20 };

/// How exactly the last use is known, in milliseconds.
const USE_EVERY: i64 = 60_000;

/// All tokens of a database; clones share them.
#[derive(Debug, Clone)]
pub struct Tokens(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    limit: RateLimit,
    known: RwLock<Arc<Known>>,
    /// When they were read last because of an unknown id.
    asked: tokio::sync::Mutex<Option<Instant>>,
    /// Of secrets in paths that were none.
    guesses: Mutex<Option<Bucket>>,
    /// Wakes who looks at the database.
    wake: mpsc::Sender<()>,
    looks: watch::Sender<Look>,
}

/// The last look at the database.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    /// Whether the tokens could not be read or noted.
    is_failing: bool,
}

type Known = HashMap<String, Arc<One>>;

/// A token and what has become of it here.
#[derive(Debug)]
struct One {
    hash: TokenHash,
    principal: Arc<Principal>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    live: Arc<Live>,
}

/// What outlives reading the tokens again.
#[derive(Debug, Default)]
struct Live {
    bucket: Mutex<Option<Bucket>>,
    /// Unix milliseconds; 0 is never.
    used: AtomicI64,
    /// The last use that the database knows.
    noted: AtomicI64,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// There is none like that.
    #[error("the token is not known")]
    Unknown,
    /// It was revoked.
    #[error("the token was revoked at {0}")]
    Revoked(DateTime<Utc>),
    /// Its time is over.
    #[error("the token expired at {0}")]
    Expired(DateTime<Utc>),
    /// It asks too often.
    #[error("the token asks too often; ask again in {} ms", retry_after.as_millis())]
    TooOften {
        /// When it may ask again.
        retry_after: Duration,
    },
}

impl Tokens {
    /// Reads the tokens. What changes is followed when they are asked for: a server that nobody asks
    /// does nothing.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn start(store: Store, limit: RateLimit) -> Result<Self, StoreError> {
        let (known, guesses) = (RwLock::default(), Mutex::default());
        let (wake, woken) = mpsc::channel(1);
        let looks = watch::Sender::new(Look { at: Instant::now(), is_failing: false });
        let shared = Shared { store, limit, known, asked: None.into(), guesses, wake, looks };
        let tokens = Self(Arc::new(shared));
        tokens.0.read().await?;
        tokio::spawn(follow(Arc::downgrade(&tokens.0), woken));
        Ok(tokens)
    }

    /// Who sends a token. Accepting one counts against its rate.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn check(&self, bearer: &str, now: DateTime<Utc>) -> Result<Arc<Principal>, Refused> {
        let token = Token::parse(bearer).ok_or(Refused::Unknown)?;
        self.0.keep_up().await;
        let found = match self.0.find(token.id()) {
            Some(found) => Some(found),
            None => {
                self.0.read_for_unknown().await;
                self.0.find(token.id())
            }
        };
        let one = found.filter(|one| one.hash.is_of(&token)).ok_or(Refused::Unknown)?;
        one.admit(self.0.limit, now)?;
        if one.live.is_fresh(USE_EVERY) && !self.0.looks.borrow().is_failing {
            self.0.wake();
        }
        Ok(one.principal.clone())
    }

    /// Who sends a token as a part of a path. Paths end up in logs on their way, so only a token that
    /// was made for them counts; all others are equally unknown, and limited in number.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn check_secret(
        &self,
        secret: &str,
        now: DateTime<Utc>,
    ) -> Result<Arc<Principal>, Refused> {
        match self.check(secret, now).await {
            Ok(principal) if principal.is_for_paths() => return Ok(principal),
            Ok(principal) => tracing::warn!(
                token = principal.name,
                "a token that lacks the scope adapter came in a path; revoke it: paths are logged"
            ),
            Err(refused @ Refused::TooOften { .. }) => return Err(refused),
            Err(_) => {}
        }
        let mut guesses = self.0.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = guesses.get_or_insert_with(|| Bucket::full(GUESSES, now));
        bucket.take(GUESSES, now).map_err(too_often)?;
        Err(Refused::Unknown)
    }

    /// Reads the tokens now.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.0.read().await
    }

    /// Writes down uses that the database does not know yet; for the end of a server.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.0.note_uses(0).await
    }
}

impl Live {
    /// Whether its last use is newer by so many milliseconds than the one that the database knows.
    fn is_fresh(&self, newer_by: i64) -> bool {
        let (used, noted) = (self.used.load(Ordering::Relaxed), self.noted.load(Ordering::Relaxed));
        used > noted && used - noted >= newer_by
    }
}

impl One {
    fn admit(&self, limit: RateLimit, now: DateTime<Utc>) -> Result<(), Refused> {
        if let Some(at) = self.revoked_at {
            return Err(Refused::Revoked(at));
        }
        if let Some(at) = self.expires_at.filter(|at| *at <= now) {
            return Err(Refused::Expired(at));
        }
        let mut bucket = self.live.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = bucket.get_or_insert_with(|| Bucket::full(limit, now)).take(limit, now);
        taken.map_err(too_often)?;
        self.live.used.fetch_max(now.timestamp_millis(), Ordering::Relaxed);
        Ok(())
    }
}

fn too_often(wait: TimeDelta) -> Refused {
    Refused::TooOften { retry_after: wait.to_std().unwrap_or(Duration::ZERO) }
}

impl Shared {
    fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, id: &str) -> Option<Arc<One>> {
        self.known().get(id).cloned()
    }

    async fn read(&self) -> Result<(), StoreError> {
        let all = stored::list(&self.store).await?;
        let before = self.known();
        let known = all.into_iter().map(|token| {
            let live = before.get(&token.id).map_or_else(Arc::default, |one| one.live.clone());
            (token.id.clone(), Arc::new(one(token, live)))
        });
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known.collect());
        Ok(())
    }

    /// A token may have been made a moment ago. Whoever sends many unknown ones costs one read a second.
    async fn read_for_unknown(&self) {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < AT_MOST_EVERY) {
            return;
        }
        match tokio::time::timeout(AT_MOST_EVERY, self.read()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "the tokens cannot be read for an unknown one");
            }
            Err(_) => tracing::debug!("reading the tokens for an unknown one takes too long"),
        }
        *asked = Some(Instant::now());
    }

    /// Wakes who looks at the database.
    fn wake(&self) {
        // A call that waits already is enough.
        let _ = self.wake.try_send(());
    }

    /// Waits until the last look at the database is recent. One that is slow or gone is not waited for
    /// twice.
    async fn keep_up(&self) {
        let last = *self.looks.borrow();
        if last.at.elapsed() < EVERY {
            return;
        }
        self.wake();
        if last.is_failing {
            return;
        }
        let mut looks = self.looks.subscribe();
        let newer = looks.wait_for(|look| look.at > last.at);
        if tokio::time::timeout(PATIENCE, newer).await.is_err() {
            self.failed("the database does not answer");
        }
    }

    /// Says once that those who are known go on.
    fn failed(&self, error: &str) {
        let is_new =
            self.looks.send_if_modified(|look| !std::mem::replace(&mut look.is_failing, true));
        if is_new {
            tracing::error!(error, "the tokens cannot be read or noted, those known go on");
        }
    }

    /// Notes uses that are newer by so many milliseconds than those that the database knows.
    async fn note_uses(&self, newer_by: i64) -> Result<(), StoreError> {
        let known = self.known();
        let fresh = known.iter().filter(|(_, one)| one.live.is_fresh(newer_by));
        let fresh = fresh.filter_map(|(id, one)| {
            let used = one.live.used.load(Ordering::Relaxed);
            Some((id.clone(), DateTime::from_timestamp_millis(used)?))
        });
        let fresh: Vec<(String, DateTime<Utc>)> = fresh.collect();
        if fresh.is_empty() {
            return Ok(());
        }
        note_use(&self.store, &fresh).await?;
        for (id, at) in fresh {
            if let Some(one) = known.get(&id) {
                one.live.noted.fetch_max(at.timestamp_millis(), Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

fn one(token: StoredToken, live: Arc<Live>) -> One {
    let noted = token.last_used_at.map_or(0, |at| at.timestamp_millis());
    live.noted.fetch_max(noted, Ordering::Relaxed);
    let principal = Principal {
        name: format!("token:{}", token.name),
        id: token.id,
        scopes: token.scopes,
        services: token.services,
        environments: token.environments,
    };
    let (hash, expires_at, revoked_at) = (token.hash, token.expires_at, token.revoked_at);
    One { hash, principal: Arc::new(principal), expires_at, revoked_at, live }
}

/// Tells when the tokens are to be read: asking the database each time would cost more than a tick of
/// 400 SLOs.
#[derive(Debug, Default)]
struct Changes {
    seen: Option<Stamp>,
    /// What was written just after a change was seen may not show.
    again: bool,
}

impl Changes {
    /// Whether the database may hold what has not been read, as its stamp before the reading shows.
    fn may_be_there(&mut self, now: Stamp) -> bool {
        let changed = self.seen.replace(now) != Some(now);
        std::mem::replace(&mut self.again, changed) || changed
    }

    /// What was to be read was not.
    const fn forget(&mut self) {
        self.seen = None;
    }
}

/// Reads the tokens again when the database was written to, and notes their uses, when it is woken and
/// as long as somebody has them.
async fn follow(tokens: Weak<Shared>, mut woken: mpsc::Receiver<()>) {
    let mut changes = Changes::default();
    while let (Some(()), Some(tokens)) = (woken.recv().await, tokens.upgrade()) {
        let last = *tokens.looks.borrow();
        let is_due = last.at.elapsed() >= EVERY;
        let at = if is_due { Instant::now() } else { last.at };
        let read = match is_due && changes.may_be_there(tokens.store.stamp()) {
            true => tokens.read().await,
            false => Ok(()),
        };
        let done = match read {
            Ok(()) => tokens.note_uses(USE_EVERY).await,
            failed => failed,
        };
        if let Err(error) = &done {
            changes.forget();
            tokens.failed(&error.to_string());
        }
        let is_failing = done.is_err();
        if tokens.looks.send_replace(Look { at, is_failing }).is_failing && !is_failing {
            tracing::info!("the tokens are read again");
        }
    }
}

#[cfg(test)]
mod tests;
