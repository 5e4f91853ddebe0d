//! The engine's binary: installs the TLS provider and hands over to the commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The first line: every client built later needs the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    slo_engine::cli::main()
}
