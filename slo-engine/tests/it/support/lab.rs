//! A real Prometheus with a history made by hand, and the engine's binary to ask about it.

use std::path::{Path, PathBuf};

use headroom_bench::engine::Engine;
use headroom_bench::openmetrics::{self, Series};
use headroom_bench::server::{Server, Tools};
use slo_core::view::{BudgetView, WindowView};

/// The end of every history, Unix seconds: a midnight.
pub(crate) const END: i64 = 1_790_812_800;

/// The instant of a sample: a quarter of a minute into a minute before the end.
pub(crate) const fn at(minute: i64) -> i64 {
    (END + minute * 60) * 1_000 + 15_000
}

/// A series with these values at minutes before the end.
pub(crate) fn series(name: &str, labels: &[(&str, &str)], points: &[(i64, f64)]) -> Series {
    let mut series = Series::new(name, labels);
    series.samples = points.iter().map(|(minute, value)| (at(*minute), *value)).collect();
    series
}

/// A counter that grows by the same number every minute of `minutes`.
pub(crate) fn steady(
    labels: &[(&str, &str)],
    minutes: std::ops::Range<i64>,
    first: i64,
    growth: i64,
) -> Series {
    let points: Vec<(i64, f64)> = minutes
        .clone()
        .map(|minute| (minute, (first + (minute - minutes.start) * growth) as f64))
        .collect();
    series("http_requests_total", labels, &points)
}

/// A file of SLOs of one service.
pub(crate) fn service(slos: &str) -> String {
    format!(
        "apiVersion: headroom/v1\nkind: Service\nservice: shop\nowner: test\ntier: 2\n\
         environment: test\nslos:\n{slos}"
    )
}

/// An SLO over a day, 99 %.
pub(crate) fn slo(name: &str, indicator: &str) -> String {
    format!("  - name: {name}\n    objective: 99%\n    window: 1d\n    indicator: {indicator}\n")
}

/// Good and bad requests by code.
pub(crate) const REQUESTS: &str =
    r#"{ratio: {total: 'http_requests_total{}', bad: '{code=~"5.."}'}}"#;

pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The binary under test.
pub(crate) fn engine(url: &str) -> Engine {
    Engine::new(PathBuf::from(env!("CARGO_BIN_EXE_slo-engine"))).reading(url)
}

/// Writes SLOs and asks for their views.
pub(crate) fn ask(engine: &Engine, folder: &Path, slos: &str, at: i64) -> Vec<BudgetView> {
    let specs = folder.join("slos.yaml");
    std::fs::write(&specs, service(slos)).unwrap();
    engine.budget(&specs, at).unwrap()
}

/// A Prometheus and a VictoriaMetrics that hold the same history.
pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) victoria: Server,
    pub(crate) folder: PathBuf,
}

impl Lab {
    pub(crate) fn holding(name: &str, history: &[Series]) -> Self {
        let folder = folder(name);
        let (samples, dir) = (folder.join("samples"), folder.join("server"));
        openmetrics::write(&samples, history).unwrap();
        Tools::default().load(&dir, &samples).unwrap();
        let victoria = Tools::default().victoria(&folder.join("victoria"), &samples).unwrap();
        Self { server: Tools::default().start(&dir).unwrap(), victoria, folder }
    }

    /// The views of some SLOs at an instant, Unix milliseconds: the same from both servers.
    pub(crate) fn views(&self, slos: &str, at: i64) -> Vec<BudgetView> {
        let [views, others] = [&self.server, &self.victoria]
            .map(|server| ask(&engine(server.url()), &self.folder, slos, at));
        let known = |view: &BudgetView| {
            let BudgetView { windows, burn, alerts, findings, conditions, .. } = view.clone();
            (windows, burn, alerts, findings, conditions)
        };
        let [one, other] = [&views, &others].map(|all| all.iter().map(known).collect::<Vec<_>>());
        assert_eq!(one, other, "Prometheus and VictoriaMetrics");
        views
    }

    /// The view of one SLO at the end of the history, of what only Prometheus keeps.
    pub(crate) fn of_prometheus(&self, slo: &str) -> BudgetView {
        ask(&engine(self.server.url()), &self.folder, slo, END * 1_000).remove(0)
    }

    /// The view of the requests at the end of the history.
    pub(crate) fn requests(&self) -> BudgetView {
        self.views(&slo("requests", REQUESTS), END * 1_000).remove(0)
    }
}

/// Bad and all events, and those assumed and dropped.
pub(crate) fn counts(window: &WindowView) -> [i64; 4] {
    let whole = |v: Option<f64>| v.map_or(-1, |v| v as i64);
    let some = |v: f64| whole(Some(v));
    [whole(window.bad), whole(window.total), some(window.assumed), some(window.dropped)]
}
