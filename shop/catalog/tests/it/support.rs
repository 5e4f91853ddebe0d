//! A running catalogue, a client for it, and readers of its metrics and log.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use shop_catalog::{Config, RunError, run};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), RunError>>,
    client: Client<HttpConnector, Body>,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Checks that this is a whole problem with this status and returns the fields it names.
    pub(crate) fn problem(&self, status: u16, path: &str) -> Vec<String> {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        let body = self.json();
        assert_eq!((&body["status"], &body["instance"]), (&json!(status), &json!(path)), "{body}");
        assert!(body["type"].as_str().unwrap().starts_with("/docs#"), "{body}");
        for key in ["title", "detail"] {
            assert!(!body[key].as_str().unwrap().is_empty(), "{body}");
        }
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::holding(1_000).await
    }

    pub(crate) async fn holding(max_products: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log_file = Some(folder.path().join("catalog.log"));
        let config = Config { listen: address, log_file, max_products };
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(run(config, listener, async {
            let _ = stopped.await;
        }));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, folder, stop, running, client }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("http://{}{path}", self.address));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or(Body::empty(), |value| Body::from(value.to_string()));
        self.request(request.body(body).unwrap()).await
    }

    pub(crate) async fn request(&self, request: Request<Body>) -> Reply {
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body)).await
    }

    /// Sends bytes as they are; the request must ask for the connection to be closed.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// The samples of `/metrics`, by name with labels.
    pub(crate) async fn samples(&self) -> BTreeMap<String, f64> {
        let reply = self.get("/metrics").await;
        let lines = reply.text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
            .collect()
    }

    /// Every `http_requests_total`, as "METHOD route code".
    pub(crate) async fn counts(&self) -> BTreeMap<String, u64> {
        let samples = self.samples().await;
        let counted = samples.iter().filter(|(name, _)| name.starts_with("http_requests_total{"));
        counted
            .map(|(name, value)| {
                let labels: Vec<&str> = name.split('"').skip(1).step_by(2).collect();
                assert_eq!(labels[0], "catalog");
                (labels[1..].join(" "), *value as u64)
            })
            .collect()
    }

    /// Stops the service and returns its log, each line parsed.
    pub(crate) async fn close(self) -> Vec<Value> {
        self.stop.send(()).unwrap();
        drop(self.client);
        self.running.await.unwrap().unwrap();
        let text = std::fs::read_to_string(self.folder.path().join("catalog.log")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(crate) fn lamp(sku: &str) -> Value {
    json!({"sku": sku, "name": "Paper lamp", "category": "lighting", "priceCents": 1200})
}
