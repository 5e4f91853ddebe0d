//! Lines of JSON counted for 20 SLOs, against a bare parse of the same fields from the same file; and
//! memory at two sizes of file.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use headroom_bench::random::Random;
use serde::Deserialize;
use slo_core::filter::Filter;
use slo_engine::source::jsonlog::{Index, Jsonlog, Positions, Query};

use crate::report::{Figure, Must, Outcome};
use crate::world::{END, Size, World};

/// Thousands of lines, in place of services.
const LINES: Size = Size(400, 20);
const PAIRS: Size = Size(15, 5);
const SERVICES: u64 = 10;

/// A ratio and a latency of each service: 20 SLOs.
const EACH: [&str; 4] = [
    "event.dataset : \"{}.access\" and service.name : {}",
    "event.dataset : \"{}.access\" and service.name : {} and http.response.status_code >= 500",
    "service.name : {} and http.route : \"/api/search\" and event.duration : *",
    "service.name : {} and http.route : \"/api/search\" and event.duration <= 300000000",
];

/// The fields that the queries ask about.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: &'a str,
    #[serde(rename = "event.dataset")]
    dataset: &'a str,
    #[serde(rename = "service.name")]
    service: &'a str,
    #[serde(rename = "http.response.status_code")]
    code: u16,
    #[serde(rename = "http.route")]
    route: &'a str,
    #[serde(rename = "event.duration")]
    duration: u64,
}

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let (lines, pairs) = (world.sizes.services(LINES) * 1_000, world.sizes.repeat(PAIRS));
    let folder = world.fresh("files")?;
    let (small, large) = (folder.join("small.json"), folder.join("large.json"));
    let bytes = write(&small, lines / 4)?;
    write(&large, lines)?;
    let queries = queries()?;
    let peak_small = peak(|| check(&small, &queries))?;
    let peak_large = peak(|| check(&large, &queries))?;
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        let counted = timed(|| count(&large, &queries).map(|polled| polled.0))?;
        let parsed = timed(|| parse(&large))?;
        rates.push(f64::from(lines) / counted);
        ratios.push(parsed / counted);
    }
    let mut outcome =
        Outcome { measure: "JSON lines against a bare parse".to_owned(), ..Outcome::default() };
    outcome.workload.insert("lines".to_owned(), lines.into());
    outcome
        .workload
        .insert("bytesPerLine".to_owned(), i64::try_from(bytes)? * 4 / i64::from(lines));
    outcome.workload.insert("queries".to_owned(), i64::try_from(queries.len())?);
    let growth = (peak_large - peak_small) / 1_024.0;
    outcome.figures = vec![
        Figure::new("lines/s of a bare parse", median(ratios), "x", Must::AtLeast(0.6)),
        Figure::new("lines/s", median(rates), "", Must::Nothing),
        Figure::new("memory for a file of 4 times the size", growth, "MiB", Must::AtMost(4.0)),
        Figure::new("memory", peak_large / 1_024.0, "MiB", Must::Nothing),
    ];
    Ok(outcome)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<f64> {
    let begun = Instant::now();
    std::hint::black_box(work()?);
    Ok(begun.elapsed().as_secs_f64())
}

fn queries() -> anyhow::Result<Vec<Query>> {
    let mut queries = Vec::new();
    for service in 0..SERVICES {
        for text in EACH {
            let what = Filter::parse(&text.replace("{}", &format!("svc-{service}")))
                .map_err(|e| anyhow::anyhow!("{text}: {e}"))?;
            queries.push(Query {
                index: Some(Index::parse("*").map_err(anyhow::Error::msg)?),
                what,
                heartbeat: None,
                cuts: None,
            });
        }
    }
    Ok(queries)
}

/// Access lines of about 500 bytes, as services write them; how many bytes they are.
fn write(path: &Path, lines: u32) -> anyhow::Result<u64> {
    let mut file = BufWriter::new(File::create(path).context("make a file of lines")?);
    let mut random = Random::new(1);
    for line in 0..i64::from(lines) {
        let at =
            chrono::DateTime::from_timestamp_millis(END * 1_000 + line * 5).unwrap_or_default();
        let service = format!("svc-{}", random.between(0, SERVICES as i64));
        let code = [200, 200, 200, 404, 503][random.between(0, 5) as usize];
        let route = ["/api/search", "/api/items/{id}", "/api/cart"][random.between(0, 3) as usize];
        writeln!(
            file,
            "{{\"@timestamp\":\"{}\",\"log.level\":\"info\",\"message\":\"GET {route} {code}\",\
             \"ecs.version\":\"8.11.0\",\"service.name\":\"{service}\",\
             \"event.dataset\":\"{service}.access\",\"http.request.method\":\"GET\",\
             \"http.response.status_code\":{code},\"url.path\":\"/api/items/{line}\",\
             \"url.query\":\"page={}\",\"http.route\":\"{route}\",\"event.duration\":{},\
             \"event.outcome\":\"success\",\"http.request.id\":\"{:032x}\",\
             \"trace.id\":\"{:032x}\",\"user_agent.original\":\"Mozilla/5.0 (X11; Linux x86_64)\"}}",
            at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            random.between(1, 99),
            random.between(1_000_000, 900_000_000),
            random.next(),
            random.next(),
        )?;
    }
    file.flush()?;
    Ok(fs::metadata(path)?.len())
}

/// Counts all lines of a file: how many there were, and for each query how many it found.
fn count(path: &Path, queries: &[Query]) -> anyhow::Result<(u64, Vec<i64>)> {
    let source = Jsonlog::new(&[path.display().to_string()], "@timestamp");
    let source = source.map_err(anyhow::Error::msg)?;
    let polled = source.poll(&mut Positions::default(), queries, u64::MAX, END * 1_000);
    anyhow::ensure!(polled.refused == 0 && polled.problems.is_empty(), "{polled:?}");
    let found = polled.counts.iter().map(|minutes| minutes.iter().map(|(_, n)| n).sum());
    Ok((polled.lines, found.collect()))
}

/// The same by the fields of a bare parse.
fn check(path: &Path, queries: &[Query]) -> anyhow::Result<()> {
    let (lines, found) = count(path, queries)?;
    let mut truth = vec![0; found.len()];
    let mut all = 0;
    each(path, |fields| {
        all += 1;
        let service: usize = fields.service.trim_start_matches("svc-").parse().unwrap_or_default();
        let is_access = fields.dataset.ends_with(".access");
        let is_search = fields.route == "/api/search";
        let is_fast = fields.duration <= 300_000_000;
        let holds = [is_access, is_access && fields.code >= 500, is_search, is_search && is_fast];
        for (at, holds) in holds.into_iter().enumerate() {
            truth[service * EACH.len() + at] += i64::from(holds);
        }
    })?;
    anyhow::ensure!((lines, &found) == (all, &truth), "counted {found:?}, true is {truth:?}");
    Ok(())
}

fn each(path: &Path, mut take: impl FnMut(Fields<'_>)) -> anyhow::Result<()> {
    let mut file = BufReader::with_capacity(256 * 1_024, File::open(path)?);
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 {
        take(serde_json::from_slice(&line)?);
        line.clear();
    }
    Ok(())
}

fn parse(path: &Path) -> anyhow::Result<usize> {
    let mut seen = 0;
    each(path, |fields| seen += std::hint::black_box(fields).timestamp.len())?;
    Ok(seen)
}

/// The most memory that this process had during some work, in KiB.
fn peak(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    fs::write("/proc/self/clear_refs", "5").context("begin to watch memory")?;
    work()?;
    let text = fs::read_to_string("/proc/self/status").context("read this process's memory")?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse().ok()).context("no peak of memory")
}
