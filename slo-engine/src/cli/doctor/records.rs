//! The chain of records, as far as a quick look tells, the key that signs its heads, and those that sign
//! verdicts.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::Check;
use crate::cli::output::counted;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::record::audit::{Walked, last_links};
use crate::record::signing::SigningKey;
use crate::record::verdicts::signs_now;
use crate::store::{Store, StoreError, path_of};

/// So many of the last links are looked at.
const LINKS: i64 = 5_000;

pub(super) async fn checks(config: &Config) -> Vec<Check> {
    // What is wrong with the database itself has a line of its own.
    let Ok(path) = path_of(&config.store.url) else { return Vec::new() };
    let now = SystemClock.now();
    let verdicts = verdicts(config.signing.folder(&path), now);
    vec![chain(&path).await, key(&config.signing.path(&path)), verdicts]
}

async fn chain(path: &Path) -> Check {
    let walked = match look(path).await {
        Ok(walked) => walked,
        Err(StoreError::Missing(_)) => return Check::ok("records", "nothing is recorded yet"),
        Err(StoreError::Older { .. }) => {
            let message =
                "the database is of an older version; the next start brings it up to date";
            return Check::ok("records", message);
        }
        Err(error) => {
            let remedy = "see the line on the database";
            return Check::fail("records", format!("they cannot be read: {error}"), remedy);
        }
    };
    match walked {
        Walked { broken: Some(broken), .. } => {
            let message = format!("the chain breaks at record {}: {}", broken.seq, broken.message);
            Check::fail(
                "records",
                message,
                "`slo-engine audit verify` tells more; keep this database",
            )
        }
        Walked { end, .. } => {
            let links = counted(usize::try_from(end.seq.min(LINKS)).unwrap_or(0), "link");
            Check::ok(
                "records",
                format!("{} recorded, the last {links} of the chain hold", end.seq),
            )
        }
    }
}

async fn look(path: &Path) -> Result<Walked, StoreError> {
    let store = Store::open_to_read(path).await?;
    let walked = match store.refuse_older().await {
        Ok(()) => last_links(&store, LINKS).await,
        Err(older) => Err(older),
    };
    store.close().await;
    walked
}

fn verdicts(folder: &Path, now: DateTime<Utc>) -> Check {
    match signs_now(folder, now) {
        Ok((keys, Some(name))) => {
            let files = counted(keys, "file");
            Check::ok(
                "verdicts",
                format!("{files} with keys, readable by their owner only; {name} signs"),
            )
        }
        Ok((_, None)) => {
            Check::ok("verdicts", "no key signs verdicts yet; the first start makes one")
        }
        Err(error) => {
            let remedy =
                "see docs/operations.md, Signed verdicts; as the user that runs the engine";
            Check::fail("verdicts", error.to_string(), remedy)
        }
    }
}

fn key(path: &Path) -> Check {
    match SigningKey::read(path) {
        Ok(Some(_)) => Check::ok("signing", format!("only its owner can read {}", path.display())),
        Ok(None) => {
            let message = format!("{} is not there yet; the first start makes it", path.display());
            Check::ok("signing", message)
        }
        Err(error) => {
            let remedy = format!("chmod 600 {}, as the user that runs the engine", path.display());
            Check::fail("signing", error.to_string(), &remedy)
        }
    }
}
