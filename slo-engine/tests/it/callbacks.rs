//! A server that is killed again and again while it owes answers: each is told, and told the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::patch;
use ring::hmac;
use serde_json::{Value, json};

use crate::serve::Running;
use crate::support::Dice;
use crate::support::fake::Fake;
use crate::support::lab::{REQUESTS, service, slo};

const KEY: &str = "a key of the run task";
const KILLS: u64 = 100;

/// What Terraform was told, by task.
type Told = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Terraform as its documentation says it is: the first result of a task counts. Every fourth call
/// fails first.
async fn terraform() -> (String, Told) {
    async fn take(
        State((told, calls)): State<(Told, Arc<Mutex<u64>>)>,
        Path(task): Path<String>,
        body: String,
    ) -> StatusCode {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        if *calls % 4 == 0 {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        told.lock().unwrap().entry(task).or_default().push(body);
        StatusCode::OK
    }
    let told = Told::default();
    let state = (told.clone(), Arc::new(Mutex::new(0)));
    let routes = Router::new().route("/api/v2/task-results/{task}/callback", patch(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes.with_state(state)).await });
    (url, told)
}

/// Whether the server took the question; a server that is gone did not.
async fn ask(client: &reqwest::Client, server: &str, terraform: &str, task: &str) -> bool {
    let body = json!({"payload_version": 1, "access_token": "t", "task_result_id": task,
        "task_result_callback_url": format!("{terraform}/api/v2/task-results/{task}/callback"),
        "task_result_enforcement_level": "mandatory", "run_id": task, "workspace_name": task});
    let body = body.to_string();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, KEY.as_bytes()), body.as_bytes());
    let tag = tag.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let request = client.post(format!("{server}/v1/adapters/terraform")).body(body);
    let sent = request.header("x-tfc-task-signature", tag).send().await;
    sent.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hundred_kills_lose_no_answer_and_change_none() {
    let (terraform, told) = terraform().await;
    let source = Fake::holding(Vec::new());
    let environment = [
        ("HEADROOM__ADAPTERS__TERRAFORM__URL", terraform.as_str()),
        ("HEADROOM__ADAPTERS__TERRAFORM__HMACKEY", KEY),
    ];
    let slos = service(&slo("requests", REQUESTS));
    let mut running = Running::with(&source.url, &slos, false, &environment).await;
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
    let (mut dice, mut taken) = (Dice(9), Vec::new());
    for kill in 0..KILLS {
        for question in 0..3 {
            let task = format!("task-{kill}-{question}");
            if ask(&client, &running.url, &terraform, &task).await {
                taken.push(task);
            }
        }
        tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
        running.restart(&source.url).await;
    }
    let begun = Instant::now();
    while told.lock().unwrap().len() < taken.len() {
        assert!(begun.elapsed() < Duration::from_secs(60), "of {} tasks", taken.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let told = told.lock().unwrap();
    assert!(taken.len() as u64 > 2 * KILLS, "only {} questions were taken", taken.len());
    for task in &taken {
        let all = told.get(task).unwrap();
        assert!(all.iter().all(|body| *body == all[0]), "{task} was told {all:#?}");
        let said: Value = serde_json::from_str(&all[0]).unwrap();
        assert_eq!(said["data"]["attributes"]["status"], "failed", "nothing is known: {said}");
    }
}
