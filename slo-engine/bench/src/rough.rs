//! Histories with everything that goes wrong with counters: deploys that replace targets, with and
//! without the start of their process, children that appear, resets, dips, gaps of all lengths.

use crate::openmetrics::Series;
use crate::oracle::MINUTE;
use crate::random::Random;
use crate::traffic::{REQUESTS, STARTED};

const CODES: [&str; 4] = ["200", "404", "500", "503"];

/// Series of some services (named as the generator names them) over so many minutes before `end`
/// (Unix milliseconds). The same seed gives the same history.
#[must_use]
pub fn histories(services: u32, minutes: i64, end: i64, seed: u64) -> Vec<Series> {
    let service = |number: u32| {
        let random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number.into()));
        let name = crate::traffic::name(number);
        Service { name, minutes, begin: end - minutes * MINUTE, random }.series()
    };
    (0..services).flat_map(service).collect()
}

struct Service {
    name: String,
    minutes: i64,
    begin: i64,
    random: Random,
}

/// What a target does at one scrape.
struct Scrape {
    at: i64,
    /// The process began anew since the scrape before.
    restarted: bool,
    /// Another replica answers, which is a little behind.
    behind: bool,
}

impl Service {
    fn series(mut self) -> Vec<Series> {
        let mut all = Vec::new();
        for slot in 0..self.random.between(1, 5) {
            let (mut from, mut pod) = (self.random.between(0, 60), 0);
            while from < self.minutes {
                // Pods live from minutes to days; the next one comes a little before or after.
                let life = self.random.between(3, self.minutes.max(4));
                let to = (from + life).min(self.minutes);
                let instance = format!("{}-{slot}-{pod}", self.name);
                self.pod(&instance, from, to, &mut all);
                let pause = if self.chance(15) { 700 } else { 12 };
                (from, pod) = (to + self.random.between(-3, pause), pod + 1);
            }
        }
        all.retain(|series: &Series| !series.samples.is_empty());
        all
    }

    /// One in so many.
    fn chance(&mut self, of: i64) -> bool {
        self.random.between(0, of) == 0
    }

    fn pod(&mut self, instance: &str, from: i64, to: i64, all: &mut Vec<Series>) {
        let scrapes = self.scrapes(from, to);
        let Some(first) = scrapes.first().map(|s| s.at) else { return };
        let job = self.name.clone();
        let labels = [("job", job.as_str()), ("instance", instance)];
        if !self.chance(3) {
            let mut started = Series::new(STARTED, &labels);
            // Most processes began just before their first scrape; some were there long before.
            let age = if self.chance(4) { 3_600 * 30 } else { self.random.between(1, 90) };
            let mut began = first - age * 1_000;
            for scrape in &scrapes {
                if scrape.restarted {
                    began = scrape.at - 5_000;
                }
                started.samples.push((scrape.at, began as f64 / 1e3));
            }
            all.push(started);
        }
        for code in CODES {
            let labels = [("service", job.as_str()), labels[0], labels[1], ("code", code)];
            let mut series = Series::new(REQUESTS, &labels);
            series.samples = self.counter(&scrapes, code);
            all.push(series);
        }
    }

    /// A scrape a minute, some milliseconds off, with holes in which the process may begin anew.
    fn scrapes(&mut self, from: i64, to: i64) -> Vec<Scrape> {
        let phase = self.random.between(0, MINUTE);
        let (mut minute, mut restarted, mut scrapes) = (from, false, Vec::new());
        while minute < to {
            let at = self.begin + minute * MINUTE + phase + self.random.between(0, 900);
            scrapes.push(Scrape { at, restarted, behind: self.chance(300) });
            restarted = self.chance(400);
            let hole = match self.random.between(0, 600) {
                0 => self.random.between(300, 500),
                1..6 => self.random.between(2, 90),
                6..20 => self.random.between(1, 6),
                _ => 0,
            };
            minute += 1 + hole;
        }
        scrapes
    }

    /// A running total; children appear with their first event, and a scrape may miss one series.
    fn counter(&mut self, scrapes: &[Scrape], code: &str) -> Vec<(i64, f64)> {
        let most = self.random.between(1, if code == "200" { 400 } else { 4 });
        let mut appears = if code == "200" { 0 } else { self.random.between(0, 400) };
        let (mut value, mut samples) = (self.random.between(0, 3) * 5_000, Vec::new());
        if appears > 0 {
            value = self.random.between(1, 9);
        }
        for scrape in scrapes {
            if appears > 0 {
                appears -= 1;
                continue;
            }
            if scrape.restarted {
                value = 0;
            }
            value += self.random.between(0, most);
            if self.chance(500) {
                continue;
            }
            let back = if scrape.behind { value * self.random.between(0, 80) / 1_000 } else { 0 };
            samples.push((scrape.at, (value - back) as f64));
        }
        samples
    }
}
