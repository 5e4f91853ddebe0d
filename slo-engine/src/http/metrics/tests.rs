use crate::http::world::{World, snapshot};

async fn lines(world: &World) -> Vec<String> {
    let answer = world.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), super::CONTENT_TYPE);
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn has(lines: &[String], line: &str) {
    assert!(lines.iter().any(|other| other == line), "{line}\nnot in\n{}", lines.join("\n"));
}

#[tokio::test]
async fn before_the_first_evaluation_there_is_no_age_and_no_state() {
    let world = World::before_the_first_snapshot().await;
    let lines = lines(&world).await;
    has(&lines, "headroom_snapshot_loaded 0");
    has(&lines, "process_start_time_seconds 1795255200.0");
    has(&lines, "headroom_gate_peeks_total{verdict=\"deny\"} 0");
    assert!(!lines.iter().any(|line| line.starts_with("headroom_slos")));
}

#[tokio::test]
async fn slos_are_counted_by_the_state_that_they_have_when_asked() {
    let world = World::new().await;
    let made = lines(&world).await;
    for line in [
        "headroom_snapshot_loaded 1",
        "headroom_snapshot_age_seconds 0.0",
        "headroom_slos{state=\"healthy\"} 4",
        "headroom_slos{state=\"stale\"} 0",
        "headroom_slos{state=\"exhausted\"} 1",
        "headroom_slos{state=\"noData\"} 1",
        "headroom_store_error 0",
        "headroom_files_error 0",
        "headroom_source_error{source=\"prometheus\"} 0",
    ] {
        has(&made, line);
    }
    world.wait(300);
    let later = lines(&world).await;
    has(&later, "headroom_snapshot_age_seconds 300.0");
    has(&later, "headroom_slos{state=\"stale\"} 6");
    has(&later, "headroom_slos{state=\"healthy\"} 0");
}

#[tokio::test]
async fn failures_of_sources_and_store_are_1_while_they_last() {
    let world = World::new().await;
    let mut failing = snapshot();
    failing.store_error = Some("disk full".to_owned());
    failing.source_errors.insert("other \"one\"".to_owned(), "gone".to_owned());
    world.shared.latest.publish(failing);
    let lines = lines(&world).await;
    has(&lines, "headroom_store_error 1");
    has(&lines, "headroom_source_error{source=\"other \\\"one\\\"\"} 1");
    has(&lines, "headroom_source_error{source=\"prometheus\"} 0");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_peeks_by_verdict() {
    let world = World::new().await;
    for path in [
        "/v1/gate/catalog",
        "/v1/gate/notifier",
        "/v1/gate/nobody",
        "/v1/slos/a/b",
        "/v1/nothing/here",
    ] {
        world.get(path).await;
    }
    let lines = lines(&world).await;
    for line in [
        "headroom_gate_peeks_total{verdict=\"allow\"} 1",
        "headroom_gate_peeks_total{verdict=\"unknown\"} 1",
        "headroom_gate_peeks_total{verdict=\"deny\"} 1",
        "headroom_http_requests_total{method=\"GET\",route=\"/v1/gate/{service}\",status=\"200\"} 3",
        "headroom_http_requests_total{method=\"GET\",route=\"/v1/slos/{service}/{slo}\",status=\"404\"} 1",
        "headroom_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
    ] {
        has(&lines, line);
    }
}
