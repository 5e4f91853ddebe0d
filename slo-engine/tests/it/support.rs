//! Real servers for tests: started by the project's scripts, stopped whatever happens.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) mod fake;
pub(crate) mod faulty;
pub(crate) mod lab;
#[expect(dead_code, reason = "the tests of the crate for search clusters use more of it")]
#[path = "../../elastic/tests/it/support/node.rs"]
pub(crate) mod node;
pub(crate) mod notation;
pub(crate) mod remote;
pub(crate) mod shop;

/// A Prometheus with generated traffic in it.
pub(crate) struct Prometheus {
    folder: PathBuf,
    pub(crate) url: String,
    /// The first second after the traffic.
    pub(crate) end: i64,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools").join(name)
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Prometheus {
    /// Generates traffic of some services over some days that ends at `end`, and serves it.
    pub(crate) fn with_traffic(name: &str, services: u32, days: u32, seed: u32, end: i64) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let om = folder.join("om");
        run(Command::new("python3").arg(script("gen_openmetrics.py")).arg(&om).args([
            format!("--services={services}"),
            "--hist=1".to_owned(),
            format!("--days={days}"),
            format!("--seed={seed}"),
            format!("--end={end}"),
        ]));
        let prometheus = script("prometheus.sh");
        run(Command::new("bash").arg(&prometheus).arg("load").arg(&folder).arg(&om));
        let pid = std::process::id().to_string();
        let mut start = Command::new("bash");
        start.arg(&prometheus).arg("start").arg(&folder).args(["--for", &pid]);
        let url = run(&mut start);
        Self { folder, url, end }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        run(Command::new("bash").arg(script("prometheus.sh")).arg("stop").arg(&self.folder));
    }
}

/// A small generator of numbers that look random, the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
