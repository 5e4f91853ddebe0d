use serde_json::{Value, json};
use slo_core::view::BudgetView;

use crate::http::world::World;

async fn names(world: &World, query: &str) -> Vec<String> {
    let page = world.json(&format!("/v1/slos?{query}")).await;
    let name = |v: &Value| {
        let text = |key: &str| v[key].as_str().unwrap().to_owned();
        format!("{}/{}@{}", text("service"), text("slo"), text("environment"))
    };
    page["items"].as_array().unwrap().iter().map(name).collect()
}

const ALL: [&str; 7] = [
    "catalog/availability@production",
    "notifier/no-data@production",
    "orders/availability@production",
    "orders/exhausted@production",
    "orders/slices@production",
    "orders/availability@staging",
    "payment/at-risk@production",
];

#[tokio::test]
async fn slos_are_listed_by_service_environment_and_name() {
    let world = World::new().await;
    assert_eq!(names(&world, "").await, ALL);
}

#[tokio::test]
async fn filters_leave_what_all_of_them_take() {
    let world = World::new().await;
    for (query, left) in [
        ("environment=staging", &ALL[5..6]),
        ("state=healthy&tier=1", &[ALL[2], ALL[4]][..]),
        ("state=exhausted", &ALL[3..4]),
        ("state=noData", &ALL[1..2]),
        ("state=stale", &[]),
        ("owner=team-checkout&state=atRisk", &ALL[6..]),
        ("tier=2", &ALL[..1]),
        ("owner=nobody", &[]),
        ("environment=nowhere", &[]),
    ] {
        assert_eq!(names(&world, query).await, left, "{query}");
    }
    world.wait(271);
    assert_eq!(names(&world, "state=stale").await.len(), 6, "all but the one without data");
    assert!(names(&world, "state=healthy").await.is_empty());
}

#[tokio::test]
async fn pages_of_every_size_give_each_slo_once() {
    let world = World::new().await;
    for limit in 1..=8 {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/slos?limit={limit}{cursor}");
            let page = world.json(&path).await;
            let items = page["items"].as_array().unwrap();
            seen.extend(
                items.iter().map(|v| format!("{}/{}@{}", v["service"], v["slo"], v["environment"])),
            );
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let all: Vec<String> = seen.iter().map(|name| name.replace('"', "")).collect();
        assert_eq!(all, ALL, "limit {limit}");
    }
}

#[tokio::test]
async fn filters_that_cannot_be_meant_are_refused() {
    let world = World::new().await;
    for (query, field) in [
        ("state=sad", "state"),
        ("tier=0", "tier"),
        ("tier=5", "tier"),
        ("tier=x", "tier"),
        ("limit=1000", "limit"),
        ("cursor=YQ", "cursor"),
        ("tier=1&tier=2", "tier"),
    ] {
        let problem = world.get(&format!("/v1/slos?{query}")).await.problem(400);
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let detail = world.detail("/v1/slos?state=sad", 400).await;
    assert!(detail.contains("`noData`") && detail.contains("`healthy`"), "{detail}");
    World::before_the_first_snapshot().await.detail("/v1/slos", 503).await;
}

#[tokio::test]
async fn one_budget_is_shown_as_the_view_that_everyone_reads() {
    let world = World::new().await;
    let json = world.json("/v1/slos/orders/exhausted?environment=production").await;
    assert_eq!((&json["state"], &json["group"]), (&json!("exhausted"), &Value::Null));
    assert_eq!(json["windows"][0]["bad"], 2_000);
    assert_eq!(json["ageSeconds"], 30.0);
    let view: BudgetView = serde_json::from_value(json).unwrap();
    assert!((view.windows[0].spent.unwrap() - 2_000.0 / 1_008.0).abs() < 1e-9);
}

#[tokio::test]
async fn a_budget_asked_for_later_is_older_and_turns_stale_by_itself() {
    let world = World::new().await;
    world.wait(270);
    let json = world.json("/v1/slos/catalog/availability").await;
    assert_eq!((&json["ageSeconds"], &json["state"]), (&json!(300.0), &json!("healthy")));
    world.wait(271);
    let json = world.json("/v1/slos/catalog/availability").await;
    assert_eq!((&json["state"], &json["conditions"]), (&json!("stale"), &json!(["stale"])));
    let json = world.json("/v1/slos/orders/exhausted?environment=production").await;
    assert_eq!(json["conditions"], json!(["stale", "exhausted", "atRisk"]));
}

#[tokio::test]
async fn an_slo_that_is_not_there_is_404_with_those_that_are() {
    let world = World::new().await;
    let detail = world.detail("/v1/slos/orders/latency?environment=staging", 404).await;
    assert_eq!(detail, "orders has no SLO latency in staging; it has availability");
    world.detail("/v1/slos/nobody/availability", 404).await;
    world.detail("/v1/slos/orders/availability?environment=x", 404).await;
    world.detail("/v1/slos/orders/availability", 400).await;
    World::before_the_first_snapshot().await.detail("/v1/slos/a/b", 503).await;
}
