//! Where the server listens.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::Check;
use crate::config::Config;

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
