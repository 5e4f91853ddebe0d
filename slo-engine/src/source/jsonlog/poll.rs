//! One reading of all files: which ones go on, which are new, and which are copies.

use std::collections::{HashMap, HashSet};
use std::io;

use super::Polled;
use super::asking::Asking;
use super::file::Opened;
use super::find::{self, Found, problem};
use super::position::{Identity, Likeness, Position, Positions};

/// Positions of files that are gone for so long are forgotten.
const FORGOTTEN: i64 = 86_400_000;

/// A position while files are looked for.
struct Row {
    position: Position,
    /// Its content is in a file that was found.
    is_here: bool,
}

pub(super) struct Poll {
    asking: Asking,
    rows: Vec<Row>,
}

impl Poll {
    pub(super) fn new(asking: Asking, positions: &mut Positions) -> Self {
        let row = |position| Row { position, is_here: false };
        Self { asking, rows: positions.take().into_iter().map(row).collect() }
    }

    /// Reads all files; what that brought, and the positions that stay.
    pub(super) fn run(mut self, globs: &[String]) -> (Polled, Positions) {
        let mut files = self.survey(globs);
        // What was changed first was written before the rest.
        files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
        for file in files {
            if self.asking.is_full() {
                break;
            }
            let read = self.file(&file);
            self.note(&file, read);
        }
        let positions = kept(self.rows, self.asking.now);
        (self.asking.polled(), positions)
    }

    fn note(&mut self, file: &Found, read: io::Result<()>) {
        if let Err(error) = read {
            self.asking.polled.problems.extend(problem(&file.path, &error));
        }
    }

    /// Finds the files of all positions, and gives those in which there may be something to read.
    fn survey(&mut self, globs: &[String]) -> Vec<Found> {
        let rows = self.rows.iter().enumerate();
        let by_identity: HashMap<Identity, usize> =
            rows.filter_map(|(at, row)| Some((row.position.identity?, at))).collect();
        let named = find::named(globs, &mut self.asking.polled.problems);
        let known: HashSet<Identity> = named.iter().map(|file| file.identity).collect();
        let mut files = Vec::new();
        let mut settle = |poll: &mut Self, found: Vec<Found>| {
            for file in found {
                if poll.settle(&file, by_identity.get(&file.identity).copied()) {
                    files.push(file);
                }
            }
        };
        settle(self, named);
        let lost = self.rows.iter().filter(|row| !row.is_here).map(|row| &row.position);
        let beside = find::beside(lost, &known, &mut self.asking.polled.problems);
        settle(self, beside);
        files
    }

    /// Compares a file with the position in it; whether there may be something to read.
    fn settle(&mut self, file: &Found, row: Option<usize>) -> bool {
        let Some(row) = row.map(|at| &mut self.rows[at]) else { return true };
        if !file.is_named && file.path.to_str() == Some(&row.position.path) {
            // The globs no longer name it: it was not moved.
            return false;
        }
        row.is_here = true;
        if row.position.read_at == Some((file.size, file.modified)) {
            return false;
        }
        match Opened::open(&file.path).and_then(|opened| opened.holds(&row.position)) {
            Ok(true) => true,
            Ok(false) => {
                row.is_here = false;
                row.position.identity = None;
                true
            }
            Err(error) => {
                row.is_here = error.kind() != io::ErrorKind::NotFound;
                self.note(file, Err(error));
                false
            }
        }
    }

    fn file(&mut self, file: &Found) -> io::Result<()> {
        let opened = Opened::open(&file.path)?;
        // Another file may have taken its place since it was found.
        if opened.identity != file.identity {
            return Ok(());
        }
        let of_file = |row: &Row| row.position.identity == Some(opened.identity);
        let row = match self.rows.iter().position(of_file) {
            Some(at) => Some(at),
            None => self.begin(file, &opened)?,
        };
        let Some(row) = row.map(|at| &mut self.rows[at]) else { return Ok(()) };
        if file.is_named {
            row.position.path = file.real_path();
        }
        self.asking.read(&opened, &mut row.position)
    }

    /// The position to begin at in a file that is not known: that of the content which it is a copy
    /// of, or its start. None where the content is read elsewhere.
    fn begin(&mut self, file: &Found, opened: &Opened) -> io::Result<Option<usize>> {
        let beginning = opened.beginning()?;
        if beginning.is_empty() {
            return Ok(None);
        }
        let mut like: Vec<(usize, Likeness)> = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            let likeness = match row.position.likeness(&beginning) {
                _ if row.position.offset == 0 => Likeness::Other,
                Likeness::Same if !opened.could_hold(&row.position)? => Likeness::Other,
                likeness => likeness,
            };
            like.push((at, likeness));
        }
        let same = like.iter().filter(|(_, likeness)| *likeness == Likeness::Same);
        let longest = |at: usize| (self.rows[at].position.beginning.len(), self.rows[at].is_here);
        if let Some(at) = same.map(|(at, _)| *at).max_by_key(|at| longest(*at)) {
            let row = &mut self.rows[at];
            if row.is_here {
                return Ok(None);
            }
            opened.adopt(&mut row.position);
            row.is_here = true;
            return Ok(Some(at));
        }
        if !file.is_named || like.iter().any(|(_, likeness)| *likeness == Likeness::Perhaps) {
            return Ok(None);
        }
        let position = Position::new(&file.name(), &file.real_path(), opened.identity);
        self.rows.push(Row { position, is_here: true });
        Ok(Some(self.rows.len() - 1))
    }
}

/// Positions in files that are there, and for a while those in files that are gone.
fn kept(rows: Vec<Row>, now: i64) -> Positions {
    let dated = rows.into_iter().map(|Row { mut position, is_here }| {
        let since = position.gone_since.or(Some(now));
        position.gone_since = since.filter(|_| !is_here);
        position
    });
    let stays = |position: &Position| {
        position.offset > 0 && position.gone_since.is_none_or(|since| now - since < FORGOTTEN)
    };
    Positions::new(dated.filter(stays).collect())
}
