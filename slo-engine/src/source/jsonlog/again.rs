//! What had been read before a query was asked for the first time.

use std::collections::{HashMap, HashSet};

use super::Polled;
use super::asking::Asking;
use super::file::Opened;
use super::find::{self, problem};
use super::position::{Identity, Positions};

/// Reads all files from `done` to `until`. Files that are gone, or hold something else now, are left out.
pub(super) fn run(
    mut asking: Asking,
    done: &mut Positions,
    until: &Positions,
    globs: &[String],
) -> Polled {
    // What cannot be found is told by the reading that goes on.
    let named = find::named(globs, &mut Vec::new());
    let known: HashSet<Identity> = named.iter().map(|file| file.identity).collect();
    let beside = find::beside(until.rows().iter(), &known, &mut Vec::new());
    let files = named.into_iter().chain(beside);
    let files: HashMap<Identity, _> = files.map(|file| (file.identity, file.path)).collect();
    for (from, until) in done.pairs(until) {
        if asking.is_full() {
            break;
        }
        let Some(path) = until.identity.and_then(|identity| files.get(&identity)) else { continue };
        let read = Opened::open(path).and_then(|opened| asking.read_to(&opened, from, until));
        if let Err(error) = read {
            asking.polled.problems.extend(problem(path, &error));
        }
    }
    asking.polled()
}
