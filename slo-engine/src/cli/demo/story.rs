//! The story, with numbers: healthy, a fault, the burn, the refusal, the override, the comparison.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use slo_core::time::Minute;
use slo_core::view::{BudgetView, State};

use super::pipeline::{self, People};
use super::ship;
use super::stage::Stage;
use crate::cli::output;

/// What the load generator saw.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    sent: i64,
    answered: i64,
    in_flight: i64,
    bad: i64,
}

/// How long the fault lasts, and one of how many requests fails. Before it there are up to 75 s of healthy
/// traffic, as the minute has it: all of their budget must be gone within the fault.
const FAULT: u64 = 20;
const ONE_IN: u32 = 3;

pub(super) fn say(line: &str) -> anyhow::Result<()> {
    output::text(&format!("{line}\n"))
}

fn title(line: &str) -> anyhow::Result<()> {
    let (on, off) = if output::colours() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    say(&format!("\n{on}{line}{off}"))
}

/// Tells the story; whether both counts were equal at its end.
pub(super) async fn tell(stage: &mut Stage<'_>) -> anyhow::Result<bool> {
    say(
        "An objective of 95 % over 10 minutes, and a policy made for minutes, so that you need not wait for days.",
    )?;
    title("1. The catalog is healthy, and a pipeline asks before each deploy")?;
    stage.load().await?;
    let healthy = |v: &BudgetView| {
        v.windows[0].total.is_some_and(|t| t > 1_300.0) && v.state == State::Healthy
    };
    let view = stage.until("the catalog is healthy", healthy).await?;
    line(&view)?;
    let people = People::hire(stage).await?;
    pipeline::deploy(stage, &people).await?;
    healthy_minute(stage, &view).await?;

    title(&format!("2. Version 1.1 is broken: for {FAULT} s, one request in {ONE_IN} fails"))?;
    inject(stage).await?;
    let over = tokio::time::Instant::now() + Duration::from_secs(FAULT + 2);
    burn_down(stage).await?;

    title("3. The budget is gone: the next deploy is refused, the way back is open")?;
    pipeline::refuse(stage, &people).await?;

    title("4. Two people take the responsibility for a repair")?;
    pipeline::overrule(stage, &people).await?;

    title("5. The fault ends")?;
    tokio::time::sleep_until(over).await;
    let equal = compare(stage).await?;

    title("7. The record of all this is whole")?;
    pipeline::audit(stage).await?;
    Ok(equal)
}

/// The forecast goes by the usual minute, and the watch by the minutes after the deploy: a healthy one
/// must be over before a burning one begins, and that one must have room for the whole burn.
async fn healthy_minute(stage: &mut Stage<'_>, deployed: &BudgetView) -> anyhow::Result<()> {
    let minute = |v: &BudgetView| Minute::of(v.evaluated_at);
    let over = |v: &BudgetView| {
        minute(v) > minute(deployed) && (v.evaluated_at - minute(v).start()).num_seconds() <= 30
    };
    say("   (a whole minute of healthy traffic teaches the forecast what is usual)")?;
    stage.until("a minute is over", over).await.map(drop)
}

/// A line a second until nothing remains.
async fn burn_down(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let mut shown = 0.0;
    loop {
        let bad = |view: &BudgetView| view.windows[0].bad.unwrap_or(0.0);
        let view = stage.until("more requests fail", |view| bad(view) > shown).await?;
        shown = bad(&view);
        line(&view)?;
        if view.state == State::Exhausted {
            return Ok(());
        }
    }
}

fn line(view: &BudgetView) -> anyhow::Result<()> {
    let window = &view.windows[0];
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "unknown".to_owned(), |s| format!("{:.1} %", s * 100.0))
    };
    let burn = view.burn.first().and_then(|b| Some(format!("{:.1} over {}", b.rate?, b.window)));
    say(&format!(
        "   {:.0} bad of {:.0} requests: {} of the budget remains, burn rate {}",
        window.bad.unwrap_or(0.0),
        window.total.unwrap_or(0.0),
        percent(window.remaining),
        burn.unwrap_or_else(|| "unknown".to_owned()),
    ))
}

async fn inject(stage: &Stage<'_>) -> anyhow::Result<()> {
    let share = 1.0 / f64::from(ONE_IN);
    let fault = serde_json::json!({"kind": "errors", "share": share, "seconds": FAULT, "seed": 7});
    let url = format!("{}/faults", stage.catalog);
    let answer =
        stage.client.post(url).json(&fault).send().await.context("the catalog did not answer")?;
    if !answer.status().is_success() {
        bail!("the catalog refused the fault: {}", answer.text().await.unwrap_or_default());
    }
    Ok(())
}

/// The engine's count beside the load generator's. Equal to within the requests in flight.
async fn compare(stage: &mut Stage<'_>) -> anyhow::Result<bool> {
    let url = format!("http://{}/counts", stage.counts);
    let seen: Counts =
        stage.client.get(url).send().await?.json().await.context("the load generator's counts")?;
    let bad = |view: &BudgetView| view.windows[0].bad.unwrap_or(0.0) as i64;
    // The engine reads every second: the answer that the load generator has may come a tick later.
    let read = |v: &BudgetView| bad(v) >= seen.bad;
    let view = stage.until("the engine has read past the counts", read).await?;
    line(&view)?;
    title("6. The same failures, counted in several ways")?;
    say(&format!(
        "   the load generator saw {} bad answers of {} requests ({} in flight)",
        seen.bad, seen.sent, seen.in_flight
    ))?;
    let mut equal = seen.answered > 0;
    let searched =
        stage.started.cluster.is_some().then_some((ship::SLO, "by its log in the cluster     "));
    for (slo, how) in [
        ("availability", "by the catalog's metrics      "),
        ("availability-in-logs", "by the lines of its log       "),
        ("availability-of-both", "all by metrics, bad by its log"),
    ]
    .into_iter()
    .chain(searched)
    {
        let view = stage.until_of(slo, "the engine has read past the counts", read).await?;
        let off = bad(&view) - seen.bad;
        equal &= off.abs() <= seen.in_flight.max(0);
        say(&format!("   the engine, {how}: {} bad events; they differ by {off}", bad(&view)))?;
    }
    say(if equal { "   equal, to within the requests in flight" } else { "   NOT equal" })?;
    Ok(equal)
}

/// Says what runs on.
pub(super) fn stay(stage: &Stage<'_>) -> anyhow::Result<()> {
    title("Everything runs on until Ctrl-C")?;
    say(&format!("   engine      {0}/v1/slos   {0}/docs   {0}/metrics", stage.engine))?;
    say(&format!("   gate        budget-gate peek --service catalog --url {}", stage.engine))?;
    say(&format!("   decisions   {}/gate/decisions", stage.engine))?;
    say(&format!("   catalog     {0}/products   {0}/faults   {0}/metrics", stage.catalog))?;
    if let Some(prometheus) = &stage.prometheus {
        say(&format!("   prometheus  {prometheus}"))?;
    }
    Ok(())
}
