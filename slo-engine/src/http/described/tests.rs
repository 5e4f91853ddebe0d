use crate::http::world::World;

#[tokio::test]
async fn the_description_is_served_as_it_is_generated() {
    let world = World::before_the_first_snapshot().await;
    let served = world.json("/openapi.json").await;
    assert_eq!(served, crate::http::openapi());
    assert_eq!(served["openapi"], "3.1.0");
}

#[tokio::test]
async fn the_page_needs_nothing_from_anywhere_and_names_every_route() {
    let world = World::before_the_first_snapshot().await;
    let answer = world.get("/docs").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
    let page = answer.text().replace("&#x2f;", "/");
    for foreign in ["http://", "https://", "<script", "src=", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    for path in crate::http::openapi()["paths"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("</span> {path}</code>")), "{path}");
    }
}
