use std::sync::Arc;

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

/// The SLO `availability` of orders in production has groups.
fn grouped(world: &World) {
    let mut snapshot = (*world.shared.latest.get().unwrap()).clone();
    let whole = snapshot.all().find(|view| {
        (&*view.service, &*view.environment, &*view.slo) == ("orders", "production", "availability")
    });
    let whole = (**whole.unwrap()).clone();
    for route in ["/cart", "/", "/a b"] {
        let labels = Arc::new([("route".to_owned(), route.to_owned())].into());
        let group = Some(slo_core::view::Group::Labels { labels });
        snapshot.add(Arc::new(BudgetView { group, ..whole.clone() }));
    }
    let other = Some(slo_core::view::Group::Other { other: true });
    snapshot.add(Arc::new(BudgetView { group: other, ..whole }));
    world.shared.latest.publish(snapshot);
}

#[tokio::test]
async fn groups_are_listed_in_pages_and_found_by_name() {
    let world = World::new().await;
    grouped(&world);
    let path = "/v1/slos/orders/availability";
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page =
            world.json(&format!("{path}/groups?environment=production&limit=1{cursor}")).await;
        names.push(page["items"][0]["group"].clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let route = |route: &str| json!({"labels": {"route": route}});
    assert_eq!(names, [json!({"other": true}), route("/"), route("/a b"), route("/cart")]);
    for (asked, group) in [
        ("/a%20b", route("/a b")),
        ("route%3D/cart", route("/cart")),
        ("%7B%22route%22:%22/%22%7D", route("/")),
        ("(other)", json!({"other": true})),
    ] {
        let one = world.json(&format!("{path}?environment=production&group={asked}")).await;
        assert_eq!(one["group"], group, "{asked}");
        let page = world
            .get(&format!("/slos/orders/availability?environment=production&group={asked}"))
            .await;
        assert_eq!(page.status, 200, "{}", page.text());
    }
    let all = world.json("/v1/slos?group=*").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 4);
    assert_eq!(world.json("/v1/slos?group=/cart").await["items"][0]["group"], route("/cart"));
    let detail = world.detail(&format!("{path}?environment=production&group=/nowhere"), 404).await;
    assert!(detail.contains("/v1/slos/orders/availability/groups lists them"), "{detail}");
    // The whole is what it was, in lists, pages and decisions.
    assert_eq!(world.json(&format!("{path}?environment=production")).await["group"], Value::Null);
    let items = world.json("/v1/slos?environment=production").await;
    let grouped = items["items"].as_array().unwrap().iter().filter(|item| !item["group"].is_null());
    assert_eq!(grouped.count(), 0);
}
