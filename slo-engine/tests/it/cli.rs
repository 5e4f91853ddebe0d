//! The commands, through the real binary: what they print, where, and their exit codes.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::fake::{Fake, counter};

mod audit;
mod budget;
mod decide;
mod doctor;
mod explain;
mod files;
mod ledger;
mod replay;
mod token;
mod validate;

/// The end of the fake's traffic, Unix seconds.
const END: i64 = 1_790_812_800;
const AT: &str = "1790812800";

/// A folder with files, and commands that run in it without anything from the environment.
struct Desk {
    folder: tempfile::TempDir,
    url: String,
}

impl Desk {
    fn with(files: &[(&str, &str)]) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap(), url: "http://127.0.0.1:1".into() };
        for (name, text) in files {
            desk.write(name, text);
        }
        desk
    }

    fn reading(self, fake: &Fake) -> Self {
        Self { url: fake.url.clone(), ..self }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slo-engine"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HEADROOM")) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(&self.folder).env("NO_PROXY", "127.0.0.1");
        command.env("HEADROOM__SOURCES__0__URL", &self.url);
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join(Path::new(folder))).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// What a command said.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// 1,000 requests a minute for two days, of which so many fail.
fn traffic(bad: u64) -> Fake {
    let labels = |code| {
        [
            ("__name__", "http_requests_total"),
            ("service", "orders"),
            ("code", code),
            ("job", "shop"),
        ]
    };
    Fake::holding(vec![
        counter(&labels("200"), END, 2_880, 1_000 - bad),
        counter(&labels("500"), END, 2_880, bad),
    ])
}

/// `orders` with one SLO over a day, 99 %.
const ORDERS: &str = r#"apiVersion: headroom/v1
kind: Service
service: orders
tier: 1
environment: production
slos:
  - name: availability
    objective: 99%
    window: 1d
    alerts: none
    indicator: {ratio: {total: 'http_requests_total{service="orders"}', bad: '{code=~"5.."}'}}
"#;

/// Denies without a budget.
const POLICY: &str = "apiVersion: headroom/v1\nkind: Policy\npolicy: strict\nrules:\n  \
    - budget: {denyBelow: 0%, warnBelow: 25%}\nonUnknown: deny\nnoSlo: deny\n";
