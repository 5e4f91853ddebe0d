//! Where the server listens.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::Check;
use crate::config::Config;

pub(super) fn check(config: &Config) -> Check {
    let listen = &config.server.listen;
    match TcpListener::bind(listen) {
        Ok(listener) if listener.local_addr().is_ok_and(|at| !at.ip().is_loopback()) => {
            Check::fail(
                "listen",
                format!("{listen} can be reached from other machines, which this version refuses"),
                "set server.listen to 127.0.0.1:8080 and put an authenticating proxy in front",
            )
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
