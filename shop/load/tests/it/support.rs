//! A catalogue on a port of its own, and what its counters say.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Request, header};
use chrono::DateTime;
use clap::Parser;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use shop_load::report::Report;
use shop_load::{Config, Load};
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Shop {
    /// A catalogue that lives as long as the test's runtime.
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log_file = Some(folder.path().join("catalog.log"));
        let config = shop_catalog::Config { listen: address, log_file, max_products: 1_000 };
        tokio::spawn(shop_catalog::run(config, listener, std::future::pending()));
        Self { address, _folder: folder }
    }

    pub(crate) async fn fault(&self, body: &Value) {
        let request = Request::post(format!("http://{}/faults", self.address))
            .header(header::CONTENT_TYPE, "application/json");
        let (status, text) = ask(request.body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!(status, 201, "{text}");
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        get(&format!("http://{}{path}", self.address)).await
    }

    /// Every `http_requests_total`, by method, route and code.
    pub(crate) async fn counts(&self) -> BTreeMap<(String, String, u16), u64> {
        let text = self.get("/metrics").await;
        let counted = text.lines().filter(|line| line.starts_with("http_requests_total{"));
        counted
            .map(|line| {
                let labels: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
                let count = line.rsplit_once(' ').unwrap().1.parse().unwrap();
                let code = labels[3].parse().unwrap();
                ((labels[1].to_owned(), labels[2].to_owned(), code), count)
            })
            .collect()
    }
}

pub(crate) async fn get(url: &str) -> String {
    ask(Request::get(url).body(Body::empty()).unwrap()).await.1
}

async fn ask(request: Request<Body>) -> (u16, String) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

/// A load from flags, for this address.
pub(crate) fn load(address: SocketAddr, flags: &[&str]) -> Load {
    let url = format!("http://{address}");
    let given = ["shop-load", "--url", &url].into_iter().chain(flags.iter().copied());
    Load::new(Config::parse_from(given), DateTime::UNIX_EPOCH)
}

pub(crate) async fn run(load: &Load) -> Report {
    let report = load.run(None, std::future::pending(), |_| {}).await.unwrap();
    assert_adds_up(&report);
    report
}

pub(crate) fn assert_adds_up(report: &Report) {
    assert_eq!(report.scheduled, report.sent + report.not_sent);
    let outcomes = report.answered + report.transport_errors.total() + report.in_flight;
    assert_eq!(report.sent, outcomes);
    assert_eq!(report.codes.values().sum::<u64>(), report.answered);
    assert_eq!(report.routes.iter().map(|route| route.sent).sum::<u64>(), report.sent);
}
