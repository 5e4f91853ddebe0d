//! Any order of writing, rotating, reading and dying, against what was written.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// Whole lines to the newest file of a service.
    Write(usize, u8),
    /// The first bytes of a line; the next writing completes it.
    Half(usize, u8),
    Rename(usize),
    /// Lines are written between the copy and the emptying.
    CopyTruncate(usize, u8),
    /// The number of the old file.
    Gzip(usize, u8),
    /// Packed, and not yet removed.
    Pack(usize, u8),
    Delete(usize, u8),
    Poll(u64),
    /// Reads and dies before the commit.
    Crash(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let service = 0..2_usize;
    let limit = prop_oneof![Just(ALL), 1..3_000_u64];
    prop_oneof![
        6 => (service.clone(), 1..30_u8).prop_map(|(s, n)| Step::Write(s, n)),
        2 => (service.clone(), 1..40_u8).prop_map(|(s, n)| Step::Half(s, n)),
        2 => service.clone().prop_map(Step::Rename),
        2 => (service.clone(), 0..3_u8).prop_map(|(s, n)| Step::CopyTruncate(s, n)),
        2 => (service.clone(), 1..4_u8).prop_map(|(s, n)| Step::Gzip(s, n)),
        1 => (service.clone(), 1..4_u8).prop_map(|(s, n)| Step::Pack(s, n)),
        1 => (service, 2..5_u8).prop_map(|(s, n)| Step::Delete(s, n)),
        6 => limit.clone().prop_map(Step::Poll),
        2 => limit.prop_map(Step::Crash),
    ]
}

struct Mill {
    lab: Lab,
    /// The globs name no old files, so each file must be met before it is one.
    meets: bool,
    written: i64,
    /// The rest of a half line of each service.
    rest: [String; 2],
    /// Lines that may be lost, by no fault of the reader.
    may_be_lost: BTreeSet<i64>,
}

const SERVICES: [&str; 2] = ["orders.json", "users.json"];

impl Mill {
    fn new(glob: &str, meets: bool) -> Self {
        let (rest, may_be_lost) = ([const { String::new() }; 2], BTreeSet::new());
        Self { lab: Lab::new(&[glob]), meets, written: 0, rest, may_be_lost }
    }

    fn next(&mut self) -> String {
        self.written += 1;
        self.lab.line(self.written - 1)
    }

    fn write(&mut self, service: usize, lines: u8) {
        let mut text = std::mem::take(&mut self.rest[service]);
        for _ in 0..lines {
            text += &self.next();
        }
        self.lab.write(SERVICES[service], text);
    }

    fn old(&self, service: usize, number: u8) -> String {
        format!("{}.{number}", SERVICES[service])
    }

    /// Moves all old files on by one.
    fn shift(&mut self, service: usize) {
        self.write(service, 0);
        if self.meets {
            self.write(service, 1);
            self.lab.poll();
            self.write(service, 2);
        }
        for number in (1..60).rev() {
            for ending in ["", ".gz"] {
                let from = self.old(service, number) + ending;
                if self.lab.path(&from).exists() {
                    self.lab.rename(&from, &(self.old(service, number + 1) + ending));
                }
            }
        }
    }

    /// Deletes a file when there is one; the reader never had to have read it.
    fn delete(&self, name: &str) {
        if self.lab.path(name).exists() {
            self.lab.remove(name);
        }
    }

    /// The lines that a service's file holds.
    fn held(&self, name: &str) -> Vec<i64> {
        let text = fs::read_to_string(self.lab.path(name)).unwrap_or_default();
        let number = |line: &str| line.split_once("\"n\":")?.1.trim_end_matches('}').parse().ok();
        text.lines().filter_map(number).collect()
    }

    fn write_half(&mut self, service: usize, bytes: usize) {
        self.write(service, 0);
        let line = self.next();
        let (half, rest) = line.split_at(bytes.min(line.len() - 1));
        self.lab.write(SERVICES[service], half);
        self.rest[service] = rest.to_owned();
    }

    /// Lines that are written between the two are lost, whoever reads.
    fn copy_and_truncate(&mut self, service: usize, lines: u8) {
        self.shift(service);
        let name = SERVICES[service];
        fs::copy(self.lab.path(name), self.lab.path(&self.old(service, 1))).unwrap();
        let first = self.written;
        self.write(service, lines);
        self.may_be_lost.extend(first..self.written);
        self.lab.truncate(name);
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Write(service, lines) => self.write(service, lines),
            Step::Half(service, bytes) => self.write_half(service, bytes as usize),
            Step::Rename(service) if self.lab.path(SERVICES[service]).exists() => {
                self.shift(service);
                self.lab.rename(SERVICES[service], &self.old(service, 1));
            }
            Step::CopyTruncate(service, lines) if self.lab.path(SERVICES[service]).exists() => {
                self.copy_and_truncate(service, lines);
            }
            Step::Gzip(service, number) => {
                let name = self.old(service, number);
                if self.lab.path(&name).exists() {
                    self.lab.gzip(&name);
                }
            }
            Step::Pack(service, number) => {
                let name = self.old(service, number);
                if self.lab.path(&name).exists() {
                    self.lab.pack(&name);
                }
            }
            Step::Delete(service, number) => {
                let name = self.old(service, number);
                self.may_be_lost.extend(self.held(&name));
                self.delete(&name);
            }
            Step::Poll(limit) => {
                self.lab.poll_at_most(limit);
            }
            Step::Crash(limit) => {
                let before = (self.lab.positions.clone(), self.lab.counted.clone());
                self.lab.poll_at_most(limit);
                (self.lab.positions, self.lab.counted) = before;
            }
            Step::Rename(_) | Step::CopyTruncate(..) => {}
        }
    }

    /// Reads all, and compares with what was written.
    fn end(&mut self) -> Result<(), TestCaseError> {
        for service in 0..SERVICES.len() {
            self.write(service, 0);
        }
        while self.lab.poll_at_most(ALL).is_behind {}
        self.lab.poll();
        for number in 0..self.written {
            let counted = self.lab.counted.get(&number).copied().unwrap_or(0);
            let least = i64::from(!self.may_be_lost.contains(&number));
            prop_assert!(
                (least..=1).contains(&counted),
                "line {number} was counted {counted} times"
            );
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_line_is_lost_and_none_is_counted_twice(
        steps in prop::collection::vec(step(), 1..60), meets in any::<bool>(),
    ) {
        let mut mill = Mill::new(if meets { "*.json" } else { "*.json*" }, meets);
        for step in &steps {
            mill.run(step);
        }
        mill.end()?;
    }
}
