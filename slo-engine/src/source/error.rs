//! Why a source could not be read. The message is what `sources[].lastError` shows.

use std::time::Duration;

use thiserror::Error;

/// A failed read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// No connection, or it broke.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// The address, without secrets.
        url: String,
        /// The chain of causes.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer from {url} within {}", humantime(*.after))]
    Timeout {
        /// The address.
        url: String,
        /// The limit.
        after: Duration,
    },
    /// Too many requests.
    #[error("{url} asks for a pause (429){}", pause(*.retry_after))]
    Throttled {
        /// The address.
        url: String,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// An HTTP status that is not 200.
    #[error("{url} answered {status}: {body}")]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The body is larger than it may be.
    #[error("{url} answered more than {limit} bytes; lower the source's maxSamples")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is not what the API promises.
    #[error(
        "{url} answered something that is not the Prometheus API: {reason}{}",
        beginning(start)
    )]
    Garbage {
        /// The address.
        url: String,
        /// What the reader says.
        reason: String,
        /// The beginning of the body.
        start: String,
    },
    /// The API reports an error.
    #[error("{url} refused the query ({kind}): {message}")]
    Refused {
        /// The address.
        url: String,
        /// `errorType` as text.
        kind: String,
        /// Its message.
        message: String,
    },
    /// Not everything was read.
    #[error("{url} answered in part only: {warnings}")]
    Partial {
        /// The address.
        url: String,
        /// What it says about it.
        warnings: String,
    },
    /// The two clocks differ too much for ages to mean anything.
    #[error("the clock of {url} is {seconds} s {direction} of ours")]
    Skewed {
        /// The address.
        url: String,
        /// By how much.
        seconds: i64,
        /// `ahead` or `behind`.
        direction: &'static str,
    },
    /// A search cluster could not be asked.
    #[cfg(feature = "elastic")]
    #[error(transparent)]
    Search(slo_source_elastic::Error),
    /// Histograms have not had the same boundaries all the time; they must be read whole.
    #[error("histograms have changed their buckets and are read anew")]
    Mixed {
        /// Positions of their SLOs in the intake.
        slos: Vec<usize>,
    },
    /// SLOs whose query was refused are answered again; they must be read anew.
    #[error("a query that was refused is answered again, everything is read anew")]
    Answered,
    /// The source cannot be set up as configured.
    #[error("source `{name}`: {reason}")]
    Setup {
        /// The source's name.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl SourceError {
    /// Whether asking for less could help.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        match self {
            Self::TooLarge { .. } => true,
            Self::Refused { message, .. } => message.contains("too many samples"),
            Self::Status { status: 422, body, .. } => body.contains("too many samples"),
            _ => false,
        }
    }

    /// Whether it speaks of the query's text alone: another one may well be answered. VictoriaMetrics
    /// calls it by the status.
    #[must_use]
    pub fn is_of_query(&self) -> bool {
        match self {
            Self::Refused { kind, .. } if kind == "bad_data" => true,
            Self::Refused { kind, message, .. } => kind == "422" && message.contains("parse"),
            _ => false,
        }
    }

    /// Whether an expression may be the cause. Of a plain selector such an error is the server's: it could
    /// not read its own data.
    #[must_use]
    pub fn is_of_expression(&self) -> bool {
        let is_executed = matches!(self, Self::Refused { kind, .. } if kind == "execution");
        (is_executed && !self.is_too_much()) || self.is_of_query()
    }
}

fn humantime(duration: Duration) -> String {
    slo_core::time::Span::millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
        .to_string()
}

fn pause(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(" of {}", humantime(after)))
}

/// The beginning of a body, made harmless for a terminal or a log.
#[must_use]
pub fn start_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.collect::<String>().trim().to_owned()
}

fn beginning(start: &str) -> String {
    if start.is_empty() { String::new() } else { format!("; it begins with `{start}`") }
}

/// An error with all its causes, the outermost first.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_trouble_is_not_blamed_on_a_query() {
        let refused = |kind: &str, message: &str| SourceError::Refused {
            url: "http://p".to_owned(),
            kind: kind.to_owned(),
            message: message.to_owned(),
        };
        let blamed = |error: &SourceError| (error.is_of_query(), error.is_of_expression());
        for (kind, message, expected) in [
            ("bad_data", "1:1: parse error", (true, true)),
            ("422", "cannot parse query", (true, true)),
            ("422", "too busy", (false, false)),
            ("execution", "many-to-many matching not allowed", (false, true)),
            ("execution", "query processing would load too many samples", (false, false)),
            ("timeout", "query timed out", (false, false)),
        ] {
            assert_eq!(blamed(&refused(kind, message)), expected, "{kind}: {message}");
        }
    }
}
