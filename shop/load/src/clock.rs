//! The only file that reads the time of day.

use chrono::{DateTime, Utc};

#[expect(clippy::disallowed_methods, reason = "this is the system clock")]
pub fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}
