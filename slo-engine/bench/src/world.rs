//! Where rows run: sizes, folders, data, servers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use headroom_bench::engine::Engine;
use headroom_bench::server::{SearchKind, Server, Tools, Traffic};

use crate::http::Http;
use crate::node::Node;
use crate::output;

/// The end of all generated data: midnight of 1 October 2026, so that runs can be repeated.
pub(crate) const END: i64 = 1_790_812_800;

/// Sizes of the workload; each row has its own full ones.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Sizes {
    /// Services.
    #[arg(long)]
    services: Option<u32>,
    /// Days of data.
    #[arg(long)]
    days: Option<u32>,
    /// Documents in a search node.
    #[arg(long)]
    documents: Option<u32>,
    /// Which search node.
    #[arg(long, value_enum, default_value_t = SearchKind::Elasticsearch)]
    pub(crate) node: SearchKind,
    /// Random instants to ask at.
    #[arg(long)]
    instants: Option<u32>,
    /// Seed of data and instants; the first one where a row needs several.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many seeds.
    #[arg(long)]
    seeds: Option<u64>,
    /// How often timed things are repeated.
    #[arg(long)]
    repeat: Option<u32>,
    /// Questions asked side by side.
    #[arg(long, default_value_t = 1)]
    pub(crate) jobs: u32,
    /// Sizes that a check can afford; figures of speed mean little then.
    #[arg(long)]
    small: bool,
}

/// A size of a row: in full and small.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) u32, pub(crate) u32);

impl Sizes {
    fn of(self, asked: Option<u32>, size: Size) -> u32 {
        asked.unwrap_or(if self.small { size.1 } else { size.0 })
    }

    pub(crate) fn services(self, size: Size) -> u32 {
        self.of(self.services, size)
    }

    pub(crate) fn days(self, size: Size) -> u32 {
        self.of(self.days, size)
    }

    pub(crate) fn documents(self, size: Size) -> u32 {
        self.of(self.documents, size)
    }

    pub(crate) fn instants(self, size: Size) -> u32 {
        self.of(self.instants, size)
    }

    pub(crate) fn repeat(self, size: Size) -> u32 {
        self.of(self.repeat, size)
    }

    pub(crate) fn seeds(self, size: Size) -> std::ops::Range<u64> {
        let asked = self.seeds.and_then(|seeds| u32::try_from(seeds).ok());
        self.seed..self.seed + u64::from(self.of(asked, size))
    }
}

/// What rows need.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) sizes: Sizes,
    pub(crate) http: std::rc::Rc<Http>,
    dir: PathBuf,
    keep: bool,
}

impl World {
    pub(crate) fn new(
        engine: PathBuf,
        dir: PathBuf,
        sizes: Sizes,
        keep: bool,
    ) -> anyhow::Result<Self> {
        // The queries are long where all services are asked for at once, and the machine may be busy.
        let engine = Engine::new(engine).with("HEADROOM__SOURCES__0__TIMEOUT", "5m");
        Ok(Self { engine, sizes, http: Http::new()?.into(), dir, keep })
    }

    /// The same with a folder below.
    pub(crate) fn inside(&self, folder: &str) -> anyhow::Result<Self> {
        let dir = self.dir.join(folder);
        fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        let (engine, http) = (self.engine.clone(), self.http.clone());
        Ok(Self { engine, sizes: self.sizes, http, dir, keep: self.keep })
    }

    /// An empty folder below.
    pub(crate) fn fresh(&self, folder: &str) -> anyhow::Result<PathBuf> {
        let dir = self.dir.join(folder);
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("empty {}", dir.display()))?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        Ok(dir)
    }

    /// Writes a file of SLOs and gives its path.
    pub(crate) fn specs(&self, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.join("slos.yaml");
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// An empty search node.
    pub(crate) fn node(&self) -> anyhow::Result<Node> {
        let server = Tools::default().search_node(self.sizes.node, &self.fresh("node")?)?;
        Ok(Node::new(server, self.http.clone()))
    }

    /// A Prometheus with generated traffic.
    pub(crate) fn traffic(&self, traffic: &Traffic) -> anyhow::Result<Data> {
        let Traffic { services, histograms, days, seed, end } = traffic;
        let name = format!("traffic-{services}-{histograms}-{days}-{seed}-{end}");
        self.data(&name, |tools, folder| tools.generate(folder, traffic))
    }

    /// A Prometheus with samples that `write` puts into a folder.
    pub(crate) fn data(
        &self,
        name: &str,
        write: impl FnOnce(&Tools, &Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Data> {
        let dir = self.dir.join(name);
        let (samples, server, whole) = (dir.join("samples"), dir.join("server"), dir.join("whole"));
        let tools = Tools::default();
        if self.keep && whole.exists() {
            let server = tools.start(&server)?;
            return Ok(Data { server, samples, dir, keep: self.keep });
        }
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("clear {}", dir.display()))?;
        }
        output::say(&format!("writing and loading {name}"));
        write(&tools, &samples)?;
        tools.load(&server, &samples)?;
        fs::write(&whole, "").with_context(|| format!("write {}", whole.display()))?;
        Ok(Data { server: tools.start(&server)?, samples, dir, keep: self.keep })
    }
}

/// A running Prometheus and the samples it holds; both go with this value.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) server: Server,
    /// The folder of the samples and their truth.
    pub(crate) samples: PathBuf,
    dir: PathBuf,
    keep: bool,
}

impl Drop for Data {
    fn drop(&mut self) {
        self.server.stop();
        if !self.keep {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}
