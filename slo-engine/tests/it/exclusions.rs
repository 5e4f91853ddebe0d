//! Excluded minutes over a real Prometheus: by file and by request, over kills and in the gate.

use std::sync::Arc;
use std::time::Duration;

use budget_gate::exclusion::Exclusion;
use chrono::{DateTime, SecondsFormat, Utc};
use headroom_bench::openmetrics::Series;
use serde_json::{Value, json};
use slo_core::view::State;
use slo_engine::clock::{Clock, SystemClock};
use slo_engine::evaluate::exclusion::InForce;

use crate::live::{Run, at};
use crate::serve::Running;
use crate::support::Dice;
use crate::support::lab::{END, Lab, REQUESTS, counts, service, slo};

/// Two days of 100 requests a minute until `end` (Unix seconds), all of which failed for some minutes.
fn outage(end: i64, minutes: std::ops::Range<i64>) -> [Series; 2] {
    ["200", "500"].map(|code| {
        let labels = [("service", "shop"), ("job", "shop"), ("instance", "a"), ("code", code)];
        let mut series = Series::new("http_requests_total", &labels);
        let mut count = 1_000;
        for minute in -2_880..0 {
            let is_out = minutes.contains(&minute);
            count += if is_out == (code == "500") { 100 } else { 0 };
            series.samples.push(((end + minute * 60 + 15) * 1_000, f64::from(count)));
        }
        series
    })
}

fn instant(seconds: i64) -> String {
    at(seconds).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The document that excludes minutes before an instant (Unix seconds).
fn document(end: i64, minutes: std::ops::Range<i64>) -> String {
    let [from, until] = [minutes.start, minutes.end].map(|minute| instant(end + minute * 60));
    format!(
        "---\napiVersion: headroom/v1\nkind: Exclusion\nslos: [shop/*]\nfrom: {from}\n\
         until: {until}\nreason: planned upgrade\nauthor: ana@example.com\n"
    )
}

#[test]
fn the_budget_of_an_instant_goes_without_what_the_files_exclude() {
    let lab = Lab::holding("excluded-at", &outage(END, -600..-540));
    let sliced = "  - name: slices\n    objective: 99%\n    window: 1d\n    \
        budgeting: {timeslices: {size: 5m, goodWhen: 99%}}\n    \
        indicator: {ratio: {total: 'http_requests_total{}', bad: '{code=~\"5..\"}'}}\n";
    let slos = format!("{}{sliced}", slo("requests", REQUESTS));
    let whole = lab.views(&slos, END * 1_000);
    assert_eq!(counts(&whole[0].windows[0])[..2], [6_000, 144_000]);
    assert_eq!(counts(&whole[1].windows[0])[..2], [12, 288]);
    assert_eq!((whole[0].state, whole[1].state), (State::Exhausted, State::Exhausted));
    let excluded = lab.views(&format!("{slos}{}", document(END, -600..-540)), END * 1_000);
    assert_eq!(counts(&excluded[0].windows[0])[..2], [0, 138_000]);
    assert_eq!(counts(&excluded[1].windows[0])[..2], [0, 276]);
    for (view, before) in excluded.iter().zip(&whole) {
        let (window, all) = (&view.windows[0], &before.windows[0]);
        assert_eq!((view.state, window.coverage), (State::Healthy, Some(1.0)));
        let without = window.without_exclusions.unwrap();
        assert_eq!((without.spent, without.remaining), (all.spent, all.remaining));
        let finding = view.findings.iter().find(|finding| finding.code == "excluded").unwrap();
        let message = finding.message.as_str();
        assert!(message.starts_with("60 minutes of the 1d window are excluded: planned upgrade ("));
        assert!(message.contains("slos.yaml:"), "{message}");
    }
}

#[test]
fn what_is_excluded_for_a_composite_alone_leaves_its_members_as_they_are() {
    let lab = Lab::holding("excluded-whole", &outage(END, -600..-540));
    let journey = "  - name: journey\n    objective: 99%\n    window: 1d\n    \
        indicator: {composite: [{slo: shop/requests}]}\n";
    let slos = format!("{}{journey}", slo("requests", REQUESTS));
    let document = document(END, -600..-540).replace("shop/*", "shop/journey");
    let views = lab.views(&format!("{slos}{document}"), END * 1_000);
    assert_eq!((views[0].state, counts(&views[0].windows[0])[0]), (State::Exhausted, 6_000));
    assert_eq!((views[1].state, views[1].windows[0].spent), (State::Healthy, Some(0.0)));
    let without = views[1].windows[0].without_exclusions.unwrap().spent.unwrap();
    assert!((without - views[0].windows[0].spent.unwrap()).abs() < 1e-9, "{without}");
}

/// Kinds of SLOs over the same requests.
const KINDS: &str = r#"apiVersion: headroom/v1
kind: Service
service: shop
tier: 2
environment: test
slos:
  - name: events
    objective: 99%
    window: [1d, 6h, {calendar: week, zone: Europe/Paris}]
    indicator: &requests {ratio: {total: 'http_requests_total{}', bad: '{code=~"5.."}'}}
  - name: slices
    objective: 99%
    window: [1d, 6h]
    budgeting: {timeslices: {size: 5m, goodWhen: 99%}}
    unmeasured: bad
    indicator: *requests
  - name: means
    objective: 99%
    window: 12h
    budgeting: {ratioTimeslices: {size: 10m}}
    indicator: *requests
  - name: journey
    objective: 99%
    window: [1d, 6h]
    indicator: {composite: [{slo: shop/events, weight: 2}, {slo: shop/means}]}
"#;

/// Some times of the two days before the end, once or every week.
fn some(dice: &mut Dice) -> InForce {
    let mut below = |limit: u64| i64::try_from(dice.below(limit)).unwrap();
    let body = if below(4) == 0 {
        let hour = below(20);
        json!({"slos": ["shop/*"], "reason": "backups", "weekly": {
            "from": format!("Mon..Sun {hour:02}:10"), "until": format!("{:02}:45", hour + 1), "zone": "Asia/Kolkata",
        }})
    } else {
        let from = END - below(3 * 86_400);
        let slos = ["shop/*", "shop/events", "*/slices", "shop/journey"]
            [usize::try_from(below(4)).unwrap()];
        json!({"slos": [slos], "reason": "upgrade", "from": instant(from),
            "until": instant(from + 60 + below(4 * 3_600))})
    };
    let exclusion: Exclusion = serde_json::from_value(body).unwrap();
    InForce { name: "e".to_owned(), exclusion, since: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_kills_and_backfill_leave_out_what_one_read_of_the_past_leaves_out() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lab = Lab::holding("excluded-live", &outage(END, -700..-640));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kinds.yaml"), KINDS).unwrap();
    let mut run = Run::in_folder(lab.server.url(), &folder);
    let mut dice = Dice(5);
    let mut now = END - 10 * 3_600;
    run.start(at(now)).await;
    run.engine.as_mut().unwrap().tick(at(now)).await;
    for step in 0..60 {
        now += 20 + i64::try_from(dice.below(900)).unwrap();
        if dice.below(2) == 0 {
            let count = dice.below(5);
            run.requested = (0..count).map(|_| some(&mut dice)).collect();
            run.engine.as_mut().unwrap().exclude(&run.requested);
        }
        if dice.below(6) == 0 {
            run.kill().await;
            run.start(at(now)).await;
        }
        run.engine.as_mut().unwrap().tick(at(now)).await;
        if step % 4 == 3 {
            run.fill(at(now)).await;
            run.compare(at(now)).await;
        }
    }
    run.requested = Arc::default();
    run.engine.as_mut().unwrap().exclude(&run.requested);
    run.engine.as_mut().unwrap().tick(at(now)).await;
    run.compare(at(now)).await;
    assert!(run.views().iter().all(|view| view.windows[0].without_exclusions.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_stay_while_the_minutes_that_are_excluded_cannot_be_loaded() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lab = Lab::holding("excluded-lost", &outage(END, -700..-640));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kinds.yaml"), KINDS).unwrap();
    let mut run = Run::in_folder(lab.server.url(), &folder);
    run.start(at(END)).await;
    run.engine.as_mut().unwrap().tick(at(END)).await;
    run.fill(at(END)).await;
    let before = run.views();
    run.lose_the_database().await;
    let body = json!({"slos": ["shop/*"], "reason": "upgrade",
        "from": instant(END - 700 * 60), "until": instant(END - 640 * 60)});
    let exclusion = serde_json::from_value(body).unwrap();
    run.requested = [InForce { name: "e".to_owned(), exclusion, since: None }].into();
    run.engine.as_mut().unwrap().exclude(&run.requested);
    run.engine.as_mut().unwrap().tick(at(END)).await;
    for (view, before) in run.views().iter().zip(&before) {
        assert_eq!(view.windows, before.windows);
    }
    assert!(run.snapshot().store_error.is_some() && run.snapshot().exclusions.is_empty());
    run.kill().await;
    run.start(at(END)).await;
    run.compare(at(END)).await;
    assert_eq!(run.views()[0].windows[0].bad, Some(0.0));
}

const POLICY: &str = "---\napiVersion: headroom/v1\nkind: Policy\npolicy: trial\nrules:\n  \
    - budget: {denyBelow: 0%}\nonUnknown: deny\nnoSlo: deny\n\
    override: {allowed: true, approvals: 1, maxDuration: 4h}\n";

/// A token that may exclude, of a new person.
fn token(running: &Running, name: &str) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_slo-engine"));
    let arguments = ["token", "create", "--name", name, "--scope", "exclude"];
    let output = command.args(arguments).current_dir(&running.folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_whitespace().find(|word| word.starts_with("hr_")).unwrap().to_owned()
}

async fn send(running: &Running, method: &str, path: &str, token: &str, body: &Value) -> Value {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = client.request(method, format!("{}{path}", running.url)).bearer_auth(token);
    let answer = request.json(body).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn window(said: &Value) -> Value {
    said["slo"]["windows"][0].clone()
}

fn verdict(decision: &Value) -> (String, Option<DateTime<Utc>>) {
    let at = decision["unblocks"]["at"].as_str().map(|at| at.parse().unwrap());
    (decision["verdict"].as_str().unwrap().to_owned(), at)
}

/// The numbers that do not move while nothing new comes.
fn numbers(window: &Value) -> Value {
    json!([window["bad"], window["withoutExclusions"].is_null()])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_that_is_excluded_opens_the_gate_and_counts_again_when_it_is_not() {
    let now = SystemClock.now().timestamp() / 60 * 60;
    // Two hours by the clock: of an hour in the middle of a day a server keeps only the sum in memory.
    let begin = (now / 3_600 - 10) * 3_600 - now;
    let [first, second, end] = [0, 60, 120].map(|minute| begin / 60 + minute);
    let lab = Lab::holding("excluded-gate", &outage(now, first..end));
    let source = lab.server.url();
    let text = format!("{}{POLICY}", service(&slo("requests", REQUESTS)));
    let mut running = Running::new(source, &text, false).await;
    let bad = |said: &Value| window(said)["bad"].as_f64().map(|bad| bad as i64);
    let whole = running.until("the past is counted", |said| bad(said) == Some(12_000)).await;
    let gate = "/v1/gate/shop?environment=test";
    let (denied, opens) = verdict(&running.get(gate).await.1);
    // Of 12,000 bad ones 1,440 may be: the last 14 minutes of the outage may stay.
    let left = at(now + begin + 86_400 + 106 * 60);
    assert_eq!(denied, "deny");
    assert!((opens.unwrap() - left).num_minutes().abs() <= 1, "{opens:?}, {left}");
    assert_eq!(window(&whole)["withoutExclusions"], Value::Null);

    // The first hour by request: it waits until another person approves it.
    let (ana, ben) = (token(&running, "ana"), token(&running, "ben"));
    let hour = json!({"slos": ["shop/*"], "reason": "planned upgrade",
        "from": instant(now + first * 60), "until": instant(now + second * 60)});
    let asked = send(&running, "POST", "/v1/exclusions", &ana, &hour).await;
    assert_eq!((&asked["state"], &asked["approvalsMissing"]), (&json!("waiting"), &json!(1)));
    let path = format!("/v1/exclusions/{}", asked["id"].as_str().unwrap());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(bad(&running.until("it answers", |_| true).await), Some(12_000));
    send(&running, "POST", &format!("{path}/approve"), &ben, &Value::Null).await;
    let half = running.until("half is excluded", |said| bad(said) == Some(6_000)).await;
    // The window has moved by some minutes since.
    let share = |spent: &Value| spent.as_f64().unwrap();
    let (all, was) =
        (share(&window(&half)["withoutExclusions"]["spent"]), share(&window(&whole)["spent"]));
    assert!((all - was).abs() < 0.05, "{all} {was}");
    let (still, opens) = verdict(&running.get(gate).await.1);
    // 6,000 bad of 138,000: of the second hour 13 minutes may stay.
    assert_eq!(still, "deny");
    assert!((opens.unwrap() - left).num_minutes().abs() <= 2, "{opens:?}, {left}");
    assert_eq!(opens, window(&half)["recoversAt"].as_str().map(|at| at.parse().unwrap()));

    // The other hour by a file.
    running.write(&format!("{text}{}", document(now, second..end)));
    running.signal("-HUP");
    let none = running.until("all of it is excluded", |said| bad(said) == Some(0)).await;
    assert_eq!(verdict(&running.get(gate).await.1), ("allow".to_owned(), None));
    running.restart(source).await;
    let again = running.until("it is counted", |said| !window(said)["bad"].is_null()).await;
    assert_eq!(numbers(&window(&again)), numbers(&window(&none)), "the first thing that it says");

    // Each comes back by itself.
    send(&running, "DELETE", &path, &ana, &Value::Null).await;
    running.until("the first half counts again", |said| bad(said) == Some(6_000)).await;
    running.write(&text);
    running.signal("-HUP");
    let all = running.until("all of it counts again", |said| bad(said) == Some(12_000)).await;
    assert_eq!(numbers(&window(&all)), numbers(&window(&whole)));
    assert_eq!(verdict(&running.get(gate).await.1).0, "deny");
    running.restart(source).await;
    let again = running.until("it is counted", |said| !window(said)["bad"].is_null()).await;
    assert_eq!(bad(&again), Some(12_000));
}
