//! The text formats that targets expose: Prometheus 0.0.4 and OpenMetrics 1.0. Every line is checked,
//! only rows with a wanted name are kept, and one broken line refuses the body: nothing is guessed.
//! Formats: <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>.

use slo_core::labels::Labels;

mod error;
mod line;
mod reading;
#[cfg(test)]
mod tests;

pub use error::TextError;

/// Which of the two formats a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`: timestamps in milliseconds, ends with a line feed.
    Text,
    /// `application/openmetrics-text`: timestamps in seconds, ends with `# EOF`.
    OpenMetrics,
}

impl Format {
    /// The format that a `Content-Type` announces; `None` when it is neither of the two.
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("text/plain") {
            Some(Self::Text)
        } else if essence.eq_ignore_ascii_case("application/openmetrics-text") {
            Some(Self::OpenMetrics)
        } else {
            None
        }
    }
}

/// What the `# TYPE` line before a row says of its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `counter`
    Counter,
    /// `gauge`, and what behaves like one: `gaugehistogram`, `stateset`, `info`, `_created` rows.
    Gauge,
    /// `histogram`
    Histogram,
    /// `summary`
    Summary,
    /// `untyped`, `unknown`, or no `# TYPE` line.
    Unknown,
}

impl Kind {
    fn of_type(word: &str) -> Option<Self> {
        Some(match word {
            "counter" => Self::Counter,
            "gauge" | "gaugehistogram" | "stateset" | "info" => Self::Gauge,
            "histogram" => Self::Histogram,
            "summary" => Self::Summary,
            "untyped" | "unknown" => Self::Unknown,
            _ => return None,
        })
    }

    /// What may follow the family's name in a sample's name.
    const fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["", "_total"],
            Self::Gauge => &["", "_info", "_bucket", "_gcount", "_gsum"],
            Self::Histogram | Self::Summary => &["", "_bucket", "_count", "_sum"],
            Self::Unknown => &[""],
        }
    }
}

/// One sample with a wanted name.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The labels as exposed, `__name__` among them.
    pub labels: Labels,
    /// The value; may be NaN or infinite.
    pub value: f64,
    /// The sample's own instant in Unix milliseconds; without one it is of the scrape's start.
    pub millis: Option<i64>,
    /// The type of its family.
    pub kind: Kind,
    /// When the counter, histogram or summary began, in Unix milliseconds, from its `_created` row.
    /// As the target says: an instant after the scrape is the target's mistake.
    pub created: Option<i64>,
}

/// A whole body that was read without a fault.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exposition {
    /// The rows with a wanted name, in the body's order; no series twice, except with rising
    /// timestamps in OpenMetrics.
    pub rows: Vec<Row>,
    /// All samples of the body, wanted or not.
    pub samples: usize,
}

/// Reads a body. `wanted` is asked for metric names (`x_total`, `x_bucket`), not for families; it
/// may be asked for one name more than once. The `_created` row of a wanted series comes along
/// as [`Row::created`] without being asked for.
///
/// Syntax is checked on every line; repeated series and labels on wanted rows only.
///
/// # Errors
/// The first fault, with its line, what was expected and the remedy.
pub fn parse(
    body: &str,
    format: Format,
    wanted: impl Fn(&str) -> bool,
) -> Result<Exposition, TextError> {
    require_end(body, format)?;
    let mut reading = reading::Reading::new(format, &wanted);
    for (at, line) in body.split_inclusive('\n').enumerate() {
        let line = line.strip_suffix('\n').unwrap_or(line);
        reading.line(line.strip_suffix('\r').unwrap_or(line), at + 1)?;
    }
    reading.finish()
}

/// A body that was cut short is told by its end before a half line is blamed for it.
fn require_end(body: &str, format: Format) -> Result<(), TextError> {
    let last = || body.lines().count();
    match format {
        Format::Text if body.is_empty() || body.ends_with('\n') => Ok(()),
        Format::Text => Err(TextError::Unfinished { line: last() }),
        Format::OpenMetrics => match body.lines().position(|line| line == line::EOF) {
            None => Err(TextError::NoEof { line: last() }),
            Some(at) if body.lines().skip(at + 1).all(str::is_empty) => Ok(()),
            Some(at) => Err(TextError::AfterEof { line: at + 2 }),
        },
    }
}
