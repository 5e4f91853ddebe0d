//! The database: sound, writable, with room to grow.

use std::fs;
use std::path::{Path, PathBuf};

use super::Check;
use crate::cli::backup::contents;
use crate::cli::output::size;
use crate::config::Config;
use crate::store::{Held, Store, StoreError, path_of};

/// With less room than this writing will soon fail, or fails already.
const TOO_LITTLE: u64 = 64 << 20;
const LITTLE: u64 = 1 << 30;

pub(super) async fn checks(config: &Config) -> Vec<Check> {
    match path_of(&config.store.url) {
        Err(error) => {
            vec![Check::fail("database", error.to_string(), "write sqlite://PATH in store.url")]
        }
        Ok(path) => vec![sound(&path).await, writable(&path), room(&path)],
    }
}

async fn sound(path: &Path) -> Check {
    if !path.exists() {
        let message = format!("{} is not there yet; the first start makes it", path.display());
        return Check::ok("database", message);
    }
    match look(path).await {
        Ok(held) => {
            Check::ok("database", format!("{} is sound: {}", path.display(), contents(&held)))
        }
        Err(error) => Check::fail(
            "database",
            error.to_string(),
            "`slo-engine restore FILE` puts a backup in its place and keeps this one",
        ),
    }
}

async fn look(path: &Path) -> Result<Held, StoreError> {
    let store = Store::open_to_read(path).await?;
    let held = store.sound().await;
    store.close().await;
    held
}

fn writable(path: &Path) -> Check {
    let folder = existing(path);
    let probe = folder.join(format!(".headroom-doctor-{}", std::process::id()));
    let tried = fs::File::create_new(&probe).and_then(|_| fs::remove_file(&probe));
    let parts = ["", "-wal", "-shm"].map(|part| {
        let mut name = path.as_os_str().to_owned();
        name.push(part);
        PathBuf::from(name)
    });
    let written = parts.iter().filter(|part| part.exists()).find_map(|part| {
        let opened = fs::OpenOptions::new().append(true).open(part);
        opened.err().map(|error| format!("cannot write {}: {error}", part.display()))
    });
    let failed = tried.err().map(|e| format!("cannot write in {}: {e}", folder.display()));
    match failed.or(written) {
        None => Check::ok("permissions", format!("{} can be written", folder.display())),
        Some(message) => {
            let remedy = "give it to the user that runs the engine (chown), or set store.url";
            Check::fail("permissions", message, remedy)
        }
    }
}

fn room(path: &Path) -> Check {
    let folder = existing(path);
    let free = match rustix::fs::statvfs(&folder) {
        Ok(at) => at.f_bavail.saturating_mul(at.f_frsize),
        Err(error) => {
            let message = format!("the room in {} is not known: {error}", folder.display());
            return Check::warn("disk", message, "look with `df`");
        }
    };
    let message = format!("{} free in {}", size(free), folder.display());
    let remedy = "make room, or set store.url to another disk";
    match free {
        free if free < TOO_LITTLE => Check::fail("disk", message, remedy),
        free if free < LITTLE => Check::warn("disk", message, remedy),
        _ => Check::ok("disk", message),
    }
}

/// The nearest folder above that exists.
fn existing(path: &Path) -> PathBuf {
    let above = path.ancestors().skip(1);
    let mut named = above.map(|f| if f.as_os_str().is_empty() { Path::new(".") } else { f });
    let found = named.find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    fs::canonicalize(found).unwrap_or_else(|_| found.to_owned())
}
