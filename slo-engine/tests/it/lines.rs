//! SLOs of files of JSON lines: live ticks with kills, while logs rotate and lines come late, count
//! every line once.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use slo_core::view::{BudgetView, Group, State};
use slo_engine::source::config::{SourceConfig, SourceKind};

use crate::live::{Run, at};
use crate::support::Dice;

/// 2026-05-01T00:00:00Z.
const BEGIN: i64 = 1_777_593_600;

const SLOS: &str = "apiVersion: headroom/v1\nkind: Service\nservice: shop\ntier: 2\nenvironment: test\nslos:\n\
    \x20 - name: requests\n    objective: 99%\n    window: [1d, 2h]\n    indicator: {ratio: {source: files, index: 'access*',\n\
    \x20     total: 'event.dataset : \"access\"', bad: 'http.response.status_code >= 500'}}\n\
    \x20 - name: fast\n    objective: 95%\n    window: 1d\n    indicator: {latency: {source: files,\n\
    \x20     query: 'event.dataset : \"access\"', field: event.duration, unit: ns, under: 300ms}}\n\
    \x20 - name: slices\n    objective: 95%\n    window: 1d\n    budgeting: {timeslices: {size: 5m, goodWhen: 98%}}\n\
    \x20   indicator: {ratio: {source: files, total: {query: 'event.dataset : \"access\"'}, bad: {query: 'http.response.status_code >= 500'}}}\n\
    \x20 - name: routes\n    objective: 99%\n    window: [1d, 2h]\n    groupBy: [url.path]\n    maxGroups: 3\n    attributeBy: [http.response.status_code]\n\
    \x20   indicator: {ratio: {source: files, total: {query: 'event.dataset : \"access\"'}, bad: {query: 'http.response.status_code >= 500'}}}\n";

/// A log that somebody writes and rotates.
struct Log {
    path: PathBuf,
    /// When each line happened (Unix seconds), whether it failed, whether it was slow, its route.
    written: Vec<(i64, bool, bool, u64)>,
    rotations: u32,
}

impl Log {
    fn new(folder: &Path) -> Self {
        Self { path: folder.join("access.json"), written: Vec::new(), rotations: 0 }
    }

    /// Writes a few lines of the time up to `now`; some are late, one in a while is no JSON.
    fn write(&mut self, dice: &mut Dice, now: i64) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
        for _ in 0..dice.below(12) {
            let late = if dice.below(5) == 0 { dice.below(600) } else { dice.below(20) };
            let happened = now - i64::try_from(late).unwrap();
            let (bad, slow) = (dice.below(12) == 0, dice.below(9) == 0);
            let instant = chrono::DateTime::from_timestamp(happened, 0).unwrap();
            let route = dice.below(5);
            let (code, duration) =
                (if bad { 500 } else { 200 }, if slow { 300_000_001 } else { 300_000_000 });
            writeln!(
                file,
                "{{\"@timestamp\":\"{}\",\"url\":{{\"path\":{route}}},\"event.dataset\":\"access\",\"http.response.status_code\":{code},\"event\":{{\"duration\":{duration}}}}}",
                instant.to_rfc3339()
            )
            .unwrap();
            self.written.push((happened, bad, slow, route));
        }
        if dice.below(20) == 0 {
            file.write_all(b"Killed\n").unwrap();
        }
    }

    /// As logrotate does with `create`: the last two stay, older ones go.
    fn rotate(&mut self) {
        self.rotations += 1;
        let name = |number: u32| self.path.with_extension(format!("json.{number}"));
        for number in (1..3).rev() {
            if name(number).exists() {
                fs::rename(name(number), name(number + 1)).unwrap();
            }
        }
        fs::rename(&self.path, name(1)).unwrap();
    }

    /// Bad and all lines of a window's time.
    fn truth(&self, view: &BudgetView, window: usize, slow: bool) -> [Option<f64>; 2] {
        self.truth_of(view, window, slow, |_| true)
    }

    /// Of some routes.
    fn truth_of(
        &self,
        view: &BudgetView,
        window: usize,
        slow: bool,
        is_mine: impl Fn(u64) -> bool,
    ) -> [Option<f64>; 2] {
        let window = &view.windows[window];
        let (from, to) = (window.from.timestamp(), window.to.timestamp());
        let inside = self
            .written
            .iter()
            .filter(|(at, .., route)| from <= *at && *at < to && is_mine(*route));
        let bad = inside.clone().filter(|(_, bad, is_slow, _)| if slow { *is_slow } else { *bad });
        [Some(bad.count() as f64), Some(inside.count() as f64)]
    }
}

fn run(folder: &tempfile::TempDir) -> Run {
    run_with(folder, SLOS)
}

fn run_with(folder: &tempfile::TempDir, slos: &str) -> Run {
    fs::write(folder.path().join("slos.yaml"), slos).unwrap();
    let mut run = Run::in_folder("http://127.0.0.1:9", folder);
    let pattern = folder.path().join("logs/*.json*");
    fs::create_dir(folder.path().join("logs")).unwrap();
    run.config_mut().sources = vec![SourceConfig {
        name: "files".to_owned(),
        kind: SourceKind::Jsonlog,
        files: vec![pattern.to_str().unwrap().to_owned()],
        ..SourceConfig::default()
    }];
    run
}

fn compare(run: &Run, log: &Log, now: i64) {
    compare_some(
        run,
        log,
        now,
        &[("requests", 0, false), ("requests", 1, false), ("fast", 0, true)],
    );
}

/// By SLO and window, and whether slow lines are the bad ones.
fn compare_some(run: &Run, log: &Log, now: i64, some: &[(&str, usize, bool)]) {
    let views = run.views();
    for &(slo, window, slow) in some {
        let view = views.iter().find(|view| *view.slo == *slo).unwrap();
        let counted = [view.windows[window].bad, view.windows[window].total];
        assert_eq!(counted, log.truth(view, window, slow), "{slo} {window} at {now}");
    }
    let snapshot = run.snapshot();
    let groups: Vec<_> = snapshot.groups.iter().flatten().collect();
    let route = |group: &Group| match group {
        Group::Labels { labels } => Some(labels["url.path"].parse::<u64>().unwrap()),
        Group::Other { .. } => None,
    };
    let routes: Vec<u64> = groups.iter().filter_map(|view| route(view.group.as_ref()?)).collect();
    assert_eq!((routes.len(), groups.len()), (3, 4), "{routes:?}");
    for view in groups {
        let own = route(view.group.as_ref().unwrap());
        let is_mine = |of: u64| own.map_or_else(|| !routes.contains(&of), |own| own == of);
        for window in 0..2 {
            let counted = [view.windows[window].bad, view.windows[window].total];
            let expected = log.truth_of(view, window, false, is_mine);
            assert_eq!(counted, expected, "{own:?} {window} at {now}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_while_logs_rotate_and_lines_come_late_lose_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run(&folder);
    let mut log = Log::new(&folder.path().join("logs"));
    let mut dice = Dice(23);
    let (mut now, mut kills) = (BEGIN, 0);
    for _ in 0..300 {
        now += 60;
        log.write(&mut dice, now);
    }
    run.start(at(now)).await;
    run.engine.as_mut().unwrap().tick(at(now)).await;
    compare(&run, &log, now);
    while kills < 100 {
        now += 5 + i64::try_from(dice.below(60)).unwrap();
        log.write(&mut dice, now);
        if dice.below(6) == 0 {
            log.rotate();
            log.write(&mut dice, now);
        }
        if dice.below(3) == 0 {
            let cut = std::time::Duration::from_micros(dice.below(4_000));
            let tick = run.engine.as_mut().unwrap().tick(at(now));
            let _ = tokio::time::timeout(cut, tick).await;
            run.kill().await;
            kills += 1;
            run.start(at(now)).await;
        }
        run.engine.as_mut().unwrap().tick(at(now)).await;
        if kills % 5 == 0 {
            compare(&run, &log, now);
        }
    }
    compare(&run, &log, now);
    assert!(log.rotations > 20, "{}", log.rotations);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_at_an_instant_are_what_the_server_counted_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run(&folder);
    let mut log = Log::new(&folder.path().join("logs"));
    let mut dice = Dice(4);
    let mut now = BEGIN;
    for _ in 0..400 {
        now += 60;
        log.write(&mut dice, now);
    }
    run.start(at(now)).await;
    run.engine.as_mut().unwrap().tick(at(now)).await;
    run.compare(at(now)).await;
    compare(&run, &log, now);
    // Nobody writes any more: the data ends, and so do the windows.
    let later = now + 3_600;
    run.engine.as_mut().unwrap().tick(at(later)).await;
    assert_eq!(run.views()[0].state, State::Stale);
    run.compare(at(later)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_no_pattern_fails_its_slo_alone() {
    let folder = tempfile::tempdir().unwrap();
    let slos = SLOS.replace("{latency: {source: files,", "{latency: {source: files, index: 'a[',");
    let mut run = run_with(&folder, &slos);
    let mut log = Log::new(&folder.path().join("logs"));
    let (mut dice, now) = (Dice(9), BEGIN + 3_600);
    (0..60).for_each(|minute| log.write(&mut dice, BEGIN + minute * 60));
    run.start(at(now)).await;
    run.engine.as_mut().unwrap().tick(at(now)).await;
    compare_some(&run, &log, now, &[("requests", 0, false)]);
    run.compare(at(now)).await;
    let views = run.views();
    let fast = views.iter().find(|view| &*view.slo == "fast").unwrap();
    let said = fast.sources[0].last_error.as_deref().unwrap();
    assert!(said.contains("the index `a[` is no pattern"), "{said}");
    assert_eq!((fast.state, fast.windows[0].total), (State::NoData, None));
    assert!(views.iter().filter(|v| v.state == State::NoData).count() == 1, "{views:?}");
}

/// Starts, and gives up the first tick after so many milliseconds.
async fn tick_for(run: &mut Run, now: i64, cut: u64) {
    run.start(at(now)).await;
    let tick = run.engine.as_mut().unwrap().tick(at(now));
    let _ = tokio::time::timeout(std::time::Duration::from_millis(cut), tick).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_slo_that_is_added_later_counts_what_the_files_still_hold_once() {
    let folder = tempfile::tempdir().unwrap();
    let only = SLOS.split("  - name: fast").next().unwrap();
    let mut run = run_with(&folder, only);
    let mut log = Log::new(&folder.path().join("logs"));
    let (mut dice, mut now) = (Dice(31), BEGIN);
    run.start(at(now)).await;
    for minute in 0..400 {
        now += 60;
        log.write(&mut dice, now);
        if minute % 170 == 169 {
            log.rotate();
        }
        if minute % 7 == 0 {
            run.engine.as_mut().unwrap().tick(at(now)).await;
        }
    }
    run.kill().await;
    // Written while nothing reads, and read with what the new SLOs lack.
    log.write(&mut dice, now);
    fs::write(folder.path().join("slos.yaml"), SLOS).unwrap();
    for cut in [0, 1, 3] {
        tick_for(&mut run, now, cut).await;
        run.kill().await;
    }
    tick_for(&mut run, now, 10_000).await;
    compare(&run, &log, now);
    for minute in 0..90 {
        now += 60;
        log.write(&mut dice, now);
        if minute == 40 {
            log.rotate();
            run.kill().await;
            run.start(at(now)).await;
        }
        run.engine.as_mut().unwrap().tick(at(now)).await;
    }
    assert_eq!(log.rotations, 3, "the oldest lines are still there");
    compare(&run, &log, now);
    run.compare(at(now)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_hours_late_judge_slices_of_any_size_again() {
    let folder = tempfile::tempdir().unwrap();
    let sliced = SLOS.split("  - name: slices").nth(1).unwrap();
    let sliced = sliced.split("  - name").next().unwrap();
    let one = |size: &str| {
        let sliced =
            sliced.replace("size: 5m, goodWhen: 98%", &format!("size: {size}, goodWhen: 90%"));
        format!("  - name: slices-{size}{sliced}")
    };
    let head = SLOS.split("  - name").next().unwrap().to_owned();
    let slos = ["5m", "7m", "90m", "200m", "1d"].map(one).concat();
    let mut run = run_with(&folder, &(head + &slos));
    let mut log = Log::new(&folder.path().join("logs"));
    let (mut dice, mut now) = (Dice(17), BEGIN);
    run.start(at(now)).await;
    for minute in 0..1_500 {
        now += 60;
        log.write(&mut dice, now);
        if dice.below(25) == 0 {
            let late = i64::try_from(dice.below(12 * 3_600)).unwrap();
            log.write(&mut dice, now - late);
        }
        if minute % 5 == 0 {
            run.engine.as_mut().unwrap().tick(at(now)).await;
        }
        if minute % 250 == 249 {
            run.engine.as_mut().unwrap().tick(at(now)).await;
            run.compare(at(now)).await;
        }
    }
}
