//! Tokens in the database: made, listed and revoked by commands, also while a server runs.

use budget_gate::select::Glob;
use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use thiserror::Error;

use super::{NoRandom, Scope, Token, TokenHash};
use crate::store::{Store, StoreError, damaged, failed};

/// What a new token is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// How people call it; unique among those that are not revoked.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// For which services; for all when there is no pattern.
    pub services: Vec<Glob>,
    /// In which environments; in all when there is no pattern.
    pub environments: Vec<Glob>,
    /// For how long; for ever when it is `None`.
    pub lasts: Option<TimeDelta>,
}

/// A token as it is kept.
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// The public part of its text.
    pub id: String,
    /// What it is and may do.
    pub name: String,
    /// Of its text.
    pub hash: TokenHash,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// For which services; for all when there is no pattern.
    pub services: Vec<Glob>,
    /// In which environments; in all when there is no pattern.
    pub environments: Vec<Glob>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it holds.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was used last, to a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A token that was made: the only time that its text is known.
#[derive(Debug)]
pub struct Made {
    /// The token.
    pub token: Token,
    /// Until when it holds.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a token was not made.
#[derive(Debug, Error)]
pub enum NotMade {
    /// The name cannot be one.
    #[error(
        "`{0}` cannot be a token's name; use letters, digits, `.`, `_` and `-`, 1 to 63 of them"
    )]
    Name(String),
    /// The name is taken.
    #[error(
        "there is a token `{0}` already; revoke it (`slo-engine token revoke {0}`) or choose another name"
    )]
    Taken(String),
    /// It would be more than a secret for paths.
    #[error(
        "a token with the scope adapter stands in addresses, which are logged: beside it only \
         kind:hotfix and kind:security are possible; make another token for the rest"
    )]
    Mixed,
    /// It would end after the calendar.
    #[error("a token cannot last that long; leave the time out for one that does not expire")]
    TooLong,
    /// No random numbers.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a revocation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// It is revoked now.
    Now {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// There is no such token, or it was revoked before.
    Nothing,
}

/// Makes a token.
///
/// # Errors
/// Why there is none.
pub async fn create(store: &Store, asked: &Asked, now: DateTime<Utc>) -> Result<Made, NotMade> {
    let is_fit = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if !(1..=63).contains(&asked.name.len()) || !asked.name.bytes().all(is_fit) {
        return Err(NotMade::Name(asked.name.clone()));
    }
    let may_stand_beside =
        |scope: &Scope| matches!(scope, Scope::Adapter | Scope::KindHotfix | Scope::KindSecurity);
    if asked.scopes.contains(&Scope::Adapter) && !asked.scopes.iter().all(may_stand_beside) {
        return Err(NotMade::Mixed);
    }
    let end = |lasts| now.checked_add_signed(lasts).ok_or(NotMade::TooLong);
    let expires_at = asked.lasts.map(end).transpose()?;
    let token = Token::random()?;
    let insert = sqlx::query(
        "INSERT INTO tokens (id, name, hash, scopes, services, environments, created_at, expires_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    );
    let insert = insert
        .bind(token.id())
        .bind(&asked.name)
        .bind(token.hash().0.to_vec())
        .bind(json(&asked.scopes))
        .bind(json(&asked.services))
        .bind(json(&asked.environments))
        .bind(now.timestamp_millis())
        .bind(expires_at.map(|at| at.timestamp_millis()));
    match insert.execute(store.pool()).await {
        Ok(_) => Ok(Made { token, expires_at }),
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => {
            Err(NotMade::Taken(asked.name.clone()))
        }
        Err(error) => Err(failed("make a token")(error).into()),
    }
}

/// All tokens, by name, the newest of a name first.
///
/// # Errors
/// When they cannot be read.
pub async fn list(store: &Store) -> Result<Vec<StoredToken>, StoreError> {
    let select = sqlx::query(
        "SELECT id, name, hash, scopes, services, environments, created_at, expires_at, \
         last_used_at, revoked_at FROM tokens ORDER BY name, created_at DESC, id",
    );
    let rows = select.fetch_all(store.pool()).await.map_err(failed("read tokens"))?;
    rows.iter().map(stored).collect()
}

/// Revokes a token, by its id or its name; servers that run follow within seconds.
///
/// # Errors
/// When it cannot be written.
pub async fn revoke(store: &Store, which: &str, now: DateTime<Utc>) -> Result<Revoked, StoreError> {
    // A name may look like another one's id: the id counts.
    let update = sqlx::query_as(
        "UPDATE tokens SET revoked_at = ?1 WHERE revoked_at IS NULL AND id = coalesce( \
         (SELECT id FROM tokens WHERE id = ?2), \
         (SELECT id FROM tokens WHERE name = ?2 AND revoked_at IS NULL)) RETURNING id, name",
    );
    let done = update.bind(now.timestamp_millis()).bind(which).fetch_optional(store.pool()).await;
    let found: Option<(String, String)> = done.map_err(failed("revoke a token"))?;
    Ok(found.map_or(Revoked::Nothing, |(id, name)| Revoked::Now { id, name }))
}

/// Notes when tokens were used last.
pub(super) async fn note_use(
    store: &Store,
    used: &[(String, DateTime<Utc>)],
) -> Result<(), StoreError> {
    let used: Vec<_> = used.iter().map(|(id, at)| (id, at.timestamp_millis())).collect();
    let update = sqlx::query(
        "UPDATE tokens SET last_used_at = max(coalesce(last_used_at, 0), used.value ->> 1) \
         FROM json_each(?) AS used WHERE tokens.id = used.value ->> 0",
    );
    let done = update.bind(json(&used)).execute(store.pool()).await;
    done.map_err(failed("note the use of tokens"))?;
    Ok(())
}

fn json(list: &impl serde::Serialize) -> String {
    serde_json::to_string(list).expect("a list of texts and numbers is JSON")
}

fn stored(row: &SqliteRow) -> Result<StoredToken, StoreError> {
    let at =
        |column: &str| row.get::<Option<i64>, _>(column).and_then(DateTime::from_timestamp_millis);
    let hash: Result<[u8; 32], _> = row.get::<&[u8], _>("hash").try_into();
    Ok(StoredToken {
        id: row.get("id"),
        name: row.get("name"),
        hash: TokenHash(hash.map_err(|_| damaged("tokens")("a hash of another length"))?),
        scopes: listed(row, "scopes")?,
        services: listed(row, "services")?,
        environments: listed(row, "environments")?,
        created_at: at("created_at").unwrap_or_default(),
        expires_at: at("expires_at"),
        last_used_at: at("last_used_at"),
        revoked_at: at("revoked_at"),
    })
}

fn listed<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<Vec<T>, StoreError> {
    let wrong = |e: serde_json::Error| damaged("tokens")(format!("{column}: {e}"));
    serde_json::from_str(row.get(column)).map_err(wrong)
}
