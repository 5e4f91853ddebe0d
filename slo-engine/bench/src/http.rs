//! Requests to servers besides the engine's.

use std::time::Duration;

use anyhow::Context;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;

const JSON: &str = "application/json";

/// A client that waits for its answers.
#[derive(Debug)]
pub(crate) struct Http {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct Reply {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    value: (f64, String),
}

impl Http {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let timeout = Duration::from_mins(10);
        let client = reqwest::Client::builder().timeout(timeout).no_proxy().build()?;
        Ok(Self { runtime, client })
    }

    /// The values of an instant query, at Unix seconds.
    pub(crate) fn query(&self, url: &str, expression: &str, at: i64) -> anyhow::Result<Vec<f64>> {
        let form = [("query", expression.to_owned()), ("time", at.to_string())];
        let request = self.client.post(format!("{url}/api/v1/query")).form(&form);
        let body = self.text(request).with_context(|| format!("query {expression}"))?;
        let reply: Reply = serde_json::from_str(&body).with_context(|| format!("read {body}"))?;
        let values = reply.data.result.iter().map(|row| row.value.1.parse().context("a value"));
        values.collect()
    }

    /// The body of a page whose status is a success.
    pub(crate) fn get(&self, url: &str) -> anyhow::Result<String> {
        self.text(self.client.get(url))
    }

    /// Creates something that is described in JSON.
    pub(crate) fn put(&self, url: &str, json: &'static str) -> anyhow::Result<String> {
        self.text(self.client.put(url).header(CONTENT_TYPE, JSON).body(json))
    }

    /// Sends JSON, or lines of it.
    pub(crate) fn post(&self, url: &str, json: String) -> anyhow::Result<String> {
        self.text(self.client.post(url).header(CONTENT_TYPE, JSON).body(json))
    }

    fn text(&self, request: reqwest::RequestBuilder) -> anyhow::Result<String> {
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let (status, url) = (answer.status(), answer.url().clone());
            let body = answer.text().await?;
            anyhow::ensure!(status.is_success(), "{url}: {status}: {body}");
            Ok(body)
        })
    }
}
