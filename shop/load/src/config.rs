//! What the load is: flags, checked while they are parsed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use clap::Parser;

use crate::arrivals::Spacing;
use crate::curve::Curve;
use crate::mix::Mix;

/// Open-loop load for the shop's catalogue; prints its counts as one JSON line at the end.
#[derive(Debug, Clone, Parser)]
#[command(name = "shop-load", version)]
pub struct Config {
    /// The catalogue, http only
    #[arg(long, env = "LOAD_URL", default_value = "http://127.0.0.1:8082", value_parser = target)]
    pub url: Uri,

    /// Arrivals a second, before the day curve
    #[arg(long, env = "LOAD_RATE", default_value = "50", value_parser = rate)]
    pub rate: f64,

    /// Stop after this long; without it, at Ctrl-C or SIGTERM
    #[arg(long, value_parser = seconds)]
    pub seconds: Option<Duration>,

    /// Weights as operation=weight,... of list, get, search, create, update, delete
    #[arg(long, default_value = "list=30,get=45,search=15,create=3,update=4,delete=3")]
    pub mix: Mix,

    /// 24 factors on the rate, one an hour, or the amplitude (0 to 1) of a sine, lowest at
    /// midnight; the load begins at midnight
    #[arg(long, value_name = "FACTORS|AMPLITUDE")]
    pub day_curve: Option<Curve>,

    /// Length of that day in seconds
    #[arg(long, default_value = "86400", value_name = "SECONDS", value_parser = seconds)]
    pub day_length: Duration,

    /// How arrivals are spread
    #[arg(long, value_enum, default_value_t = Spacing::Poisson)]
    pub spacing: Spacing,

    /// The same seed gives the same arrivals and operations
    #[arg(long, env = "LOAD_SEED", default_value_t = 1)]
    pub seed: u64,

    /// Read and update the products 1 to this
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub products: u64,

    /// Arrivals beyond this many unanswered requests are counted as notSent; each needs a socket
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub max_in_flight: u64,

    /// Seconds after which a request counts as a transport error
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,

    /// Seconds to wait at the end for requests in flight
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = seconds)]
    pub drain: Duration,

    /// Write the final counts to this file too
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Print the running counts as a JSON line at this interval
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub report_every: Option<Duration>,

    /// Answer GET /counts with the running counts here; port 0 takes a free one and prints it
    #[arg(long, env = "LOAD_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

fn target(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    if uri.scheme_str() != Some("http") || uri.authority().is_none() {
        return Err("give http://host:port; TLS is not spoken".to_owned());
    }
    if uri.query().is_some() {
        return Err("leave out the query".to_owned());
    }
    Ok(uri)
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if rate > 0.0 && rate <= 100_000.0 {
        return Ok(rate);
    }
    Err("give more than 0 and at most 100000 a second".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if (0.001..=1e9).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err("give 0.001 to 1000000000 seconds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_mix_of_the_help_is_the_default_of_the_code() {
        assert_eq!(Config::parse_from(["shop-load"]).mix, Mix::default());
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (flag, value) in [
            ("--url", "https://127.0.0.1"),
            ("--url", "127.0.0.1:80"),
            ("--url", "http://127.0.0.1/?q=1"),
            ("--rate", "0"),
            ("--rate", "NaN"),
            ("--seconds", "-1"),
            ("--seconds", "inf"),
            ("--products", "0"),
            ("--max-in-flight", "0"),
            ("--day-curve", "2"),
            ("--mix", "get=0"),
        ] {
            let given = format!("{flag}={value}");
            assert!(Config::try_parse_from(["shop-load", &given]).is_err(), "{given}");
        }
    }
}
