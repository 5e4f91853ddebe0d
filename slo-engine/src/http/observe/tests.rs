use std::time::Duration;

use axum::http::Method;
use axum::routing::get;

use super::*;
use crate::http::world::{World, answer, ask, client, serve};

#[tokio::test]
async fn a_path_that_no_route_has_is_a_problem() {
    let world = World::new().await;
    for path in ["/", "/v1", "/v1/slos/", "/v1/gate/", "/V1/slos", "/v1/gate/a/b"] {
        world.detail(path, 404).await;
    }
}

#[tokio::test]
async fn a_method_that_a_route_does_not_offer_is_a_problem_that_names_those_it_does() {
    let world = World::new().await;
    for method in [Method::POST, Method::DELETE, Method::PUT] {
        let answer = world.ask(method, "/v1/slos").await;
        assert_eq!(answer.header("allow"), "GET,HEAD");
        answer.problem(405);
    }
}

#[tokio::test]
async fn every_get_route_answers_head_without_a_body() {
    let world = World::new().await;
    for path in [
        "/healthz",
        "/readyz",
        "/.well-known/jwks.json",
        "/docs",
        "/openapi.json",
        "/v1/services",
        "/v1/slos",
        "/v1/gate/catalog",
    ] {
        let (whole, head) = (world.get(path).await, world.ask(Method::HEAD, path).await);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        let length = head.header("content-length");
        assert_eq!(length, whole.body.len().to_string(), "{path}");
        assert_eq!(head.header("content-type"), whole.header("content-type"));
    }
    assert_eq!(world.ask(Method::HEAD, "/metrics").await.status, 200);
    assert_eq!(world.ask(Method::HEAD, "/v1/gate/orders").await.status, 400);
}

#[tokio::test]
async fn answers_carry_a_request_id_and_are_neither_kept_nor_guessed_at() {
    let world = World::new().await;
    let (one, two) = (world.get("/healthz").await, world.get("/nothing").await);
    let id = one.header("x-request-id");
    assert!(id.len() > 16 && id != two.header("x-request-id"), "{id}");
    for answer in [&one, &two] {
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

#[expect(clippy::panic, reason = "what a panic does is the question")]
async fn panics() -> &'static str {
    panic!("the moon is full")
}

/// Routes that do what the engine's never should.
async fn broken(world: &World) -> String {
    let app = Arc::new(App::new(world.shared.clone()));
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        "late"
    };
    let routes = Router::new()
        .route("/panics", get(panics))
        .route("/slow", get(slow))
        .route("/reads", axum::routing::post(|body: String| async { body }));
    let limits = Limits { time: Duration::from_millis(100), body: 1_000 };
    serve(layered(routes, &Around::new(&app, limits)).with_state(app)).await
}

#[tokio::test]
async fn a_panic_is_a_problem_that_says_nothing_of_its_cause() {
    let address = broken(&World::new().await).await;
    let answer = ask(&client(), Method::GET, &format!("{address}/panics")).await;
    assert!(!answer.text().contains("moon"));
    let problem = answer.problem(500);
    assert!(problem["detail"].as_str().unwrap().contains("x-request-id"));
    let again = ask(&client(), Method::GET, &format!("{address}/panics")).await;
    assert_eq!(again.status, 500, "the server goes on");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up() {
    let address = broken(&World::new().await).await;
    let problem = ask(&client(), Method::GET, &format!("{address}/slow")).await.problem(503);
    assert!(problem["detail"].as_str().unwrap().contains("no answer in time"), "{problem}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let address = broken(&World::new().await).await;
    let post = |size: usize| client().post(format!("{address}/reads")).body("x".repeat(size));
    assert_eq!(answer(post(1_000)).await.status, 200);
    answer(post(1_001)).await.problem(413);
    let not_text = client().post(format!("{address}/reads")).body(vec![0xff_u8, 0xfe]);
    answer(not_text).await.problem(400);
}
