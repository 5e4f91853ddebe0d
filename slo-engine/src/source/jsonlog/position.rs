//! How far files have been read: plain rows, which the store keeps in the transaction of the counts.

/// A file, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The device that it lies on.
    pub device: u64,
    /// Its number there; used again when the file is gone.
    pub inode: u64,
}

/// How far one file has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The name that it had first, which an index is compared with also after a rotation.
    pub name: String,
    /// Where the source's globs found it last, without links.
    pub path: String,
    /// Which file it is; `None` when its content is no longer where it was.
    pub identity: Option<Identity>,
    /// Bytes that have been read; of a gzip file, of what is in it.
    pub offset: u64,
    /// The first bytes, by which the content is known again: at most 1,024 of those read.
    pub beginning: Vec<u8>,
    /// The last bytes that were read, at most 64; empty for gzip.
    pub before: Vec<u8>,
    /// The position lies in a line that is refused for its length.
    pub is_skipping: bool,
    /// The size in bytes and the time of change (Unix nanoseconds) with which it was read to its end.
    pub read_at: Option<(u64, i64)>,
    /// Since when the file is missing, Unix milliseconds.
    pub gone_since: Option<i64>,
}

/// Where all files of a source have been read to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(Vec<Position>);

impl Positions {
    /// Positions as the store kept them.
    #[must_use]
    pub fn new(rows: Vec<Position>) -> Self {
        Self(rows)
    }

    /// What the store is to keep.
    #[must_use]
    pub fn rows(&self) -> &[Position] {
        &self.0
    }

    /// The same files, of which nothing was read.
    #[must_use]
    pub fn unread(&self) -> Self {
        let unread = |position: &Position| Position {
            offset: 0,
            beginning: Vec::new(),
            before: Vec::new(),
            is_skipping: false,
            ..position.clone()
        };
        Self(self.0.iter().map(unread).collect())
    }

    /// Each position with that of the same file in others which were made of these, or the reverse.
    pub(super) fn pairs<'a>(
        &'a mut self,
        others: &'a Self,
    ) -> impl Iterator<Item = (&'a mut Position, &'a Position)> {
        self.0.iter_mut().zip(&others.0)
    }

    pub(super) fn take(&mut self) -> Vec<Position> {
        std::mem::take(&mut self.0)
    }
}

/// What the beginning of a file says about it and a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// The position is one in this content.
    Same,
    /// All there is of it would fit: it may be a copy that is not complete.
    Perhaps,
    /// It holds other lines.
    Other,
}

/// So much of a beginning is kept.
pub(super) const BEGINNING: usize = 1_024;

impl Position {
    pub(super) fn new(name: &str, path: &str, identity: Identity) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            identity: Some(identity),
            offset: 0,
            beginning: Vec::new(),
            before: Vec::new(),
            is_skipping: false,
            read_at: None,
            gone_since: None,
        }
    }

    /// Compares with the first [`BEGINNING`] bytes of a content.
    pub(super) fn likeness(&self, beginning: &[u8]) -> Likeness {
        if beginning.starts_with(&self.beginning) {
            Likeness::Same
        } else if self.beginning.starts_with(beginning) {
            Likeness::Perhaps
        } else {
            Likeness::Other
        }
    }

    /// These bytes have been read.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        let room = BEGINNING.saturating_sub(self.beginning.len());
        if room > 0 {
            self.beginning.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        self.offset += bytes.len() as u64;
    }
}
