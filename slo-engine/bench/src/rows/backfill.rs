//! What a reading of 30 days costs the Prometheus that is read: CPU against one fused
//! `increase[30d]` for all services, samples against those that are needed, queries.

use headroom_bench::server::{Server, Traffic};
use headroom_bench::traffic;

use crate::report::{Figure, Must, Outcome};
use crate::world::{END, Size, World};

/// What one reading cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    cpu: f64,
    samples: f64,
    queries: f64,
}

pub(super) fn run(world: &World) -> anyhow::Result<Outcome> {
    let traffic = Traffic {
        services: world.sizes.services(Size(40, 5)),
        histograms: 0,
        days: world.sizes.days(Size(31, 4)),
        seed: world.sizes.seed,
        end: END,
    };
    let data = world.traffic(&traffic)?;
    let specs = world.specs(&traffic::specs(traffic.services, 0, "30d"))?;
    let engine = world.engine.reading(data.server.url());
    let (mut reads, mut fused) = (Vec::new(), Vec::new());
    // The first of each only warms up.
    let url = data.server.url();
    let query = "sum by (service) (increase(http_requests_total[30d]))";
    for _ in 0..=world.sizes.repeat(Size(5, 1)) {
        reads.push(cost(&data.server, &|| engine.budget(&specs, END * 1_000).map(drop))?);
        fused.push(cost(&data.server, &|| world.http.query(url, query, END).map(drop))?);
    }
    let (read, fused) = (middle(&reads[1..]), middle(&fused[1..]));
    Ok(outcome(&traffic, read, fused))
}

fn cost(server: &Server, work: &dyn Fn() -> anyhow::Result<()>) -> anyhow::Result<Cost> {
    let (cpu, queries) = (server.cpu_seconds()?, server.queries()?.len());
    work()?;
    let (used, all) = (server.cpu_seconds()? - cpu, server.queries()?);
    let new = all.get(queries..).unwrap_or_default();
    let samples = new.iter().map(|query| query.samples).sum();
    Ok(Cost { cpu: used, samples, queries: new.len() as f64 })
}

/// The run of median CPU.
fn middle(runs: &[Cost]) -> Cost {
    let mut sorted = runs.to_vec();
    sorted.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// CPU is counted in hundredths of a second: a shorter query cannot be compared.
const SHORTEST: f64 = 0.2;

fn outcome(traffic: &Traffic, read: Cost, fused: Cost) -> Outcome {
    let at_most_four = if fused.cpu < SHORTEST { Must::Nothing } else { Must::AtMost(4.0) };
    Outcome {
        measure: "CPU of Prometheus for a 30 d reading by budget --at against one increase[30d]"
            .into(),
        workload: [
            ("services".to_owned(), i64::from(traffic.services)),
            ("days".to_owned(), i64::from(traffic.days)),
        ]
        .into(),
        figures: vec![
            Figure::new("CPU of the reading", read.cpu, "s", Must::Nothing),
            Figure::new("CPU of the fused query", fused.cpu, "s", Must::Nothing),
            Figure::new("their ratio", read.cpu / fused.cpu, "x", at_most_four),
            Figure::new("queries of the reading", read.queries, "", Must::Nothing),
            Figure::new("samples read", read.samples, "", Must::Nothing),
            Figure::new(
                "samples read / samples of the window",
                read.samples / fused.samples,
                "x",
                Must::AtMost(1.3),
            ),
        ],
        ..Outcome::default()
    }
}
