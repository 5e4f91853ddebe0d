//! What pipelines and people do in the story: they run the same commands that they would in a real CI.

use anyhow::{Context, bail};
use tokio::process::Command;

use super::sibling;
use super::stage::Stage;
use super::story::say;

/// Machine tokens: one for the pipeline, one for each person.
pub(super) struct People {
    ci: String,
    ana: String,
    ben: String,
}

impl People {
    /// Makes the tokens.
    pub(super) async fn hire(stage: &Stage<'_>) -> anyhow::Result<Self> {
        let ci = ["--name", "ci", "--scope", "decide", "--scope", "deploy"];
        let person = |name| ["--name", name, "--scope", "override"];
        Ok(Self {
            ci: token(stage, &ci).await?,
            ana: token(stage, &person("ana")).await?,
            ben: token(stage, &person("ben")).await?,
        })
    }
}

async fn token(stage: &Stage<'_>, asked: &[&str]) -> anyhow::Result<String> {
    let mut command = engine(stage)?;
    let output = command.args(["token", "create"]).args(asked).output().await;
    let output = output.context("cannot run slo-engine token create")?;
    if !output.status.success() {
        bail!("no token was made: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// This program over the demo's database.
fn engine(stage: &Stage<'_>) -> anyhow::Result<Command> {
    let mut command = Command::new(sibling("slo-engine")?);
    stage.started.children.adopt(&mut command).env("HEADROOM__STORE__URL", &stage.store);
    Ok(command)
}

/// 1.0 and then 1.1 are asked for and run.
pub(super) async fn deploy(stage: &Stage<'_>, people: &People) -> anyhow::Result<()> {
    for version in ["1.0", "1.1"] {
        gate(stage, &people.ci, &["check", "--version", version], 0).await?;
        gate(stage, &people.ci, &["deployed", "--version", version], 0).await?;
    }
    Ok(())
}

/// After the deploy the watch says to roll back, a release is refused, and the rollback passes.
pub(super) async fn refuse(stage: &Stage<'_>, people: &People) -> anyhow::Result<()> {
    gate(stage, &people.ci, &["watch", "--for", "5s"], 20).await?;
    gate(stage, &people.ci, &["check", "--version", "1.2"], 20).await?;
    let back = ["check", "--version", "1.0", "--kind", "rollback"];
    gate(stage, &people.ci, &back, 0).await.map(drop)
}

/// One asks, another approves, and the refused deploy goes with a warning.
pub(super) async fn overrule(stage: &Stage<'_>, people: &People) -> anyhow::Result<()> {
    let why = "1.2 repairs what 1.1 broke";
    let asked = ["override", "--reason", why, "--for", "30m"];
    let id = gate(stage, &people.ana, &asked, 0).await?;
    gate(stage, &people.ben, &["approve", id.trim()], 0).await?;
    gate(stage, &people.ci, &["check", "--version", "1.2"], 0).await.map(drop)
}

/// The chain of everything that was decided is checked.
pub(super) async fn audit(stage: &Stage<'_>) -> anyhow::Result<()> {
    say("   $ slo-engine audit verify")?;
    let output = engine(stage)?.args(["audit", "verify"]).output().await;
    let output = output.context("cannot run slo-engine audit verify")?;
    show(&output.stdout)?;
    if !output.status.success() {
        bail!("the record is not whole: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Runs the client as a pipeline would, and shows what its log would; answers what it printed.
async fn gate(
    stage: &Stage<'_>,
    token: &str,
    arguments: &[&str],
    expected: i32,
) -> anyhow::Result<String> {
    let mut all = arguments.to_vec();
    if arguments[0] != "approve" {
        all.splice(1..1, ["--service", "catalog"]);
    }
    let shown: Vec<String> = all.iter().map(|word| quoted(word)).collect();
    say(&format!("   $ budget-gate {}", shown.join(" ")))?;
    let mut command = Command::new(sibling("budget-gate")?);
    stage.started.children.adopt(&mut command);
    command.args(&all).env("HEADROOM_URL", &stage.engine).env("HEADROOM_TOKEN", token);
    // The demo may run in a CI job of its own, whose facts are not the story's.
    for found in ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "ARGOCD_APP_NAME"] {
        command.env_remove(found);
    }
    let output = command.output().await.context("cannot run budget-gate")?;
    show(&output.stdout)?;
    show(&output.stderr)?;
    let code = output.status.code().unwrap_or(-1);
    say(&format!("   exit code {code}\n"))?;
    if code != expected {
        bail!("the gate was expected to exit with {expected}");
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() }
}

fn show(text: &[u8]) -> anyhow::Result<()> {
    let text = String::from_utf8_lossy(text);
    text.lines().try_for_each(|line| say(&format!("   {line}")))
}
