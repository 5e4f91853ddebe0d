//! Questions that are answered by a call of our own, as rows: there before the question is accepted,
//! and until the call has been made.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, failed};

/// A question to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCallback {
    /// Its id, if it is new.
    pub id: String,
    /// Who asks.
    pub adapter: &'static str,
    /// By what the caller knows the question.
    pub key: String,
    /// Whom the answer is told: one call at a time.
    pub target: String,
    /// The message that brought it.
    pub delivery: String,
    /// What is asked and where the answer goes, JSON.
    pub call: String,
}

/// A question that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Its id.
    pub id: String,
    /// Who asks.
    pub adapter: String,
    /// Whom the answer is told.
    pub target: String,
    /// What is asked and where the answer goes, JSON.
    pub call: String,
    /// What has been decided and told so far, JSON.
    pub progress: String,
    /// How many tries failed since the last one that did not.
    pub attempts: u32,
    /// When it was asked.
    pub created_at: DateTime<Utc>,
}

/// Finished ones are kept for so long, so that a message that is repeated asks nothing again.
const KEPT: TimeDelta = TimeDelta::days(40);

/// So many that are due are seen at once: more than are told at once.
const SEEN: i64 = 64;

impl Store {
    /// Keeps a question; `false` when it is kept already, or was finished by the same message. What was
    /// found without a message (`found:`) is not asked anew once it was answered; a new message of GitLab
    /// about what is kept begins anew, because there people ask for it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_callback(
        &self,
        new: &NewCallback,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let now = now.timestamp_millis();
        let insert = sqlx::query(
            "INSERT INTO callbacks (id, adapter, key, target, delivery, call, progress, attempts, \
             created_at, due_at) VALUES (?, ?, ?, ?, ?, ?, 'null', 0, ?, ?) \
             ON CONFLICT (adapter, key) DO UPDATE SET id = excluded.id, delivery = excluded.delivery, \
             call = excluded.call, progress = 'null', attempts = 0, created_at = excluded.created_at, \
             due_at = excluded.due_at, outcome = NULL \
             WHERE callbacks.delivery <> excluded.delivery AND CASE \
             WHEN excluded.delivery LIKE 'found:%' THEN callbacks.due_at IS NULL \
                 AND callbacks.outcome NOT IN ('approved', 'rejected') \
             ELSE callbacks.due_at IS NULL OR callbacks.adapter = 'gitlab' END",
        );
        let insert = insert.bind(&new.id).bind(new.adapter).bind(&new.key).bind(&new.target);
        let insert = insert.bind(&new.delivery).bind(&new.call).bind(now).bind(now);
        let done = insert.execute(self.pool()).await.map_err(failed("keep a callback"))?;
        Ok(done.rows_affected() > 0)
    }

    /// Questions whose next try is due: the oldest of each target, and of each adapter no more than
    /// [`SEEN`], the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn due_callbacks(&self, now: DateTime<Utc>) -> Result<Vec<Callback>, StoreError> {
        let rows = sqlx::query(
            // Beside min(), SQLite gives the columns of the row that has it.
            "WITH oldest AS (SELECT id, adapter, target, call, progress, attempts, created_at, \
                 min(due_at) AS due FROM callbacks WHERE due_at <= ? GROUP BY target), \
             placed AS (SELECT *, row_number() OVER (PARTITION BY adapter ORDER BY due, id) AS place \
                 FROM oldest) \
             SELECT * FROM placed WHERE place <= ? ORDER BY due, id",
        );
        let rows = rows.bind(now.timestamp_millis()).bind(SEEN).fetch_all(self.pool()).await;
        Ok(rows.map_err(failed("read callbacks"))?.iter().map(callback).collect())
    }

    /// When the next try is due.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn next_callback(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let next = sqlx::query_scalar("SELECT min(due_at) FROM callbacks WHERE due_at IS NOT NULL");
        let next: Option<i64> =
            next.fetch_one(self.pool()).await.map_err(failed("read callbacks"))?;
        Ok(next.and_then(DateTime::from_timestamp_millis))
    }

    /// Writes down how far a question has come, and when to go on with it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn keep_callback(
        &self,
        id: &str,
        progress: &str,
        attempts: u32,
        due_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE callbacks SET progress = ?, attempts = ?, due_at = ? WHERE id = ? AND due_at IS NOT NULL",
        );
        let update = update.bind(progress).bind(attempts).bind(due_at.timestamp_millis()).bind(id);
        update.execute(self.pool()).await.map_err(failed("keep a callback"))?;
        Ok(())
    }

    /// How far a question has come.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn callback_progress(&self, id: &str) -> Result<Option<String>, StoreError> {
        let select = sqlx::query_scalar("SELECT progress FROM callbacks WHERE id = ?").bind(id);
        select.fetch_optional(self.pool()).await.map_err(failed("read a callback"))
    }

    /// Writes down that nothing is left to do, and forgets what ended long ago.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn finish_callback(
        &self,
        id: &str,
        outcome: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE callbacks SET call = '', progress = '', due_at = NULL, outcome = ? WHERE id = ?",
        );
        let done = update.bind(outcome).bind(id).execute(self.pool()).await;
        done.map_err(failed("finish a callback"))?;
        let old = sqlx::query("DELETE FROM callbacks WHERE due_at IS NULL AND created_at < ?");
        let old = old.bind((now - KEPT).timestamp_millis()).execute(self.pool()).await;
        old.map_err(failed("forget callbacks"))?;
        Ok(())
    }
}

fn callback(row: &SqliteRow) -> Callback {
    Callback {
        id: row.get("id"),
        adapter: row.get("adapter"),
        target: row.get("target"),
        call: row.get("call"),
        progress: row.get("progress"),
        attempts: row.get("attempts"),
        created_at: DateTime::from_timestamp_millis(row.get("created_at")).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_763_719_200 + minute * 60, 0).unwrap()
    }

    fn new(id: &str, delivery: &str) -> NewCallback {
        NewCallback {
            id: id.to_owned(),
            adapter: "github",
            key: "acme/orders/7".to_owned(),
            target: "acme/orders".to_owned(),
            delivery: delivery.to_owned(),
            call: "{}".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_question_is_kept_once_and_asked_anew_by_another_message_after_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open(&format!("sqlite://{}/h.db", folder.path().display())).await.unwrap();
        let due = async |now| store.due_callbacks(now).await.unwrap();
        assert!(store.put_callback(&new("a", "d1"), at(0)).await.unwrap());
        assert!(!store.put_callback(&new("b", "d1"), at(0)).await.unwrap());
        assert!(!store.put_callback(&new("b", "d2"), at(0)).await.unwrap());
        assert_eq!(due(at(0)).await.len(), 1);
        store.keep_callback("a", "{\"told\":1}", 2, at(5)).await.unwrap();
        assert_eq!(
            (due(at(4)).await.len(), store.next_callback().await.unwrap()),
            (0, Some(at(5)))
        );
        let kept = &due(at(5)).await[0];
        assert_eq!((kept.progress.as_str(), kept.attempts), ("{\"told\":1}", 2));
        store.finish_callback("a", "approved", at(5)).await.unwrap();
        assert_eq!(store.next_callback().await.unwrap(), None);
        store.keep_callback("a", "late", 0, at(6)).await.unwrap();
        assert_eq!(due(at(9)).await, []);
        assert!(!store.put_callback(&new("c", "d1"), at(6)).await.unwrap());
        assert!(!store.put_callback(&new("c", "found:1"), at(6)).await.unwrap());
        assert!(store.put_callback(&new("c", "d2"), at(6)).await.unwrap());
        assert_eq!((due(at(6)).await[0].id.as_str(), due(at(6)).await[0].attempts), ("c", 0));
    }

    #[tokio::test]
    async fn however_much_is_due_of_one_adapter_what_is_due_of_another_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open(&format!("sqlite://{}/h.db", folder.path().display())).await.unwrap();
        for number in 0..250 {
            let (key, target) = (format!("acme/s{number}/7"), format!("acme/s{number}"));
            let one = NewCallback { key, target, ..new(&number.to_string(), "d") };
            store.put_callback(&one, at(0)).await.unwrap();
        }
        let other = NewCallback { adapter: "gitlab", target: "3".to_owned(), ..new("x", "d") };
        store.put_callback(&other, at(1)).await.unwrap();
        let due = store.due_callbacks(at(2)).await.unwrap();
        assert!(due.len() >= 64 && due.iter().any(|one| one.adapter == "gitlab"), "{}", due.len());
        assert_eq!((due[0].id.as_str(), due[1].id.as_str()), ("0", "1"), "the oldest first");
    }
}
