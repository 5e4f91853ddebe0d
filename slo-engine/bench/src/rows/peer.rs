//! slo-generator over the same services, windows and server: an availability SLO for each service.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use headroom_bench::server::{Tools, cpu_of_children};
use headroom_bench::traffic::name;

use crate::node::INDICES;

/// The windows of every SLO: as we write them and in seconds.
pub(super) const WINDOWS: [(&str, u32); 4] =
    [("30d", 2_592_000), ("7d", 604_800), ("1d", 86_400), ("1h", 3_600)];

/// What it reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Backend {
    Prometheus,
    Elasticsearch,
}

/// All windows, as a specification lists them.
pub(super) fn windows() -> String {
    format!("[{}]", WINDOWS.map(|(name, _)| name).join(", "))
}

/// The program with its files.
pub(super) struct SloGenerator {
    program: PathBuf,
    folder: PathBuf,
    services: u32,
}

impl SloGenerator {
    /// Installs it and writes what it is to compute.
    pub(super) fn new(
        folder: PathBuf,
        backend: Backend,
        url: &str,
        services: u32,
    ) -> anyhow::Result<Self> {
        let program = Tools::default().slo_generator(&folder.join("program"))?;
        let slos = folder.join("slos");
        fs::create_dir_all(&slos).with_context(|| format!("make {}", slos.display()))?;
        fs::write(folder.join("config.yaml"), config(backend, url)).context("write config.yaml")?;
        for service in 0..services {
            let name = name(service);
            let path = slos.join(format!("{name}.yaml"));
            fs::write(&path, slo(backend, &name))
                .with_context(|| format!("write {}", path.display()))?;
        }
        Ok(Self { program, folder, services })
    }

    /// Computes everything once and gives its own CPU seconds.
    pub(super) fn run(&self) -> anyhow::Result<f64> {
        let before = cpu_of_children()?;
        let log = self.folder.join("run.log");
        let mut command = Command::new(&self.program);
        command.args(["compute", "-f", "slos", "-c", "config.yaml"]).current_dir(&self.folder);
        let file = fs::File::create(&log).context("make run.log")?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let status = command.status().context("start slo-generator")?;
        let said = fs::read_to_string(&log).with_context(|| format!("read {}", log.display()))?;
        let (computed, all) = (computed(&said), self.services as usize * WINDOWS.len());
        if !status.success() || computed != all {
            bail!("slo-generator computed {computed} of {all} windows, see {}", log.display());
        }
        Ok(cpu_of_children()? - before)
    }
}

/// It writes a line for each window, with the burn rate.
fn computed(log: &str) -> usize {
    log.lines().filter(|line| line.contains("BR:")).count()
}

impl Backend {
    const fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Elasticsearch => "elasticsearch",
        }
    }

    /// The two queries of a service.
    fn indicator(self, service: &str) -> String {
        match self {
            Self::Prometheus => format!(
                "    filter_good: http_requests_total{{service=\"{service}\",code!~\"5..\"}}[window]\n    \
                 filter_bad: http_requests_total{{service=\"{service}\",code=~\"5..\"}}[window]\n"
            ),
            Self::Elasticsearch => {
                let query = |status: &str| {
                    format!(
                        "{{must: [{{term: {{service.name: {service}}}}}, {{term: {{event.dataset: access}}}}, \
                         {{range: {{http.response.status_code: {{{status}}}}}}}]}}"
                    )
                };
                let (good, bad) = (query("lt: 500"), query("gte: 500"));
                format!("    index: {INDICES}\n    query_good: {good}\n    query_bad: {bad}\n")
            }
        }
    }
}

fn config(backend: Backend, url: &str) -> String {
    let mut text = format!(
        "backends:\n  {}:\n    url: {url}\nerror_budget_policies:\n  default:\n    steps:\n",
        backend.name()
    );
    for (name, seconds) in WINDOWS {
        let _ = write!(
            text,
            "    - name: {name}\n      window: {seconds}\n      burn_rate_threshold: 9\n      \
             alert: false\n      message_alert: a\n      message_ok: b\n"
        );
    }
    text
}

fn slo(backend: Backend, service: &str) -> String {
    format!(
        "apiVersion: sre.google.com/v2\nkind: ServiceLevelObjective\nmetadata:\n  \
         name: {service}-availability\n  labels:\n    service_name: {service}\n    \
         feature_name: api\n    slo_name: availability\nspec:\n  description: availability\n  \
         backend: {}\n  method: good_bad_ratio\n  exporters: []\n  \
         service_level_indicator:\n{}  goal: 0.999\n",
        backend.name(),
        backend.indicator(service)
    )
}
