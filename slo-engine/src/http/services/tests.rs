use serde_json::{Value, json};

use crate::http::world::World;

#[tokio::test]
async fn services_are_listed_by_name_and_environment_with_their_worst_state() {
    let world = World::new().await;
    let page = world.json("/v1/services").await;
    assert_eq!(page["next"], Value::Null);
    let of = |key: &str| -> Vec<Value> {
        page["items"].as_array().unwrap().iter().map(|item| item[key].clone()).collect()
    };
    assert_eq!(of("service"), ["catalog", "notifier", "orders", "orders", "payment"]);
    let environments = ["production", "production", "production", "staging", "production"];
    assert_eq!(of("environment"), environments);
    assert_eq!(of("state"), ["healthy", "noData", "exhausted", "healthy", "atRisk"]);
    assert_eq!(of("slos"), [1, 1, 3, 1, 1]);
    assert_eq!(of("tier"), [2, 4, 1, 3, 1]);
    let titles = [Value::Null, Value::Null, json!("Orders"), Value::Null, Value::Null];
    assert_eq!(of("title"), titles);
    assert_eq!(of("owner")[0], "team-shop");
    world.wait(271);
    let later = world.json("/v1/services").await;
    assert_eq!(later["items"][0]["state"], "stale");
    assert_eq!(later["items"][1]["state"], "noData");
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let world = World::new().await;
    let (mut seen, mut path) = (Vec::new(), "/v1/services?limit=2".to_owned());
    loop {
        let page = world.json(&path).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|i| format!("{}@{}", i["service"], i["environment"])));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/services?limit=2&cursor={next}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
    for (wrong, field) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
    ] {
        let problem = world.get(&format!("/v1/services?{wrong}")).await.problem(400);
        assert_eq!(problem["errors"][0]["field"], field, "{wrong}");
    }
}

#[tokio::test]
async fn one_service_is_shown_with_its_budgets_in_the_order_of_its_file() {
    let world = World::new().await;
    world.wait(4);
    let orders = world.json("/v1/services/orders?environment=production").await;
    assert_eq!((&orders["title"], &orders["owner"]), (&json!("Orders"), &json!("team-checkout")));
    assert_eq!(orders["labels"], json!({"team": "checkout"}));
    assert_eq!((&orders["dependsOn"], &orders["links"]), (&json!([]), &json!({})));
    assert_eq!(orders["state"], "exhausted");
    let names: Vec<&Value> = orders["slos"].as_array().unwrap().iter().map(|s| &s["slo"]).collect();
    assert_eq!(names, ["exhausted", "availability", "slices"]);
    assert_eq!(orders["slos"][0]["ageSeconds"], 34.0);
    assert_eq!(world.json("/v1/services/catalog").await["environment"], "production");
}

#[tokio::test]
async fn a_service_that_is_not_there_or_not_clear_is_said() {
    let world = World::new().await;
    let detail = world.detail("/v1/services/ordres", 404).await;
    assert!(detail.contains("no service ordres"), "{detail}");
    let detail = world.detail("/v1/services/orders?environment=prod", 404).await;
    assert!(detail.contains("not in prod; it is in production, staging"), "{detail}");
    world.detail("/v1/services/ordres?environment=prod", 404).await;
    let detail = world.detail("/v1/services/orders", 400).await;
    assert!(detail.contains("production, staging"), "{detail}");
    let empty = World::before_the_first_snapshot().await;
    empty.detail("/v1/services", 503).await;
    empty.detail("/v1/services/orders", 503).await;
}
