//! What the API answers when it is used wrongly: always a whole problem, fields named.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::{Reply, Shop, lamp};

async fn body(shop: &Shop, content_type: &str, text: impl Into<Body>) -> Reply {
    let uri = format!("http://{}/products", shop.address);
    let request = Request::post(uri).header("content-type", content_type);
    shop.request(request.body(text.into()).unwrap()).await
}

#[tokio::test]
async fn unreadable_requests_are_400_and_name_the_parameter() {
    let shop = Shop::open().await;
    let cases: [(&str, &[&str]); 6] = [
        ("/products?page=0", &["page"]),
        ("/products?page=x&perPage=101", &["page", "perPage"]),
        ("/products?page=99999999999999999999", &["page"]),
        ("/products/abc", &["id"]),
        ("/search", &["q"]),
        ("/search?q=%20&page=0", &["q", "page"]),
    ];
    for (path, fields) in cases {
        let route = path.split('?').next().unwrap();
        assert_eq!(shop.get(path).await.problem(400, route), fields, "{path}");
    }
    let long = format!("/search?q={}", "x".repeat(101));
    assert_eq!(shop.get(&long).await.problem(400, "/search"), ["q"]);
    assert!(body(&shop, "application/json", "{").await.problem(400, "/products").is_empty());
    assert!(body(&shop, "application/json", "{} {}").await.problem(400, "/products").is_empty());
    shop.close().await;
}

#[tokio::test]
async fn unknown_things_are_404() {
    let shop = Shop::open().await;
    shop.get("/products/999").await.problem(404, "/products/999");
    shop.send("DELETE", "/products/999", None).await.problem(404, "/products/999");
    shop.send("PUT", "/products/999", Some(lamp("X"))).await.problem(404, "/products/999");
    shop.get("/nowhere/at/all").await.problem(404, "/nowhere/at/all");
    shop.send("DELETE", "/faults/7", None).await.problem(404, "/faults/7");
    shop.close().await;
}

#[tokio::test]
async fn a_wrong_method_is_405_with_the_methods_that_exist() {
    let shop = Shop::open().await;
    let reply = shop.send("PATCH", "/products/1", None).await;
    reply.problem(405, "/products/1");
    let allow = reply.headers["allow"].to_str().unwrap();
    for method in ["GET", "PUT", "DELETE"] {
        assert!(allow.contains(method), "{allow}");
    }
    shop.send("PUT", "/faults", None).await.problem(405, "/faults");
    shop.close().await;
}

#[tokio::test]
async fn a_taken_sku_and_a_full_catalogue_are_409() {
    let shop = Shop::holding(61).await;
    assert_eq!(shop.post("/products", lamp("LAMP-OAK")).await.problem(409, "/products"), ["sku"]);
    let taken = shop.send("PUT", "/products/2", Some(lamp("LAMP-OAK"))).await;
    assert_eq!(taken.problem(409, "/products/2"), ["sku"]);
    assert_eq!(shop.post("/products", lamp("NEW-1")).await.status, 201);
    assert!(shop.post("/products", lamp("NEW-2")).await.problem(409, "/products").is_empty());
    shop.close().await;
}

#[tokio::test]
async fn other_media_types_are_415_and_bodies_beyond_64_kib_413() {
    let shop = Shop::open().await;
    body(&shop, "text/plain", "{}").await.problem(415, "/products");
    let big = format!("\"{}\"", "x".repeat(64 * 1024));
    body(&shop, "application/json", big).await.problem(413, "/products");
    let charset = body(&shop, "application/json; charset=utf-8", lamp("C").to_string()).await;
    assert_eq!(charset.status, 201);
    shop.close().await;
}

#[tokio::test]
async fn invalid_products_are_422_and_name_every_field() {
    let shop = Shop::open().await;
    let cases: [(Value, &[&str]); 5] = [
        (json!({}), &["sku", "name", "category", "priceCents"]),
        (json!({"sku": "a b", "name": "", "category": "c", "priceCents": 1}), &["sku", "name"]),
        (json!({"sku": 7}), &["sku"]),
        (json!({"priceCents": -1}), &["priceCents"]),
        (json!({"colour": "red"}), &["colour"]),
    ];
    for (form, fields) in cases {
        let reply = shop.post("/products", form.clone()).await;
        assert_eq!(reply.problem(422, "/products"), fields, "{form}");
    }
    shop.close().await;
}
