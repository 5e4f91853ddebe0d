//! Which version wrote a database: its newest migration against those that this one knows.

use super::{MIGRATIONS, Store, StoreError, said};

impl Store {
    pub(super) async fn refuse_newer(&self) -> Result<(), StoreError> {
        let (found, known) = (self.found().await?.unwrap_or(0), known());
        if found > known {
            return Err(StoreError::Newer { path: self.path.clone(), found, known });
        }
        Ok(())
    }

    /// Refuses a database that lacks tables of this version, for commands that only read.
    ///
    /// # Errors
    /// With the remedy, when an older version wrote it.
    pub async fn refuse_older(&self) -> Result<(), StoreError> {
        let (found, known) = (self.found().await?.unwrap_or(0), known());
        if found < known {
            return Err(StoreError::Older { path: self.path.clone(), found, known });
        }
        Ok(())
    }

    /// The newest migration of the database; `None` for an empty file.
    async fn found(&self) -> Result<Option<i64>, StoreError> {
        let unusable =
            |e: sqlx::Error| StoreError::Unusable { path: self.path.clone(), reason: said(&e) };
        let table: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'")
                .fetch_optional(&self.pool)
                .await
                .map_err(unusable)?;
        if table.is_none() {
            return Ok(None);
        }
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&self.pool)
            .await
            .map_err(unusable)
    }
}

fn known() -> i64 {
    MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0)
}
