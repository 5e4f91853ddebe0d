//! The gate's peek against a trivial route of the same process with a body of equal length, while
//! ticks run: the share of the answer that is the gate's own.

use std::time::Duration;

use anyhow::Context;

use super::answers::{Round, Server, get, median};
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const SLOS: Size = Size(10_000, 1_000);
const PAIRS: Size = Size(21, 5);
const CONNECTIONS: [usize; 3] = [1, 16, 64];
const ROUND: Duration = Duration::from_millis(500);

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let (slos, pairs) = (world.sizes.services(SLOS) as usize, world.sizes.repeat(PAIRS));
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let server = runtime.block_on(Server::start(&world.fresh("peek")?, slos))?;
    runtime.block_on(server.imitate(get("/v1/gate/svc-0")))?;
    let service = |caller: usize, at: usize| (caller * 7_919 + at) % slos;
    let peek = |caller: usize, at: usize| get(&format!("/v1/gate/svc-{}", service(caller, at)));
    let trivial = |_: usize, _: usize| get("/trivial");
    let mut outcome =
        Outcome { measure: "peek against a trivial route".to_owned(), ..Outcome::default() };
    outcome.workload.insert("slos".to_owned(), i64::try_from(slos)?);
    outcome.workload.insert("pairs".to_owned(), i64::from(pairs));
    for connections in CONNECTIONS {
        let (mut slower, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..pairs {
            let one = Round::of(server.address, connections, ROUND, &peek)?;
            let other = Round::of(server.address, connections, ROUND, &trivial)?;
            slower.push(one.p99() / other.p99());
            rates.push(one.rate / other.rate);
        }
        let said = |what: &str| format!("{what}, {connections} connections");
        let (slower, rate) = (median(slower), median(rates));
        outcome.figures.push(Figure::new(&said("p99"), slower, "x", Must::AtMost(1.2)));
        outcome.figures.push(Figure::new(&said("requests/s"), rate, "x", Must::AtLeast(0.7)));
    }
    runtime.block_on(server.stop());
    runtime.shutdown_timeout(Duration::from_secs(5));
    Ok(outcome)
}
