//! Real servers with data of our own, through the scripts in `tests/tools`: started on a free port,
//! stopped when their guard goes, and by the script when this process dies first.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// The folder of the scripts.
#[derive(Debug, Clone)]
pub struct Tools(PathBuf);

impl Default for Tools {
    fn default() -> Self {
        Self(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tools"))
    }
}

/// What the generator makes.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// How many services.
    pub services: u32,
    /// How many of them have a latency histogram.
    pub histograms: u32,
    /// How long.
    pub days: u32,
    /// The same seed gives the same history.
    pub seed: u64,
    /// Unix seconds.
    pub end: i64,
}

const PROMETHEUS: &str = "prometheus.sh";
const VICTORIA: &str = "victoria.sh";
const SEARCH: &str = "search-node.sh";

/// A node with less refuses requests while millions of documents are written.
const SEARCH_HEAP: &str = "4g";

/// The log of a server's queries.
const QUERIES: &str = "queries.log";

/// Which search server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SearchKind {
    /// Elasticsearch.
    Elasticsearch,
    /// `OpenSearch`.
    Opensearch,
}

impl SearchKind {
    /// Its name, as the script and people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Elasticsearch => "elasticsearch",
            Self::Opensearch => "opensearch",
        }
    }
}

/// A query that a server has answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The expression.
    pub text: String,
    /// How many samples it read.
    pub samples: f64,
}

impl Tools {
    /// A folder of scripts that lies elsewhere.
    #[must_use]
    pub const fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Writes realistic traffic and its truth into a folder.
    ///
    /// # Errors
    /// What the generator says.
    pub fn generate(&self, folder: &Path, traffic: &Traffic) -> anyhow::Result<()> {
        let mut command = Command::new("python3");
        command.arg(self.0.join("gen_openmetrics.py")).arg(folder);
        let options: [(&str, i64); 5] = [
            ("--services", traffic.services.into()),
            ("--hist", traffic.histograms.into()),
            ("--days", traffic.days.into()),
            ("--seed", i64::try_from(traffic.seed).unwrap_or(i64::MAX)),
            ("--end", traffic.end),
        ];
        for (name, value) in options {
            command.arg(name).arg(value.to_string());
        }
        run(&mut command).map(drop)
    }

    /// Loads a folder of samples into the data of a Prometheus that does not run.
    ///
    /// # Errors
    /// What the script says, for example that a program is not installed.
    pub fn load(&self, dir: &Path, samples: &Path) -> anyhow::Result<()> {
        self.script(&["load".as_ref(), dir.as_ref(), samples.as_ref()]).map(drop)
    }

    /// Starts a Prometheus on its data. It scrapes nothing and keeps a log of its queries.
    ///
    /// # Errors
    /// What the script says.
    pub fn start(&self, dir: &Path) -> anyhow::Result<Server> {
        self.start_with(dir, "")
    }

    /// The same with more in its configuration, such as what it scrapes.
    ///
    /// # Errors
    /// What the script says.
    pub fn start_with(&self, dir: &Path, more: &str) -> anyhow::Result<Server> {
        let (own, log) = (std::process::id().to_string(), dir.join(QUERIES));
        let config = dir.join("logging.yml");
        std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        std::fs::write(&config, format!("global: {{query_log_file: {}}}\n{more}", log.display()))
            .with_context(|| format!("write {}", config.display()))?;
        let url = self.script(&[
            "start".as_ref(),
            dir.as_ref(),
            "--for".as_ref(),
            own.as_ref(),
            "--config".as_ref(),
            config.as_ref(),
        ])?;
        Ok(self.server(PROMETHEUS, dir, &url))
    }

    /// Starts a VictoriaMetrics that holds a folder of samples.
    ///
    /// # Errors
    /// What the script says, for example that a program is not installed.
    pub fn victoria(&self, dir: &Path, samples: &Path) -> anyhow::Result<Server> {
        let own = std::process::id().to_string();
        let words = ["start".as_ref(), dir.as_os_str(), "--for".as_ref(), own.as_ref()];
        let server = self.server(VICTORIA, dir, &self.ask(VICTORIA, &words)?);
        self.ask(VICTORIA, &["load".as_ref(), dir.as_ref(), samples.as_ref()])?;
        Ok(server)
    }

    /// Starts an empty search node. Its folder goes when it is stopped.
    ///
    /// # Errors
    /// What the script says, for example that the server is not installed.
    pub fn search_node(&self, kind: SearchKind, dir: &Path) -> anyhow::Result<Server> {
        let own = std::process::id().to_string();
        let mut command = Command::new("bash");
        command.arg(self.0.join(SEARCH)).args(["start", kind.name()]).arg(dir);
        command.args(["--for", &own]).env("HEADROOM_SEARCH_HEAP", SEARCH_HEAP);
        Ok(self.server(SEARCH, dir, &run(&mut command)?))
    }

    /// Installs slo-generator into a folder and gives the program's path.
    ///
    /// # Errors
    /// What the script says.
    pub fn slo_generator(&self, dir: &Path) -> anyhow::Result<PathBuf> {
        Ok(self.ask("slo_generator.sh", &[dir.as_os_str()])?.trim().into())
    }

    fn server(&self, script: &'static str, dir: &Path, url: &str) -> Server {
        let (dir, url) = (dir.to_owned(), url.trim().to_owned());
        Server { tools: self.clone(), script, dir, url, stopped: false }
    }

    fn script(&self, words: &[&OsStr]) -> anyhow::Result<String> {
        self.ask(PROMETHEUS, words)
    }

    fn ask(&self, script: &str, words: &[&OsStr]) -> anyhow::Result<String> {
        run(Command::new("bash").arg(self.0.join(script)).args(words))
    }
}

/// A running server; it is stopped when this value goes.
#[derive(Debug)]
pub struct Server {
    tools: Tools,
    script: &'static str,
    dir: PathBuf,
    url: String,
    stopped: bool,
}

impl Server {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All queries that it has answered, oldest first.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn queries(&self) -> anyhow::Result<Vec<Query>> {
        let path = self.dir.join(QUERIES);
        let log = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            log => log.with_context(|| format!("read {}", path.display()))?,
        };
        let query = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line)?;
            let text = entry["params"]["query"].as_str().unwrap_or_default().to_owned();
            let samples = entry["stats"]["samples"]["totalQueryableSamples"].as_f64();
            Ok(Query { text, samples: samples.with_context(|| format!("no samples in {line}"))? })
        };
        log.lines().map(query).collect()
    }

    /// CPU seconds that it has used, with the processes that it started: a search node is one of those.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let pid = std::fs::read_to_string(self.dir.join("pid")).context("read the server's pid")?;
        let pid = pid.trim().parse().context("the server's pid")?;
        let started: anyhow::Result<Vec<f64>> = children(pid)?.into_iter().map(cpu_of).collect();
        Ok(cpu_of(pid)? + started?.iter().sum::<f64>())
    }
}

/// The processes that all threads of a process have started and that still run.
fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut all = Vec::new();
    let tasks = format!("/proc/{pid}/task");
    for task in std::fs::read_dir(&tasks).with_context(|| format!("read {tasks}"))? {
        match std::fs::read_to_string(task?.path().join("children")) {
            // The thread has ended since.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            found => {
                all.extend(found?.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            }
        }
    }
    Ok(all)
}

/// CPU seconds that a process has used, in user and in system mode. Linux counts them in hundredths.
///
/// # Errors
/// When the process is gone.
pub fn cpu_of(pid: u32) -> anyhow::Result<f64> {
    cpu(&format!("/proc/{pid}/stat"), 11)
}

/// CPU seconds of this process's children that have ended.
///
/// # Errors
/// When the system does not say.
pub fn cpu_of_children() -> anyhow::Result<f64> {
    cpu("/proc/self/stat", 13)
}

/// The sum of two fields, counted from the one after the program's name.
fn cpu(path: &str, field: usize) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(path).with_context(|| format!("read {path}"))?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<u64> = fields.skip(field).take(2).map_while(|f| f.parse().ok()).collect();
    match ticks.as_slice() {
        [user, system] => Ok((user + system) as f64 / 100.0),
        _ => bail!("{path} is not as expected: {stat}"),
    }
}

impl Server {
    /// Stops it; its data stays.
    pub fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopped, true) {
            // The script says so itself when a server does not stop, and then kills it.
            let _ = self.tools.ask(self.script, &["stop".as_ref(), self.dir.as_ref()]);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a script and gives its stdout.
fn run(command: &mut Command) -> anyhow::Result<String> {
    let shown = format!("{command:?}");
    // The server that a script starts keeps neither pipe: it writes to its own log.
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {shown}"))?;
    if !output.status.success() {
        bail!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
