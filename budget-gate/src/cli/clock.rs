//! The only place that reads the time of day.

use chrono::{DateTime, Utc};

#[expect(clippy::disallowed_methods, reason = "this is the system clock")]
pub(super) fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}
