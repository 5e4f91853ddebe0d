use axum::http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::world::{Answer, World};
use crate::token::Scope;

const PATH: &str = "/v1/adapters/admission";

fn deployment(service: &str, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": service, "namespace": "shop", "labels": {"app.kubernetes.io/name": service}},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "app", "image": image}]}}}})
}

/// What an API server 1.33 sends.
fn review(operation: &str, object: &Value, old: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "requestKind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "name": object["metadata"]["name"], "namespace": "shop", "operation": operation,
        "userInfo": {"username": "ana", "uid": "1", "groups": ["admin"]},
        "object": object, "oldObject": old, "dryRun": false, "options": {"kind": "UpdateOptions"}}})
}

fn update(service: &str, from: &str, to: &str) -> Value {
    review("UPDATE", &deployment(service, to), &deployment(service, from))
}

async fn post(world: &World, token: &str, body: &Value) -> Answer {
    world.send(Method::POST, PATH, token, body).await
}

async fn response(world: &World, token: &str, body: &Value) -> Value {
    let answer = post(world, token, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let review = answer.json();
    assert_eq!((&review["apiVersion"], &review["kind"]), (&body["apiVersion"], &body["kind"]));
    assert_eq!(review["response"]["uid"], body["request"]["uid"]);
    review["response"].clone()
}

async fn recorded(world: &World) -> usize {
    world.json("/v1/gate/decisions").await["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_new_image_asks_and_is_refused_with_the_reason_and_the_decision() {
    let world = World::new().await;
    let token = world.token("apiserver", &[Scope::Decide]).await;
    let denied = response(&world, &token, &update("notifier", "notifier:1", "notifier:2")).await;
    assert_eq!((&denied["allowed"], &denied["status"]["code"]), (&json!(false), &json!(403)));
    let message = denied["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("UNKNOWN notifier 2 in production: "), "{message}");
    let id = denied["auditAnnotations"]["decision"].as_str().unwrap();
    let decision = world.json(&format!("/v1/gate/decisions/{id}")).await;
    assert_eq!((&decision["actor"], &decision["version"]), (&json!("ana"), &json!("2")));
    let created = review("CREATE", &deployment("catalog", "shop/catalog:3"), &Value::Null);
    let allowed = response(&world, &token, &created).await;
    assert_eq!((&allowed["allowed"], &allowed["warnings"]), (&json!(true), &Value::Null));
    assert_eq!(allowed["auditAnnotations"]["verdict"], "allow");
}

#[tokio::test]
async fn what_leaves_the_images_alone_passes_and_asks_nothing() {
    let world = World::new().await;
    let token = world.token("apiserver", &[Scope::Decide]).await;
    let same = update("notifier", "notifier:1", "notifier:1");
    let mut restart = same.clone();
    restart["request"]["object"]["spec"]["template"]["metadata"] =
        json!({"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-21T10:00:00Z"}});
    let mut scale = same.clone();
    scale["request"]["subResource"] = json!("scale");
    scale["request"]["object"] = json!({"kind": "Scale", "spec": {"replicas": 9}});
    let mut removed = same.clone();
    removed["request"]["operation"] = json!("DELETE");
    removed["request"]["object"] = Value::Null;
    for passes in [same, restart, scale, removed] {
        let response = response(&world, &token, &passes).await;
        assert_eq!(response, json!({"uid": passes["request"]["uid"], "allowed": true}));
    }
    assert_eq!(recorded(&world).await, 0);
}

#[tokio::test]
async fn a_rollback_to_a_version_that_ran_passes_while_the_budget_is_gone() {
    let world = World::new().await;
    let token = world.token("apiserver", &[Scope::Decide, Scope::Deploy]).await;
    for (version, at) in [("1", "2026-11-21T08:00:00Z"), ("2", "2026-11-21T09:00:00Z")] {
        let ran =
            json!({"service": "orders", "environment": "production", "version": version, "at": at});
        assert_eq!(world.send(Method::POST, "/v1/deployments", &token, &ran).await.status, 201);
    }
    let in_production = |from: &str, to: &str| {
        let mut review = update("orders", from, to);
        for object in ["object", "oldObject"] {
            review["request"][object]["metadata"]["labels"]["headroom/environment"] =
                json!("production");
        }
        review
    };
    let new = response(&world, &token, &in_production("orders:2", "orders:3")).await;
    assert_eq!(new["allowed"], false);
    let back = response(&world, &token, &in_production("orders:2", "orders:1")).await;
    assert_eq!(back["allowed"], true, "{back}");
    let id = back["auditAnnotations"]["decision"].as_str().unwrap();
    assert_eq!(world.json(&format!("/v1/gate/decisions/{id}")).await["kind"], "rollback");
}

#[tokio::test]
async fn a_warning_is_shown_in_lines_that_no_api_server_cuts() {
    let world = World::new().await;
    let token = world.token("apiserver", &[Scope::Decide]).await;
    let warned = response(&world, &token, &update("payment", "payment:1", "payment:2")).await;
    let warnings = warned["warnings"].as_array().unwrap();
    assert_eq!((&warned["allowed"], warnings.len() > 1), (&json!(true), true), "{warned}");
    assert_eq!(warnings[0], "Headroom: WARN payment 2 in production");
    assert!(warnings.iter().all(|one| one.as_str().unwrap().chars().count() <= 120), "{warned}");
}

#[tokio::test]
async fn a_dry_run_is_judged_and_leaves_no_record() {
    let world = World::new().await;
    let token = world.token("apiserver", &[Scope::Decide]).await;
    let mut dry = update("notifier", "notifier:1", "notifier:2");
    dry["request"]["dryRun"] = json!(true);
    let judged = response(&world, &token, &dry).await;
    assert_eq!((&judged["allowed"], recorded(&world).await), (&json!(false), 0));
    assert_eq!(judged["auditAnnotations"], json!({"verdict": "unknown"}));
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused_and_says_why() {
    let world = World::new().await;
    let token = world.token("apiserver", &[Scope::Decide]).await;
    let reader = world.token("reader", &[Scope::Incident]).await;
    let good = update("catalog", "catalog:1", "catalog:2");
    let mut config_map = good.clone();
    config_map["request"]["object"] = json!({"kind": "ConfigMap", "data": {}});
    let mut elsewhere = good.clone();
    elsewhere["request"]["namespace"] = json!("staging");
    elsewhere["request"]["object"]["metadata"]["labels"]["headroom/environment"] =
        json!("production");
    let mut upper = good.clone();
    upper["request"]["object"]["metadata"]["labels"]["headroom/environment"] = json!("Production");
    for (body, token, says) in [
        (&config_map, &token, "without containers cannot be judged"),
        (&upper, &token, "environment: "),
        (&elsewhere, &token, "the label says production, and the namespace is staging"),
        (&update("orders", "a:1", "a:2"), &token, "orders is in production, staging"),
        (&good, &reader, "lacks the scope `decide` for catalog"),
    ] {
        let refused = response(&world, token, body).await;
        assert_eq!((&refused["allowed"], &refused["status"]["code"]), (&json!(false), &json!(403)));
        assert!(refused["status"]["message"].as_str().unwrap().contains(says), "{refused}");
    }
    let mut old = good.clone();
    old["apiVersion"] = json!("admission.k8s.io/v1beta1");
    post(&world, &token, &old).await.problem(400);
    let early = World::before_the_first_snapshot().await;
    let token = early.token("apiserver", &[Scope::Decide]).await;
    assert_eq!(response(&early, &token, &good).await["allowed"], false);
}

/// What a server says to a request whose body is announced to have so many bytes, having got some of them:
/// one that refuses may close the connection before all are sent.
async fn announced(world: &World, path: &str, token: &str, length: usize, sent: usize) -> String {
    let address = world.address().strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; sent]).await.unwrap();
    let mut back = vec![0; 12];
    stream.read_exact(&mut back).await.unwrap();
    String::from_utf8(back).unwrap()
}

#[tokio::test]
async fn two_objects_of_1_5_mib_are_judged_and_more_than_4_mib_are_refused() {
    let world = World::new().await;
    let token = world.token("apiserver", &[Scope::Decide]).await;
    let mut large = update("notifier", "notifier:1", "notifier:2");
    for object in ["object", "oldObject"] {
        large["request"][object]["metadata"]["annotations"] = json!({"x": "x".repeat(3 << 19)});
    }
    assert!(large.to_string().len() > 3 << 20);
    let refused = response(&world, &token, &large).await;
    assert_eq!((&refused["allowed"], &refused["status"]["code"]), (&json!(false), &json!(403)));
    let message = refused["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("UNKNOWN notifier 2 in production: "), "{message}");
    let most = 4 << 20;
    assert_eq!(announced(&world, PATH, &token, most + 1, 0).await, "HTTP/1.1 413");
    // Nobody else may send so much.
    for path in ["/v1/adapters/flagger", "/v1/gate/decisions", "/v1/incidents"] {
        let sent = (1 << 20) + 1;
        assert_eq!(announced(&world, path, &token, sent, sent).await, "HTTP/1.1 413", "{path}");
    }
}

#[tokio::test]
async fn what_nobody_known_sends_is_not_read() {
    let world = World::new().await;
    for (path, status) in [(PATH.to_owned(), 401), (format!("{PATH}/t/hr-nobody"), 404)] {
        let sent = world.send(Method::POST, &path, "hr_nobody", &json!({"no": "review"})).await;
        assert_eq!(sent.status, status, "{path}");
    }
}
