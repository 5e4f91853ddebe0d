//! Ships the catalog's log to a search cluster at hand, as a shipper beside a service does.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::source::config::{SourceConfig, SourceKind};
use slo_core::time::Span;

/// Names the cluster.
const VARIABLE: &str = "HEADROOM_DEMO_ELASTIC";

/// The SLO of what was shipped.
pub(super) const SLO: &str = "availability-in-search";

/// A cluster, and the index that this run writes.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) url: String,
    index: String,
}

impl Cluster {
    /// The one that the environment names.
    pub(super) fn at_hand() -> Option<Self> {
        let url = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty())?;
        let index = format!("headroom-demo-{}", std::process::id());
        Some(Self { url: url.trim_end_matches('/').to_owned(), index })
    }

    /// How the engine reads it: at once, because the story is told in seconds.
    pub(super) fn source(&self) -> SourceConfig {
        SourceConfig {
            name: "search".to_owned(),
            kind: SourceKind::Elasticsearch,
            url: self.url.clone(),
            lag: Some(Span::seconds(0)),
            ..SourceConfig::default()
        }
    }

    /// The SLO over it, to be put behind those of the demo's file.
    pub(super) fn slo(&self) -> String {
        format!(
            "  - name: {SLO}\n    description: The same log lines, shipped to a search cluster\n    \
             objective: 95%\n    window: 10m\n    gate: false\n    alerts: none\n    indicator:\n      \
             ratio:\n        source: search\n        index: {}\n        \
             total: 'event.dataset : \"catalog.access\"'\n        \
             bad: 'http.response.status_code >= 500'\n",
            self.index
        )
    }

    /// Makes the index.
    pub(super) async fn prepare(&self, client: &reqwest::Client) -> anyhow::Result<()> {
        let fields = serde_json::json!({"mappings": {"dynamic": false, "properties": {
            "@timestamp": {"type": "date"},
            "event.dataset": {"type": "keyword"},
            "http.response.status_code": {"type": "long"},
        }}});
        let answer = client.put(format!("{}/{}", self.url, self.index)).json(&fields).send().await;
        let answer = answer.with_context(|| format!("{VARIABLE}: cannot reach {}", self.url))?;
        if !answer.status().is_success() {
            bail!("{VARIABLE}: {} refused the index: {}", self.url, answer.text().await?);
        }
        Ok(())
    }

    /// Sends the lines of a file as they come, four times a second, until the demo ends.
    pub(super) async fn ship(self, client: reqwest::Client, file: PathBuf) {
        let mut sent = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            match self.send(&client, &file, sent).await {
                Ok(now) => sent = now,
                Err(error) => tracing::warn!("cannot ship the log: {error:#}"),
            }
        }
    }

    /// Sends whole lines from a place on; where the next ones begin.
    async fn send(
        &self,
        client: &reqwest::Client,
        file: &PathBuf,
        from: u64,
    ) -> anyhow::Result<u64> {
        let mut file = tokio::fs::File::open(file).await?;
        file.seek(std::io::SeekFrom::Start(from)).await?;
        let mut new = String::new();
        file.read_to_string(&mut new).await?;
        let Some(end) = new.rfind('\n') else { return Ok(from) };
        let head = format!("{{\"index\":{{\"_index\":\"{}\"}}}}\n", self.index);
        let body: String = new[..end].lines().map(|line| format!("{head}{line}\n")).collect();
        let request = client.post(format!("{}/_bulk?refresh=true", self.url)).body(body);
        let answer = request.header("content-type", "application/x-ndjson").send().await?;
        let answer: serde_json::Value = answer.error_for_status()?.json().await?;
        if answer["errors"] != false {
            bail!("some lines were refused: {}", answer["items"][0]);
        }
        Ok(from + end as u64 + 1)
    }

    /// Takes the index away again.
    pub(super) async fn clear(&self, client: &reqwest::Client) {
        let gone = client.delete(format!("{}/{}", self.url, self.index)).send().await;
        if let Err(error) = gone {
            tracing::warn!(%error, index = self.index, "the demo's index stays");
        }
    }
}
