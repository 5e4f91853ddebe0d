//! Where the server listens, and with which certificate.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::Check;
use crate::config::Config;
use crate::http::Certificate;

pub(super) fn check(config: &Config) -> Check {
    let listen = &config.server.listen;
    match TcpListener::bind(listen) {
        Ok(listener) if listener.local_addr().is_ok_and(|at| !at.ip().is_loopback()) => {
            let said = format!("{listen} is free; other machines reach it, so reads need a token");
            Check::ok("listen", said)
        }
        Ok(_) => Check::ok("listen", format!("{listen} is free")),
        Err(e) if e.kind() == ErrorKind::AddrInUse => {
            Check::ok("listen", format!("{listen} is taken, as it is while the server runs"))
        }
        Err(e) => {
            let message = format!("cannot listen on {listen}: {e}");
            Check::fail("listen", message, "set server.listen to an address of this machine")
        }
    }
}

/// The server's certificate; `None` where it speaks plain HTTP.
pub(super) fn certificate(config: &Config) -> Option<Check> {
    match Certificate::read(&config.server.tls) {
        Ok(None) => None,
        Ok(Some(_)) => Some(Check::ok("tls", "certificate and key go together")),
        Err(error) => {
            let remedy = "name files that hold a certificate and its own key, in PEM";
            Some(Check::fail("tls", error.to_string(), remedy))
        }
    }
}
