//! Ledgers of subsets of an SLO's events.

use std::collections::HashMap;
use std::sync::Arc;

use slo_core::stretches::Stretches;
use slo_core::subset::{Cuts, Subset};
use slo_core::time::Minute;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};

use super::commit::damaged;
use super::load::Runs;
use super::{Store, StoreError, failed, give_up};

/// What a ledger of a part of an SLO's events is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PartOf {
    /// It counts a subset.
    Subset(Arc<Subset>),
    /// It counts nothing: its stretches say where events have been told apart, and by what.
    Cuts(String),
}

/// A ledger of a part of an SLO's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub ledger: u32,
    /// The ledger of the whole.
    pub whole: u32,
    /// What it is for.
    pub part: PartOf,
    /// The first minute with data.
    pub first: Option<Minute>,
    /// Where its events have been told apart from others.
    pub stretches: Stretches,
}

const CUTS: &str = "cuts ";

impl PartOf {
    /// Of cuts.
    #[must_use]
    pub fn cuts(cuts: &Cuts) -> Self {
        Self::Cuts(cuts.text())
    }

    fn text(&self) -> String {
        match self {
            Self::Subset(subset) => serde_json::to_string(subset).unwrap_or_default(),
            Self::Cuts(text) => format!("{CUTS}{text}"),
        }
    }

    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        match text.strip_prefix(CUTS) {
            Some(cuts) => Ok(Self::Cuts(cuts.to_owned())),
            None => Ok(Self::Subset(serde_json::from_str(text)?)),
        }
    }
}

impl Store {
    /// All ledgers of parts, by number.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn parts(&self) -> Result<Vec<Kept>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.ledger, s.whole, s.subset, l.first_minute \
             FROM subsets s JOIN ledgers l ON l.id = s.ledger ORDER BY s.ledger",
        );
        let rows = rows.fetch_all(self.pool()).await.map_err(failed("read subsets"))?;
        kept(rows, self.stretches().await?)
    }

    /// Those of some wholes, by number.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn parts_of(&self, wholes: &[u32]) -> Result<Vec<Kept>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.ledger, s.whole, s.subset, l.first_minute \
             FROM subsets s JOIN ledgers l ON l.id = s.ledger \
             WHERE s.whole IN (SELECT value FROM json_each(?)) ORDER BY s.ledger",
        );
        let rows = rows.bind(serde_json::to_string(wholes).unwrap_or_default());
        let rows = rows.fetch_all(self.pool()).await.map_err(failed("read subsets"))?;
        let ids: Vec<u32> = rows.iter().map(|row| row.get(0)).collect();
        kept(rows, self.stretches_of(&ids).await?)
    }

    /// The ledgers of subsets of one SLO's events, by the number of the whole's; also of those that are no
    /// longer counted.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn subsets_of(&self, whole: u32) -> Result<Vec<(Subset, u32)>, StoreError> {
        let rows =
            sqlx::query("SELECT subset, ledger FROM subsets WHERE whole = ? ORDER BY ledger");
        let rows = rows.bind(whole).fetch_all(self.pool()).await;
        let mut subsets = Vec::new();
        for row in rows.map_err(failed("read subsets"))? {
            let part = PartOf::parse(row.get(0)).map_err(|error| error.to_string());
            if let PartOf::Subset(subset) = part.map_err(damaged("subsets"))? {
                subsets.push(((*subset).clone(), row.get(1)));
            }
        }
        Ok(subsets)
    }

    /// The numbers of ledgers of parts, by the ledger of the whole; those that are not there yet are made.
    ///
    /// # Errors
    /// When they cannot be read or made.
    pub async fn register_parts(&self, parts: &[(u32, PartOf)]) -> Result<Vec<u32>, StoreError> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pool().acquire().await.map_err(failed("connect"))?;
        if let Err(error) = make(&mut connection, parts).await {
            give_up(connection).await;
            return Err(error);
        }
        drop(connection);
        let all =
            self.parts().await?.into_iter().map(|kept| ((kept.whole, kept.part), kept.ledger));
        let known: HashMap<(u32, PartOf), u32> = all.collect();
        let missing = || damaged("subsets")("a ledger that was just made is not there");
        parts.iter().map(|part| known.get(part).copied().ok_or_else(missing)).collect()
    }
}

fn kept(rows: Vec<SqliteRow>, mut stretches: Runs) -> Result<Vec<Kept>, StoreError> {
    let kept = rows.into_iter().map(|row| {
        let part = PartOf::parse(row.get(2)).map_err(|error| error.to_string());
        Ok(Kept {
            ledger: row.get(0),
            whole: row.get(1),
            part: part.map_err(damaged("subsets"))?,
            first: row.get::<Option<i64>, _>(3).map(Minute),
            stretches: stretches.remove(&row.get(0)).unwrap_or_default().into(),
        })
    });
    kept.collect()
}

async fn make(
    connection: &mut SqliteConnection,
    parts: &[(u32, PartOf)],
) -> Result<(), StoreError> {
    let parts: Vec<(u32, String)> =
        parts.iter().map(|(whole, part)| (*whole, part.text())).collect();
    let parts = serde_json::to_string(&parts).unwrap_or_default();
    let mut transaction =
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed("begin"))?;
    for sql in [
        "INSERT OR IGNORE INTO ledgers (environment, service, slo, fingerprint) \
         SELECT l.environment, l.service, l.slo, l.fingerprint || ' ' || (p.value ->> 1) \
         FROM json_each(?) p JOIN ledgers l ON l.id = p.value ->> 0",
        "INSERT OR IGNORE INTO subsets (ledger, whole, subset) SELECT n.id, l.id, p.value ->> 1 \
         FROM json_each(?) p JOIN ledgers l ON l.id = p.value ->> 0 \
         JOIN ledgers n ON n.environment = l.environment AND n.service = l.service \
         AND n.slo = l.slo AND n.fingerprint = l.fingerprint || ' ' || (p.value ->> 1)",
    ] {
        let made = sqlx::query(sql).bind(&parts).execute(&mut *transaction).await;
        made.map_err(failed("register subsets"))?;
    }
    transaction.commit().await.map_err(failed("commit"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::LedgerKey;
    use slo_core::slo::{Name, SloId};

    fn key(slo: &str) -> LedgerKey {
        let name = |text: &str| Name::parse(text).unwrap();
        let slo = SloId { service: name("a"), slo: name(slo), environment: name("p") };
        LedgerKey { slo, fingerprint: "f".to_owned() }
    }

    #[tokio::test]
    async fn parts_are_made_once_follow_a_rename_and_are_no_other_way_to_count() {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open(&format!("sqlite://{}/h.db", folder.path().display())).await.unwrap();
        let wholes = store.register(&[key("x"), key("y")]).await.unwrap();
        let labels = BTreeMap::from([("route".to_owned(), "/a'\"b".to_owned())]);
        let group = PartOf::Subset(Arc::new(Subset::Group(Some(labels))));
        let parts = [
            (wholes[0].id, group.clone()),
            (wholes[1].id, group),
            (wholes[0].id, PartOf::Cuts("route;".to_owned())),
        ];
        let made = store.register_parts(&parts).await.unwrap();
        assert_eq!(store.register_parts(&parts).await.unwrap(), made);
        let kept = store.parts().await.unwrap();
        assert_eq!(kept.iter().map(|k| k.ledger).collect::<Vec<_>>(), made);
        let mut first = crate::store::Commit::default();
        first.firsts.insert(made[0], Minute(5));
        store.commit(&first).await.unwrap();
        assert_eq!(store.parts().await.unwrap()[0].first, Some(Minute(5)));
        let again = store.register(&[key("x")]).await.unwrap();
        assert!(!again[0].replaces && again[0].id == wholes[0].id);
        store.rename(&[(key("x"), key("z"))]).await.unwrap();
        assert_eq!(store.register(&[key("z")]).await.unwrap()[0].id, wholes[0].id);
        assert_eq!(store.register_parts(&parts).await.unwrap(), made, "they went with it");
    }
}
