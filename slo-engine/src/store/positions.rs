//! How far files have been read, as rows of the database.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{Store, StoreError, failed};
use crate::source::jsonlog::{Identity, Position, Positions};

/// Rows of one statement: each takes twelve of its 32,766 parameters.
const ROWS: usize = 2_000;

impl Store {
    /// Where the files of a source have been read to.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn positions(&self, source: &str) -> Result<Positions, StoreError> {
        let rows = sqlx::query(
            "SELECT name, path, device, inode, read_to, beginning, before, skipping, size, \
             modified, gone_since FROM positions WHERE source = ? ORDER BY rowid",
        );
        let rows = rows.bind(source).fetch_all(&self.pool).await;
        let rows = rows.map_err(failed("read positions"))?;
        Ok(Positions::new(rows.iter().map(position).collect()))
    }
}

fn position(row: &SqliteRow) -> Position {
    let unsigned = |at: usize| row.get::<Option<i64>, _>(at).map(i64::cast_unsigned);
    let identity = unsigned(2).zip(unsigned(3));
    Position {
        name: row.get(0),
        path: row.get(1),
        identity: identity.map(|(device, inode)| Identity { device, inode }),
        offset: row.get::<i64, _>(4).cast_unsigned(),
        beginning: row.get(5),
        before: row.get(6),
        is_skipping: row.get(7),
        read_at: unsigned(8).zip(row.get(9)),
        gone_since: row.get(10),
    }
}

/// Writes all positions of sources in the place of those that were there.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    positions: &BTreeMap<String, Positions>,
) -> Result<(), StoreError> {
    for (source, positions) in positions {
        sqlx::query("DELETE FROM positions WHERE source = ?")
            .bind(source)
            .execute(&mut *connection)
            .await
            .map_err(failed("write positions"))?;
        for rows in positions.rows().chunks(ROWS) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO positions (source, name, path, device, inode, read_to, beginning, \
                 before, skipping, size, modified, gone_since) ",
            );
            query.push_values(rows, |mut row, position| {
                let signed = |number: Option<u64>| number.map(u64::cast_signed);
                row.push_bind(source)
                    .push_bind(&position.name)
                    .push_bind(&position.path)
                    .push_bind(signed(position.identity.map(|identity| identity.device)))
                    .push_bind(signed(position.identity.map(|identity| identity.inode)))
                    .push_bind(position.offset.cast_signed())
                    .push_bind(&position.beginning)
                    .push_bind(&position.before)
                    .push_bind(position.is_skipping)
                    .push_bind(signed(position.read_at.map(|(size, _)| size)))
                    .push_bind(position.read_at.map(|(_, modified)| modified))
                    .push_bind(position.gone_since);
            });
            let written = query.build().persistent(false).execute(&mut *connection).await;
            written.map_err(failed("write positions"))?;
        }
    }
    Ok(())
}
