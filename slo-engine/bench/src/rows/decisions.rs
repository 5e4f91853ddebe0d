//! A server killed with `kill -9` at random instants while callers ask for recorded decisions: what
//! was answered is in the record once, and its chain is whole after each kill.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use headroom_bench::engine::{Engine, Serving};
use headroom_bench::random::Random;
use headroom_bench::traffic;
use serde_json::{Value, json};

use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const KILLS: Size = Size(200, 5);
const CALLERS: usize = 16;
/// Between two questions of a caller, so that the chain that is verified after each kill stays short.
const PAUSE: Duration = Duration::from_millis(15);

/// What callers share.
#[derive(Clone)]
struct Asked {
    url: Arc<Mutex<String>>,
    token: Arc<str>,
    /// Ids by version, as they were answered.
    answered: Arc<Mutex<BTreeMap<String, String>>>,
    stop: Arc<AtomicBool>,
}

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let kills = world.sizes.repeat(KILLS);
    let folder = world.fresh("gate")?;
    std::fs::create_dir_all(folder.join("slos"))?;
    std::fs::write(folder.join("slos/slos.yaml"), traffic::specs(20, 0, "7d"))?;
    let engine = world.engine.with("HEADROOM__GATE__RATELIMIT__PERSECOND", "0");
    let mut serving = engine.serve(&folder)?;
    let token = token(&engine, &folder)?;
    let asked = Asked {
        url: Arc::new(Mutex::new(serving.url.clone())),
        token: token.into(),
        answered: Arc::default(),
        stop: Arc::default(),
    };
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let callers: Vec<_> = (0..CALLERS).map(|at| runtime.spawn(call(at, asked.clone()))).collect();
    let broken = kill(&engine, &folder, &mut serving, &asked, kills, world.sizes.seed)?;
    asked.stop.store(true, Ordering::Relaxed);
    runtime.block_on(async {
        for caller in callers {
            caller.await.context("a caller broke off")??;
        }
        anyhow::Ok(())
    })?;
    let listed = runtime.block_on(list(&asked))?;
    let answered = asked.answered.lock().unwrap_or_else(PoisonError::into_inner);
    let is_there =
        |version: &String, id: &String| listed.get(version).is_some_and(|all| all.contains(id));
    let lost = answered.iter().filter(|(version, id)| !is_there(version, id)).count();
    let doubled = listed.values().filter(|ids| ids.len() > 1).count();
    let mut outcome = Outcome {
        measure: "decisions while the server is killed".to_owned(),
        ..Outcome::default()
    };
    outcome.workload.insert("kills".to_owned(), kills.into());
    outcome.workload.insert("decisions".to_owned(), answered.len() as i64);
    for (name, figure) in [("lost", lost), ("doubled", doubled), ("broken chains", broken)] {
        outcome.figures.push(Figure::new(name, figure as f64, "", Must::AtMost(0.0)));
    }
    Ok(outcome)
}

/// The server's first start makes the database; then there can be a token.
fn token(engine: &Engine, folder: &Path) -> anyhow::Result<String> {
    for _ in 0..100 {
        let made = engine.run(folder, &["token", "create", "--name", "ci", "--scope", "decide"])?;
        if made.status.success() {
            return Ok(String::from_utf8(made.stdout)?.trim().to_owned());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    anyhow::bail!("no token was made within 10 s")
}

/// Kills and starts again; how often the chain was not whole.
fn kill(
    engine: &Engine,
    folder: &Path,
    serving: &mut Serving,
    asked: &Asked,
    kills: u32,
    seed: u64,
) -> anyhow::Result<usize> {
    output::say(&format!("  {kills} kills while {CALLERS} callers ask"));
    let (mut random, mut broken) = (Random::new(seed), 0);
    for _ in 0..kills {
        let lives = u64::try_from(random.between(250, 1_500)).unwrap_or(500);
        std::thread::sleep(Duration::from_millis(lives));
        // What is dropped is killed, before the chain is looked at.
        *serving = {
            serving.kill();
            let verified = engine.run(folder, &["audit", "verify"])?;
            if !verified.status.success() {
                output::say(&String::from_utf8_lossy(&verified.stdout));
                broken += 1;
            }
            engine.serve(folder)?
        };
        *asked.url.lock().unwrap_or_else(PoisonError::into_inner) = serving.url.clone();
    }
    std::thread::sleep(Duration::from_secs(3));
    Ok(broken)
}

/// Asks question after question; one that got no answer is asked again with its key.
async fn call(caller: usize, asked: Asked) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?;
    let mut question = 0;
    while !asked.stop.load(Ordering::Relaxed) {
        let version = format!("{caller}.{question}");
        let base = asked.url.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let body = json!({"service": "svc-0000", "environment": "bench", "version": version});
        let request = client.post(format!("{base}/v1/gate/decisions")).json(&body);
        let request = request.bearer_auth(&asked.token).header("idempotency-key", &version);
        if let Some(id) = id(request).await {
            let mut answered = asked.answered.lock().unwrap_or_else(PoisonError::into_inner);
            answered.insert(version, id);
            question += 1;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// The id of an answer that says it is recorded.
async fn id(request: reqwest::RequestBuilder) -> Option<String> {
    let answer = request.send().await.ok()?.error_for_status().ok()?;
    let decision: Value = answer.json().await.ok()?;
    let is_recorded = decision["recorded"].is_object();
    decision["id"].as_str().filter(|_| is_recorded).map(str::to_owned)
}

/// All recorded ids by version.
async fn list(asked: &Asked) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let (mut all, mut cursor) = (BTreeMap::<String, Vec<String>>::new(), String::new());
    let base = asked.url.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let client = reqwest::Client::builder().no_proxy().build()?;
    loop {
        let url = format!("{base}/v1/gate/decisions?limit=500{cursor}");
        let page: Value = client.get(url).send().await?.error_for_status()?.json().await?;
        for decision in page["items"].as_array().into_iter().flatten() {
            let text = |key: &str| decision[key].as_str().unwrap_or_default().to_owned();
            all.entry(text("version")).or_default().push(text("id"));
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(all),
        }
    }
}
