//! The pages of `docs/slo-kinds` are true: the files that they show are those beside them, the commands
//! print what they show, and their sums come out. What is wrong is told with its page and line.

use std::fs;
use std::path::{Path, PathBuf};

use headroom_bench::openmetrics::{self, Series};
use headroom_bench::server::{Server, Tools};
use serde_json::{Value, json};
use slo_core::plan::{Defaults, Share, shares};
use slo_engine::declared;
use slo_engine::source::config::{SourceConfig, SourceKind, source_of};

use crate::support::lab::{at, engine, folder, series};
use crate::support::node;
use crate::support::notation;
use crate::support::remote::{self, Written};

mod sums;

/// Where the configuration of the examples says that Prometheus is.
const PROMETHEUS: &str = "http://localhost:9090";

/// A page, cut into what is checked.
struct Page {
    name: String,
    blocks: Vec<Block>,
    /// Lines outside of blocks with their numbers.
    text: Vec<(usize, String)>,
}

/// A fenced block.
struct Block {
    /// The line of its first line.
    line: usize,
    /// What stands behind the fence: a language, and what it is.
    info: Vec<String>,
    lines: Vec<String>,
}

/// What is wrong, each with its page and line.
type Faults = Vec<String>;

impl Page {
    fn read(path: &Path) -> Self {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut page = Self { name, blocks: Vec::new(), text: Vec::new() };
        let mut is_open = false;
        for (number, line) in (1..).zip(fs::read_to_string(path).unwrap().lines()) {
            let owned = line.to_owned();
            match line.strip_prefix("```") {
                Some(_) if is_open => is_open = false,
                Some(info) => {
                    let info = info.split_whitespace().map(str::to_owned).collect();
                    page.blocks.push(Block { line: number + 1, info, lines: Vec::new() });
                    is_open = true;
                }
                None if is_open => page.blocks.last_mut().unwrap().lines.push(owned),
                None => page.text.push((number, owned)),
            }
        }
        assert!(!is_open, "{}: a block is not closed", page.name);
        page
    }

    fn place(&self, line: usize) -> String {
        format!("docs/slo-kinds/{}:{line}", self.name)
    }

    /// The blocks of samples, with the minute of their first one.
    fn samples(&self) -> impl Iterator<Item = (i64, &Block)> {
        self.blocks.iter().filter_map(|block| match &block.info[..] {
            [text, samples, from, instant]
                if [text, samples, from] == ["text", "samples", "from"] =>
            {
                let instant = chrono::DateTime::parse_from_rfc3339(instant);
                let millis =
                    instant.unwrap_or_else(|e| panic!("{}: {e}", self.name)).timestamp_millis();
                let minute = (millis - at(0)) / 60_000;
                assert_eq!(at(minute), millis, "{}: samples are taken at second 15", self.name);
                Some((minute, block))
            }
            _ => None,
        })
    }

    /// Files that are shown are those beside the page.
    fn check_files(&self, examples: &Path, faults: &mut Faults) {
        for block in &self.blocks {
            let [language, file] = &block.info[..] else { continue };
            let found = fs::read_to_string(examples.join(file)).unwrap_or_default();
            let found: Vec<&str> = found.lines().collect();
            assert!(["yaml", "json"].contains(&language.as_str()), "{}: {language}", self.name);
            if let Some(off) = (0..found.len().max(block.lines.len()))
                .find(|at| found.get(*at).copied() != block.lines.get(*at).map(String::as_str))
            {
                let (place, has) = (self.place(block.line + off), found.get(off));
                faults
                    .push(format!("{place}: examples/{file} has `{}`", has.unwrap_or(&"nothing")));
            }
        }
    }

    fn check_commands(&self, examples: &Path, url: &str, faults: &mut Faults) {
        for block in self.blocks.iter().filter(|block| block.info == ["console"]) {
            let mut lines = (block.line..).zip(&block.lines).peekable();
            while let Some((line, command)) = lines.next() {
                let Some(arguments) = command.strip_prefix("$ slo-engine ") else {
                    faults.push(format!("{}: this is no command of slo-engine", self.place(line)));
                    break;
                };
                let mut shown = Vec::new();
                while let Some(next) = lines.next_if(|(_, next)| !next.starts_with("$ ")) {
                    shown.push(next);
                }
                let said = run(examples, url, arguments);
                if let Err((off, said)) = compare(&shown, &said) {
                    faults.push(format!("{}: {said}", self.place(line + 1 + off)));
                }
            }
        }
    }

    fn check_sums(&self, faults: &mut Faults) {
        for (line, text) in &self.text {
            for span in text.split('`').skip(1).step_by(2).filter(|span| span.contains(" = ")) {
                if let Err(said) = sums::check(span) {
                    faults.push(format!("{}: `{span}`: {said}", self.place(*line)));
                }
            }
        }
    }
}

/// What a command prints in the folder of the examples.
fn run(examples: &Path, url: &str, arguments: &str) -> Vec<String> {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let engine = engine(url).with("HEADROOM_CONFIG", "headroom.yaml");
    let output = engine.run(examples, &arguments).unwrap();
    let text = [output.stdout, output.stderr].map(|out| String::from_utf8(out).unwrap()).concat();
    text.lines().map(|line| line.trim_end().replace(url, PROMETHEUS)).collect()
}

/// Compares what a page shows with what a command said; `...` stands for any lines. Gives the line
/// of the page that differs, counted from 0, and how.
fn compare(shown: &[(usize, &String)], said: &[String]) -> Result<(), (usize, String)> {
    let (mut rest, mut skips) = (said, false);
    for (off, (_, line)) in shown.iter().enumerate() {
        if line.as_str() == "..." {
            skips = true;
            continue;
        }
        let found = if skips { rest.iter().position(|l| l == *line) } else { Some(0) };
        match found.map(|at| (&rest[at.min(rest.len())..], at)) {
            Some(([first, after @ ..], _)) if first == *line => (rest, skips) = (after, false),
            _ => return Err((off, format!("the command printed\n{}", said.join("\n")))),
        }
    }
    match rest {
        [next, ..] if !skips => Err((shown.len(), format!("the command also printed `{next}`"))),
        _ => Ok(()),
    }
}

/// All samples of the pages: those that a text format carries, and native histograms.
fn samples(pages: &[Page]) -> (Vec<Series>, Vec<Written>) {
    let (mut numbers, mut histograms) = (Vec::new(), Vec::new());
    for page in pages {
        for (from, block) in page.samples() {
            for line in &block.lines {
                let (name, labels, values) = notation::series(line);
                let labels: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                match values {
                    notation::Values::Numbers(values) => {
                        let points: Vec<_> =
                            values.iter().map(|(m, value)| (from + m, *value)).collect();
                        numbers.push(series(&name, &labels, &points));
                    }
                    notation::Values::Histograms(values) => {
                        let own = [("__name__", name.as_str())];
                        let labels = own.iter().chain(&labels);
                        histograms.push(Written {
                            labels: labels
                                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                                .collect(),
                            histograms: values
                                .into_iter()
                                .map(|(m, v)| (at(from + m), v))
                                .collect(),
                            ..Written::default()
                        });
                    }
                }
            }
        }
    }
    (numbers, histograms)
}

/// A Prometheus that holds them, loaded from the file that readers load.
async fn server(pages: &[Page], examples: &Path) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = folder("kinds");
    let (numbers, histograms) = samples(pages);
    let (written, dir) = (folder.join("samples"), folder.join("server"));
    openmetrics::write(&written, &numbers).unwrap();
    let mut segments: Vec<PathBuf> =
        fs::read_dir(&written).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|e| e == "om"));
    let [segment] = &segments[..] else { panic!("the examples lie too far apart: {segments:?}") };
    let committed = fs::read(examples.join("samples.om")).unwrap_or_default();
    assert!(
        committed == fs::read(segment).unwrap(),
        "docs/slo-kinds/examples/samples.om does not hold the samples that the pages show. Remedy: look at \
         the pages, then copy {} over it",
        segment.display()
    );
    Tools::default().load(&dir, &written).unwrap();
    let server = Tools::default().start(&dir).unwrap();
    remote::write(server.url(), &histograms).await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_shows_what_its_files_and_commands_give() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/slo-kinds");
    let examples = docs.join("examples");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(&docs).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "md"));
    paths.sort();
    let pages: Vec<Page> = paths.iter().map(|path| Page::read(path)).collect();
    let server = server(&pages, &examples).await;
    let mut faults = Faults::new();
    for page in &pages {
        page.check_files(&examples, &mut faults);
        page.check_commands(&examples, server.url(), &mut faults);
        page.check_sums(&mut faults);
    }
    assert!(pages.len() > 10, "only {} pages were found", pages.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether a source of a kind gives an SLO of these files, or a side of one.
fn gives(kind: &str, files: &[PathBuf]) -> bool {
    let kind: SourceKind = serde_json::from_value(kind.into()).unwrap();
    let sources = [SourceConfig { name: "this".to_owned(), kind, ..SourceConfig::default() }];
    let declared = declared::read(files, None).unwrap_or_else(|e| panic!("{files:?}: {}", e[0]));
    let slos = declared.services.iter().flat_map(|service| &service.slos);
    slos.flat_map(|slo| shares(slo, Defaults::default()))
        .any(|share| source_of(&sources, &Share { source: "this".to_owned(), ..share }).is_ok())
}

#[test]
fn the_index_says_which_sources_give_which_kind() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/slo-kinds");
    let index = Page::read(&docs.join("README.md"));
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows = index.text.iter().filter(|(_, line)| line.starts_with('|'));
    let kinds = cells(&rows.next().unwrap().1);
    let mut checked = 0;
    for (line, row) in rows.skip(1) {
        let cells = cells(row);
        let page = cells[0].split_once("](").unwrap().1.split_once(')').unwrap().0;
        let blocks = Page::read(&docs.join(page)).blocks;
        let files = blocks.iter().filter(|block| block.info.first().is_some_and(|i| i == "yaml"));
        let files: Vec<_> = files.map(|block| docs.join("examples").join(&block.info[1])).collect();
        for (kind, cell) in kinds.iter().zip(&cells).skip(1) {
            assert_eq!(gives(kind, &files), cell != "-", "{}: {kind}, {page}", index.place(*line));
            checked += 1;
        }
    }
    assert_eq!(checked, 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_pages_give_the_same_numbers_from_a_search_node() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/slo-kinds/examples");
    let node = node::shared(node::Kind::Elasticsearch);
    let lines = fs::read_to_string(examples.join("requests.json")).unwrap();
    let documents = lines.lines().map(|line| {
        let document = serde_json::from_str(line).unwrap();
        ("requests".to_owned(), Value::Null, document)
    });
    let fields = json!({"mappings": {"properties": {
        "@timestamp": {"type": "date"},
        "event": {"properties": {"dataset": {"type": "keyword"}, "duration": {"type": "long"}}},
        "http": {"properties": {"response": {"properties": {"status_code": {"type": "long"}}}}},
    }}});
    node.index("requests", &fields).await;
    node.write(&documents.collect::<Vec<_>>()).await;
    let (folder, files) = (folder("kinds-logs"), examples.join("*.json"));
    let read_by = |kind: &str| {
        let source = json!({"name": "files", "kind": kind, "files": [files.to_str().unwrap()]});
        let config = folder.join(kind);
        fs::write(&config, json!({"sources": [source]}).to_string()).unwrap();
        engine(&node.url).with("HEADROOM_CONFIG", config.to_str().unwrap())
    };
    for file in ["ratio-logs.yaml", "latency-logs.yaml", "timeslices-logs.yaml"] {
        let [documents, lines] = ["elasticsearch", "jsonlog"].map(|kind| {
            let view =
                read_by(kind).budget(&examples.join(file), at(660) - 15_000).unwrap().remove(0);
            view.windows
        });
        assert_eq!(documents, lines, "{file}");
        assert!(lines[0].total > Some(3.0), "{file}: {lines:?}");
    }
}
