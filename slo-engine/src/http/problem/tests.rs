use axum::body::to_bytes;

use super::*;

async fn written(response: Response) -> (u16, serde_json::Value) {
    let response = complete(response, || "/here".to_owned());
    assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_bare_status_of_a_library_becomes_a_problem() {
    for (status, anchor) in [
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type"),
        (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
        (StatusCode::IM_A_TEAPOT, "problems"),
    ] {
        let (code, problem) = written((status, "plain words").into_response()).await;
        assert_eq!((code, &problem["status"]), (status.as_u16(), &status.as_u16().into()));
        assert_eq!(problem["type"], format!("/docs#{anchor}"));
        assert_eq!(problem["instance"], "/here");
        assert_eq!(problem["errors"], serde_json::json!([]));
    }
}

#[tokio::test]
async fn a_problem_names_the_fields_and_when_to_ask_again() {
    let problem = Problem::bad("limit", "0 is too few").and("cursor", "no").again_after(0);
    let response = problem.into_response();
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    let (status, problem) = written(response).await;
    assert_eq!(status, 400);
    assert_eq!(problem["detail"], "limit: 0 is too few");
    assert_eq!(problem["errors"][0]["field"], "limit");
    assert_eq!(problem["errors"][1]["detail"], "no");
}

#[tokio::test]
async fn a_success_is_left_as_it_is() {
    let response = complete((StatusCode::OK, "fine").into_response(), || "/here".to_owned());
    assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "fine");
}
