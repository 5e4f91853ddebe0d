use serde_json::{Value, json};

use crate::evaluate::exclusion::InForce;
use crate::http::world::World;

/// Two hours of minutes of `orders/availability` and `orders/slices` up to 10:00, 100 events each;
/// 1 of them bad in each minute from 9:00 on, and 50 in minute 9:30.
async fn world() -> World {
    let bad = |back| match back {
        30 => 50,
        ..=60 => 1,
        _ => 0,
    };
    World::with_minutes(&["availability", "slices"], |_, back| Some(bad(back))).await
}

const PATH: &str = "/v1/slos/orders/availability/history?environment=production";

#[tokio::test]
async fn a_stretch_is_folded_to_points_of_the_step_that_is_asked_for() {
    let world = world().await;
    let query = "&from=2026-11-21T08:45:00Z&to=2026-11-21T09:45:00%2B00:00&step=30m";
    let history = world.json(&format!("{PATH}{query}")).await;
    assert_eq!(
        (&history["from"], &history["step"]),
        (&json!("2026-11-21T08:45:00Z"), &json!("30m"))
    );
    assert_eq!((&history["unit"], &history["objective"]), (&json!("events"), &json!(0.999)));
    let points = history["points"].as_array().unwrap();
    assert_eq!(points.len(), 2);
    let expected = json!({"from": "2026-11-21T09:15:00Z", "good": 2921, "bad": 79, "total": 3000, "measured": 30, "spentShare": 94.0 / 6.0});
    assert_eq!(points[0]["bad"], 15);
    for key in ["from", "good", "bad", "total", "measured"] {
        assert_eq!(points[1][key], expected[key], "{key}");
    }
    let share = points[1]["spentShare"].as_f64().unwrap();
    assert!((share - 94.0 / 6.0).abs() < 1e-9, "{share}");
    assert!((history["allowed"].as_f64().unwrap() - 6.0).abs() < 1e-9);
}

#[tokio::test]
async fn excluded_minutes_are_named_and_in_no_other_number() {
    let world = world().await;
    let exclusion = serde_json::json!({
        "slos": ["orders/*"], "reason": "upgrade", "author": "ana",
        "from": "2026-11-21T09:25:00Z", "until": "2026-11-21T09:35:00Z",
    });
    let exclusion = serde_json::from_value(exclusion).unwrap();
    let mut snapshot = (*world.shared.latest.get().unwrap()).clone();
    snapshot.exclusions = [InForce { name: "e1".to_owned(), exclusion, since: None }].into();
    world.shared.latest.publish(snapshot);
    let query = "&from=2026-11-21T09:00:00Z&to=2026-11-21T10:00:00Z&step=30m";
    let history = world.json(&format!("{PATH}{query}")).await;
    let point = |at: usize| {
        let point = &history["points"][at];
        ["bad", "total", "measured", "excluded"].map(|key| point[key].as_i64().unwrap())
    };
    assert_eq!((point(0), point(1)), ([25, 2_500, 25, 5], [25, 2_500, 25, 5]));
    assert!((history["allowed"].as_f64().unwrap() - 5.0).abs() < 1e-9, "{history}");
    let slices = PATH.replace("availability", "slices");
    let history = world.json(&format!("{slices}{query}")).await;
    assert_eq!(
        (&history["points"][1]["total"], &history["points"][1]["bad"]),
        (&json!(5), &json!(0))
    );
}

#[tokio::test]
async fn nothing_said_is_the_first_window_up_to_now_in_at_most_2000_points() {
    let world = world().await;
    let history = world.json(PATH).await;
    assert_eq!((&history["to"], &history["step"]), (&json!("2026-11-21T10:01:00Z"), &json!("30m")));
    let points = history["points"].as_array().unwrap();
    assert_eq!(points.len(), 1_440);
    assert_eq!((&points[0]["total"], &points[0]["measured"]), (&Value::Null, &json!(0)));
    let sum = |key: &str| points.iter().filter_map(|p| p[key].as_f64()).sum::<f64>();
    assert!((sum("total") - 12_000.0).abs() < 1e-9 && (sum("bad") - 109.0).abs() < 1e-9);
    let last = points.last().unwrap()["spentShare"].as_f64().unwrap();
    assert!((last - 109.0 / 12.0).abs() < 1e-9);
}

#[tokio::test]
async fn slos_in_slices_are_counted_in_slices() {
    let world = world().await;
    let path = "/v1/slos/orders/slices/history?environment=production&from=2026-11-21T09:00:00Z";
    let history = world.json(&format!("{path}&to=2026-11-21T10:00:00Z&step=1h")).await;
    assert_eq!(history["unit"], "slices");
    let point = &history["points"][0];
    assert_eq!((&point["total"], &point["bad"]), (&json!(12), &json!(1)), "{point}");
    assert_eq!(point["measured"], 60);
    let finest = world.json(&format!("{path}&to=2026-11-21T10:00:00Z")).await;
    assert_eq!(finest["step"], "5m", "no shorter than a slice");
}

#[tokio::test]
async fn what_lies_in_the_future_is_left_out() {
    let world = world().await;
    let history =
        world.json(&format!("{PATH}&from=2026-11-21T09:00:00Z&to=2027-01-01T00:00:00Z")).await;
    assert_eq!(history["to"], "2026-11-21T10:01:00Z");
    assert_eq!(history["points"].as_array().unwrap().len(), 61);
}

#[tokio::test]
async fn a_range_that_cannot_be_meant_is_refused() {
    let world = world().await;
    for (query, field) in [
        ("from=yesterday", "from"),
        ("to=2026-11-21", "to"),
        ("from=2026-11-21T10:00:00Z&to=2026-11-21T09:00:00Z", "from"),
        ("from=2026-11-21T09:00:00Z&to=2026-11-21T09:00:30Z", "from"),
        ("from=2027-01-01T00:00:00Z", "from"),
        ("from=1970-01-01T00:00:00Z", "from"),
        ("step=0m", "step"),
        ("step=90s", "step"),
        ("step=often", "step"),
        ("step=1m", "step"),
        ("step=", "step"),
    ] {
        let problem = world.get(&format!("{PATH}&{query}")).await.problem(400);
        assert_eq!(problem["errors"][0]["field"], field, "{query}: {problem}");
    }
    let detail = world.detail(&format!("{PATH}&step=1m"), 400).await;
    assert!(detail.contains("take 22m or more"), "{detail}");
}

#[tokio::test]
async fn an_slo_without_history_and_a_database_that_fails_are_said() {
    let world = world().await;
    world.detail("/v1/slos/catalog/availability/history", 404).await;
    world.detail("/v1/slos/orders/none/history?environment=staging", 404).await;
    world.detail("/v1/slos/orders/availability/history", 400).await;
    World::before_the_first_snapshot().await.detail("/v1/slos/a/b/history", 503).await;
    world.shared.store.close().await;
    let detail = world.detail(PATH, 503).await;
    assert!(detail.contains("cannot be read"), "{detail}");
    assert_eq!(world.get("/v1/gate/catalog").await.status, 200, "the gate asks no database");
}

#[tokio::test]
async fn a_history_is_what_the_document_says() {
    let world = world().await;
    let json = world.json(PATH).await;
    let schema = &crate::http::openapi()["components"]["schemas"]["History"];
    for key in json.as_object().unwrap().keys() {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}
