//! What the API answers when it is used as intended.

use serde_json::json;

use crate::support::{Shop, lamp};

#[tokio::test]
async fn a_product_lives_from_create_to_delete() {
    let shop = Shop::open().await;
    let created = shop.post("/products", lamp("PAPER-1")).await;
    assert_eq!(created.status, 201);
    let location = created.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(location, format!("/products/{}", created.json()["id"]));
    assert_eq!(shop.get(&location).await.json(), created.json());

    let mut changed = lamp("PAPER-2");
    changed["stock"] = json!(3);
    let updated = shop.send("PUT", &location, Some(changed)).await;
    assert_eq!((updated.status.as_u16(), &updated.json()["stock"]), (200, &json!(3)));
    assert_eq!(updated.json()["createdAt"], created.json()["createdAt"]);

    let deleted = shop.send("DELETE", &location, None).await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    assert_eq!(shop.get(&location).await.status, 404);
    shop.close().await;
}

#[tokio::test]
async fn pages_hold_all_60_seeded_products_once() {
    let shop = Shop::open().await;
    let mut ids = Vec::new();
    for page in 1..=4 {
        let body = shop.get(&format!("/products?page={page}&perPage=25")).await.json();
        assert_eq!((&body["total"], &body["perPage"]), (&json!(60), &json!(25)));
        ids.extend(body["items"].as_array().unwrap().iter().map(|p| p["id"].as_u64().unwrap()));
    }
    assert_eq!(ids, (1..=60).collect::<Vec<u64>>());
    shop.close().await;
}

#[tokio::test]
async fn search_finds_in_any_case_and_pages() {
    let shop = Shop::open().await;
    let found = shop.get("/search?q=LAMP&perPage=2").await.json();
    assert_eq!((&found["total"], found["items"].as_array().unwrap().len()), (&json!(5), 2));
    let none = shop.get("/search?q=%22quoted%0Aline%22").await.json();
    assert_eq!((&none["total"], &none["items"]), (&json!(0), &json!([])));
    shop.close().await;
}

#[tokio::test]
async fn health_docs_and_openapi_answer_and_docs_name_every_route() {
    let shop = Shop::open().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(shop.get(path).await.status, 200, "{path}");
    }
    let docs = shop.get("/docs").await;
    assert_eq!(docs.headers["content-type"], "text/html; charset=utf-8");
    let openapi = shop.get("/openapi.json").await.json();
    let paths: Vec<&String> = openapi["paths"].as_object().unwrap().keys().collect();
    for path in ["/products", "/products/{id}", "/search", "/faults", "/faults/{id}", "/metrics"] {
        assert!(paths.contains(&&path.to_owned()), "{paths:?}");
    }
    for path in paths {
        assert!(docs.text.contains(&format!(" {path}</code>")), "{path} is not in /docs");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_head_request_is_answered_without_a_body_and_counted_as_head() {
    let shop = Shop::open().await;
    let reply = shop.send("HEAD", "/products/1", None).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, ""));
    assert_eq!(shop.counts().await["HEAD /products/{id} 200"], 1);
    shop.close().await;
}
