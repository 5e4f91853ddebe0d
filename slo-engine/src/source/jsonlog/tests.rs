//! Files as services write them and rotation leaves them.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::clock::{Clock, SystemClock};

mod mill;
mod odd;
mod rotation;

/// More than any test writes.
const ALL: u64 = u64::MAX;

fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap()
}

/// A folder of logs and what its source has counted and committed.
struct Lab {
    folder: tempfile::TempDir,
    source: Jsonlog,
    positions: Positions,
    /// How often each line was counted, by its number.
    counted: BTreeMap<i64, i64>,
    now: i64,
    /// The minute of line 0.
    zero: i64,
}

impl Lab {
    fn new(globs: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |glob: &&str| format!("{}/{glob}", folder.path().display());
        let globs: Vec<String> = globs.iter().map(path).collect();
        let now = SystemClock.now().timestamp_millis();
        Self {
            source: Jsonlog::new(&globs, "@timestamp").unwrap(),
            folder,
            positions: Positions::default(),
            counted: BTreeMap::new(),
            now,
            zero: Minute::of_millis(now).0 - 100 * 1_440,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A line that lies in a minute of its own, so that counts by minute tell lines apart.
    fn line(&self, number: i64) -> String {
        let minute = self.zero + number;
        let at = chrono::DateTime::from_timestamp(minute * 60, 0).unwrap().to_rfc3339();
        format!("{{\"@timestamp\":\"{at}\",\"n\":{number}}}\n")
    }

    fn lines(&self, numbers: impl IntoIterator<Item = i64>) -> String {
        numbers.into_iter().map(|number| self.line(number)).collect()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn truncate(&self, name: &str) {
        OpenOptions::new().write(true).truncate(true).open(self.path(name)).unwrap();
    }

    /// Copies what it holds and empties it.
    fn copy_truncate(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        self.truncate(from);
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Packs a file and leaves it there.
    fn pack(&self, name: &str) {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&fs::read(self.path(name)).unwrap()).unwrap();
        fs::write(self.path(&format!("{name}.gz")), packed.finish().unwrap()).unwrap();
    }

    fn gzip(&self, name: &str) {
        self.pack(name);
        self.remove(name);
    }

    /// Reads and commits.
    fn poll(&mut self) -> Polled {
        self.poll_at_most(ALL)
    }

    fn poll_at_most(&mut self, limit: u64) -> Polled {
        self.now = SystemClock.now().timestamp_millis();
        let every = Query { index: None, what: filter("n : *"), heartbeat: None, cuts: None };
        let zero = self.zero;
        let polled = self.source.poll(&mut self.positions, &[every], limit, self.now);
        for (minute, lines) in &polled.counts[0] {
            *self.counted.entry(minute.0 - zero).or_default() += lines;
        }
        polled
    }

    /// Each of the lines was counted once, and no other one.
    #[track_caller]
    fn expect(&mut self, numbers: impl IntoIterator<Item = i64>) {
        let polled = self.poll();
        assert_eq!(polled.problems, Vec::<String>::new());
        let once: BTreeMap<i64, i64> = numbers.into_iter().map(|number| (number, 1)).collect();
        assert_eq!(self.counted, once);
        let again = self.poll();
        assert_eq!((again.lines, again.refused, again.is_behind), (0, 0, false));
    }
}

#[test]
fn a_half_line_waits_for_its_rest() {
    let mut lab = Lab::new(&["x.log"]);
    let second = lab.line(1);
    let (half, rest) = second.split_at(20);
    lab.write("x.log", lab.line(0) + half);
    lab.expect([0]);
    lab.write("x.log", rest);
    lab.expect([0, 1]);
}

#[test]
fn a_last_line_without_an_end_counts_when_it_is_a_whole_object() {
    let mut lab = Lab::new(&["x.log*"]);
    lab.write("x.log", lab.lines([0, 1]).trim_end());
    lab.expect([0, 1]);
    lab.write("x.log", "\n");
    lab.write("x.log", lab.line(2).trim_end());
    lab.gzip("x.log");
    lab.expect([0, 1, 2]);
}

#[test]
fn blank_lines_line_ends_of_windows_and_zeros_in_front_do_no_harm() {
    let mut lab = Lab::new(&["x.log"]);
    let text = lab.lines([0, 1]).replace('\n', "\r\n\r\n \n");
    lab.write("x.log", text + "\0\0\0" + &lab.line(2));
    let polled = lab.poll();
    assert_eq!((polled.lines, polled.refused), (3, 0));
}

#[test]
fn at_first_all_files_are_read_from_their_beginning_and_later_ones_too() {
    let mut lab = Lab::new(&["*.log", "*.json"]);
    lab.write("a.log", lab.lines(0..100));
    lab.write("b.json", lab.lines(100..200));
    lab.write("c.txt", lab.lines(200..300));
    lab.expect(0..200);
    lab.write("d.log", lab.lines(200..250));
    lab.expect(0..250);
}

#[test]
fn a_limit_is_kept_and_says_that_there_is_more() {
    let mut lab = Lab::new(&["*.log*"]);
    lab.write("a.log", lab.lines(0..100));
    lab.write("b.log", lab.lines(100..200));
    lab.pack("b.log");
    lab.remove("b.log");
    let length = lab.line(0).len() as u64;
    let mut polls = 0;
    while lab.poll_at_most(length * 7).is_behind {
        polls += 1;
        assert_eq!(lab.counted.len(), 7 * polls);
    }
    lab.expect(0..200);
}

#[test]
fn what_was_not_committed_is_read_again() {
    let mut lab = Lab::new(&["x.log*"]);
    lab.write("x.log", lab.lines(0..10));
    lab.expect(0..10);
    lab.write("x.log", lab.lines(10..20));
    let (positions, counted) = (lab.positions.clone(), lab.counted.clone());
    lab.poll();
    (lab.positions, lab.counted) = (positions, counted);
    lab.rename("x.log", "x.log.1");
    lab.expect(0..20);
}

#[test]
fn queries_are_about_the_files_of_their_index_also_when_those_are_renamed() {
    let mut lab = Lab::new(&["*.json*"]);
    lab.write("orders-eu.json", lab.lines([0, 1]));
    lab.write("users.json.1", lab.lines([2]));
    let query = |index: Option<&str>, what: &str, heartbeat: Option<&str>| Query {
        index: index.map(|index| Index::parse(index).unwrap()),
        what: filter(what),
        heartbeat: heartbeat.map(filter),
        cuts: None,
    };
    let queries = [
        query(None, "n : *", None),
        query(Some("orders-*"), "n >= 1", None),
        query(Some("users"), "n >= 1", Some("n : 7")),
        query(Some("shop"), "n : *", None),
        query(Some("orders-*"), "n : 100", Some("n : 0")),
    ];
    let zero = lab.zero;
    let at = |number: i64| Minute(zero + number);
    let polled = lab.source.poll(&mut lab.positions, &queries, ALL, lab.now);
    let all = [vec![(at(0), 1), (at(1), 1), (at(2), 1)], vec![(at(1), 1)], vec![(at(2), 1)]];
    assert_eq!(polled.counts[..3], all);
    assert_eq!(polled.counts[3..], [vec![], vec![]]);
    let newest = |number: i64| Some(at(number).start_millis());
    assert_eq!(polled.newest, [newest(2), newest(1), None, None, newest(0)]);
    assert_eq!((polled.lines, polled.refused), (3, 0));
    lab.rename("orders-eu.json", "old.json");
    lab.write("old.json", lab.lines([3]));
    let polled = lab.source.poll(&mut lab.positions, &queries, ALL, lab.now);
    assert_eq!(polled.counts[1], [(at(3), 1)]);
}

#[test]
fn late_lines_are_counted_in_their_minutes() {
    let mut lab = Lab::new(&["x.log"]);
    lab.write("x.log", lab.lines([50, 3, 50, 4, 50]));
    let polled = lab.poll();
    let zero = lab.zero;
    let at = |number: i64| Minute(zero + number);
    assert_eq!(polled.counts[0], [(at(3), 1), (at(4), 1), (at(50), 3)]);
    assert_eq!(polled.newest[0], Some(at(50).start_millis()));
}

#[test]
fn a_source_needs_files_good_patterns_and_a_time_field() {
    let refused = |files: &[&str], field: &str| {
        let files: Vec<String> = files.iter().map(|f| (*f).to_owned()).collect();
        Jsonlog::new(&files, field).unwrap_err()
    };
    assert!(refused(&[], "@timestamp").contains("list paths such as"));
    assert!(refused(&["a[.log"], "@timestamp").contains("`a[.log` is no pattern"));
    assert!(refused(&["a.log"], "").contains("such as @timestamp"));
}
