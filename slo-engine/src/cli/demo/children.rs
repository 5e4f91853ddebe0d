//! Programs that the demo starts. They end with it, however it ends.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

/// What outlives the demo by a moment: it waits for the end of its input, which comes however the demo ends,
/// `kill -9` included, then ends the group of programs that it was told of and removes the folder.
const GUARD: &str = r#"
trap '' HUP INT TERM
if read -r group; then
    while read -r _; do :; done
    kill -s KILL -- "-$group" && sleep 0.05
fi
tries=0
until rm -rf -- "$1" || [ "$tries" -ge 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
"#;

/// The demo's folder, the programs that run in it, and their guard.
///
/// The programs have a process group of their own: a Ctrl-C in the terminal reaches the demo alone, which then
/// ends them in order.
pub(super) struct Children {
    pub(super) folder: PathBuf,
    running: Vec<Running>,
    group: Option<i32>,
    guard: std::process::Child,
}

/// A running program.
struct Running {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Children {
    /// Makes the folder and starts its guard.
    pub(super) fn guarded() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("headroom-demo-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let guard = std::process::Command::new("sh")
            .args(["-c", GUARD, "headroom-demo-guard"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start sh, which removes what the demo leaves")?;
        Ok(Self { folder: folder.keep(), running: Vec::new(), group: None, guard })
    }

    /// Starts a program with its output in a file.
    pub(super) fn start(
        &mut self,
        name: &'static str,
        command: &mut Command,
    ) -> anyhow::Result<()> {
        let log = self.folder.join(format!("{name}.log"));
        let file = std::fs::File::create(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let errors = file.try_clone().context("cannot share a log file")?;
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        let child = self.adopt(command).spawn().with_context(|| format!("cannot start {name}"))?;
        if self.group.is_none() {
            self.group = child.id().and_then(|id| i32::try_from(id).ok());
            let group = self.group.context("a program that was started has no number")?;
            let told = self.guard.stdin.as_mut().context("the guard has no input")?;
            writeln!(told, "{group}").context("the guard of the demo has ended")?;
        }
        self.running.push(Running { name, child, log });
        Ok(())
    }

    /// Puts a program into the group, so that it ends with the demo. The first one leads.
    pub(super) fn adopt<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.process_group(self.group.unwrap_or(0)).kill_on_drop(true)
    }

    /// Fails with the last words of one that has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.running.iter_mut().try_for_each(Running::check)
    }

    /// Waits until the program started last answers 200.
    pub(super) async fn answers(
        &mut self,
        client: &reqwest::Client,
        url: &str,
    ) -> anyhow::Result<()> {
        for _ in 0..100 {
            self.check()?;
            if client.get(url).send().await.is_ok_and(|r| r.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let last = self.running.last().context("nothing was started")?;
        let said = last.last_words();
        bail!("{} did not answer at {url} within 10 s: {said}", last.name)
    }

    /// Ends the programs and waits until they are gone.
    pub(super) async fn end(&mut self) {
        while let Some(mut running) = self.running.pop() {
            // An error here means that it has ended already.
            let _ = running.child.kill().await;
        }
    }

    /// Waits until the guard has removed the folder. Nothing may write there any more.
    pub(super) fn close(mut self) -> anyhow::Result<()> {
        self.guard.wait().map(drop).context("cannot wait for the guard of the demo")
    }
}

impl Running {
    fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait().context("cannot look after a program")? {
            bail!("{} ended ({status}): {}", self.name, self.last_words());
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(3).collect();
        last.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }
}

/// The wanted port when it is free, else a free one; says so.
pub(super) fn port(wanted: u16, what: &str) -> anyhow::Result<u16> {
    if TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).is_ok() {
        return Ok(wanted);
    }
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    let port = free.local_addr().context("a listener has no address")?.port();
    super::story::say(&format!("port {wanted} is taken, the {what} takes {port}"))?;
    Ok(port)
}
