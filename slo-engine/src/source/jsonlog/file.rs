//! One file of lines, plain or gzip: its content from a position on, whatever it is called.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::position::{BEGINNING, Identity, Likeness, Position};

/// So much is read at once.
const CHUNK: usize = 256 * 1024;

/// So many bytes before a position are kept.
const BEFORE: u64 = 64;

/// An open file.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    pub(super) identity: Identity,
    pub(super) size: u64,
    /// When it was changed last, Unix nanoseconds.
    pub(super) modified: i64,
    is_gzip: bool,
}

/// The bytes of a file from a place on, apart from what else reads it.
struct Bytes<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

pub(super) fn identity(metadata: &Metadata) -> Identity {
    Identity { device: metadata.dev(), inode: metadata.ino() }
}

pub(super) fn modified(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

impl Opened {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let is_gzip = up_to(Bytes { file: &file, at: 0 }, 2)? == [0x1f, 0x8b];
        Ok(Self {
            identity: identity(&metadata),
            size: metadata.len(),
            modified: modified(&metadata),
            file,
            is_gzip,
        })
    }

    /// What is in it from a place on.
    pub(super) fn content(&self, offset: u64) -> io::Result<Box<dyn BufRead + '_>> {
        if !self.is_gzip {
            let bytes = Bytes { file: &self.file, at: offset };
            return Ok(Box::new(BufReader::with_capacity(CHUNK, bytes)));
        }
        let packed = BufReader::new(Bytes { file: &self.file, at: 0 });
        let mut content = BufReader::with_capacity(CHUNK, MultiGzDecoder::new(packed));
        io::copy(&mut content.by_ref().take(offset), &mut io::sink())?;
        Ok(Box::new(content))
    }

    /// The first bytes of its content, as many as a position keeps. Of a gzip file that is not
    /// complete those that are there.
    pub(super) fn beginning(&self) -> io::Result<Vec<u8>> {
        match self.is_gzip {
            true => up_to(self.content(0)?, BEGINNING),
            false => up_to(Bytes { file: &self.file, at: 0 }, BEGINNING),
        }
    }

    /// Whether a position is one in this file as it is now.
    pub(super) fn holds(&self, position: &Position) -> io::Result<bool> {
        Ok((self.is_gzip || self.file.metadata()?.len() >= position.offset)
            && position.likeness(&self.beginning()?) == Likeness::Same
            && self.could_hold(position)?)
    }

    /// Whether nothing but the beginning speaks against a position in this file. A copy that is shorter
    /// was made before the last lines were written and read.
    pub(super) fn could_hold(&self, position: &Position) -> io::Result<bool> {
        Ok(self.is_gzip || self.size < position.offset || self.before(position)? == position.before)
    }

    /// The bytes before a position, as many as it knows.
    fn before(&self, position: &Position) -> io::Result<Vec<u8>> {
        let length = position.before.len();
        up_to(Bytes { file: &self.file, at: position.offset - length as u64 }, length)
    }

    /// Keeps the bytes before a position.
    pub(super) fn mark(&self, position: &mut Position) -> io::Result<()> {
        position.before.clear();
        if !self.is_gzip {
            let length = position.offset.min(BEFORE);
            let bytes = Bytes { file: &self.file, at: position.offset - length };
            position.before = up_to(bytes, length as usize)?;
        }
        Ok(())
    }

    /// Moves a position whose content was found here.
    pub(super) fn adopt(&self, position: &mut Position) {
        position.identity = Some(self.identity);
        position.read_at = None;
        if !self.is_gzip && self.size < position.offset {
            position.offset = self.size;
            position.is_skipping = false;
            position.before.clear();
        }
    }
}

/// The first bytes of a content; fewer when it ends, also where it should not.
fn up_to(content: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match content.take(most as u64).read_to_end(&mut bytes) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(bytes),
    }
}
