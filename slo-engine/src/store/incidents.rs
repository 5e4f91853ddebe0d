//! Incidents: each as it is now. They are no part of the chain.

use budget_gate::incident::Incident;
use budget_gate::policy::rule::Severity;
use chrono::{DateTime, Utc};
use slo_core::time::Span;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{Store, StoreError, damaged, failed};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, key, service, environment, severity, title, opened_at, confirmed_at, closed_at \
             FROM incidents ",
            $rest
        )
    };
}

impl Store {
    /// Open incidents and those closed lately, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn incidents(&self) -> Result<Vec<Incident>, StoreError> {
        let rows = sqlx::query(select!(
            "WHERE closed_at IS NULL \
             OR closed_at >= (SELECT max(confirmed_at) FROM incidents) - 604800000 ORDER BY opened_at, id"
        ));
        let rows = rows.fetch_all(self.pool()).await.map_err(failed("read incidents"))?;
        rows.iter().map(incident).collect()
    }

    /// Incidents that were open at some instant of `from..to`, where one that nothing confirms for
    /// `closes_after` is closed; oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn incidents_between(
        &self,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        closes_after: Span,
    ) -> Result<Vec<Incident>, StoreError> {
        let from = from.timestamp_millis();
        let rows = sqlx::query(select!(
            "WHERE opened_at < ? AND confirmed_at > ? AND (closed_at IS NULL OR closed_at > ?) \
             ORDER BY opened_at, id"
        ));
        let rows = rows.bind(to.timestamp_millis());
        let rows = rows.bind(from.saturating_sub(closes_after.as_millis())).bind(from);
        let rows = rows.fetch_all(self.pool()).await.map_err(failed("read incidents"))?;
        rows.iter().map(incident).collect()
    }
}

/// SQLite takes 32,766 values in a statement.
const AT_ONCE: usize = 1_000;

/// Writes incidents as they are now, in the transaction of the connection.
///
/// # Errors
/// When they cannot be written.
pub(crate) async fn put_incidents(
    connection: &mut SqliteConnection,
    incidents: &[&Incident],
) -> Result<(), StoreError> {
    for some in incidents.chunks(AT_ONCE) {
        put(some)
            .build()
            .persistent(false)
            .execute(&mut *connection)
            .await
            .map_err(failed("write incidents"))?;
    }
    Ok(())
}

fn put(incidents: &[&Incident]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "INSERT INTO incidents (id, key, service, environment, severity, title, opened_at, \
         confirmed_at, closed_at) ",
    );
    query.push_values(incidents, |mut row, one| {
        row.push_bind(&one.id)
            .push_bind(&one.key)
            .push_bind(&one.service)
            .push_bind(&one.environment)
            .push_bind(one.severity.as_str())
            .push_bind(&one.title)
            .push_bind(one.opened_at.timestamp_millis())
            .push_bind(one.confirmed_at.timestamp_millis())
            .push_bind(one.closed_at.map(|at| at.timestamp_millis()));
    });
    query.push(
        " ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, title = excluded.title, \
         confirmed_at = excluded.confirmed_at, closed_at = excluded.closed_at",
    );
    query
}

fn incident(row: &SqliteRow) -> Result<Incident, StoreError> {
    let instant = |millis: i64| {
        DateTime::<Utc>::from_timestamp_millis(millis)
            .ok_or_else(|| damaged("incidents")("an instant beyond the calendar"))
    };
    let severity: &str = row.get("severity");
    let known = [Severity::Critical, Severity::Major, Severity::Minor];
    let found = known.into_iter().find(|known| known.as_str() == severity);
    Ok(Incident {
        id: row.get("id"),
        key: row.get("key"),
        service: row.get("service"),
        environment: row.get("environment"),
        severity: found.ok_or_else(|| damaged("incidents")("a severity that nobody knows"))?,
        title: row.get("title"),
        opened_at: instant(row.get("opened_at"))?,
        confirmed_at: instant(row.get("confirmed_at"))?,
        closed_at: row.get::<Option<i64>, _>("closed_at").map(instant).transpose()?,
    })
}
