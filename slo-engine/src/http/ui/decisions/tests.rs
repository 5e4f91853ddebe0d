use axum::http::Method;
use serde_json::json;

use crate::http::world::World;
use crate::token::Scope;

#[tokio::test]
async fn a_decision_has_a_page_that_says_verdict_reasons_and_what_opens_the_gate() {
    let world = World::new().await;
    let token = world.token("ci", &[Scope::Decide]).await;
    let body = json!({
        "service": "orders", "environment": "production",
        "version": "<script>alert(1)</script>", "reason": "\"quoted\" & <b>bold</b>",
    });
    let decision = world.send(Method::POST, "/v1/gate/decisions", &token, &body).await.json();
    let id = decision["id"].as_str().unwrap();
    let page = world.get(&format!("/gate/decisions/{id}")).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let html = page.text();
    for said in ["deny</span> orders", "What opens the gate", "sha256:", "override with 1 approval"]
    {
        assert!(html.contains(said), "{said}: {html}");
    }
    assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
    world.get("/gate/decisions/nobody").await.problem(404);
}

#[tokio::test]
async fn decisions_are_listed_on_a_page_with_filters_and_older_ones_behind_a_link() {
    let world = World::new().await;
    let empty = world.get("/gate/decisions").await.text();
    assert!(empty.contains("Nothing was asked yet"), "{empty}");
    let token = world.token("ci", &[Scope::Decide]).await;
    for version in 0..51 {
        let body = json!({"service": "catalog", "version": version.to_string()});
        let made = world.send(Method::POST, "/v1/gate/decisions", &token, &body).await;
        assert_eq!(made.status, 201);
    }
    let page = world.get("/gate/decisions?service=catalog&environment=&verdict=allow").await.text();
    assert_eq!(page.matches("<tr><td").count(), 50);
    let link = page.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let link = link.replace("&amp;", "&").replace("&#x2f;", "/");
    assert!(link.contains("service=catalog&verdict=allow"), "{link}");
    let older = world.get(&link).await.text();
    assert_eq!(older.matches("<tr><td").count(), 1);
    let none = world.get("/gate/decisions?verdict=deny").await.text();
    assert!(none.contains("No decision fits"), "{none}");
    world.get("/gate/decisions?verdict=maybe").await.problem(400);
}
