//! `budget-gate`: asks the engine whether a deploy may go, and says so by its exit code.

mod cli;

fn main() -> std::process::ExitCode {
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.expect("nothing else in this program chooses a TLS provider");
    cli::main()
}
