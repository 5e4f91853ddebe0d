//! What an operator may set: flags, each with its environment variable.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// The shop's product catalogue, with metrics, ECS log lines and faults on demand.
#[derive(Debug, Clone, Parser)]
#[command(name = "shop-catalog", version)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one and prints it
    #[arg(long, env = "CATALOG_LISTEN", default_value = "127.0.0.1:8082")]
    pub listen: SocketAddr,

    /// Append the log lines to this file instead of writing them to standard output
    #[arg(long, env = "CATALOG_LOG_FILE", value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// Most products held at once; beyond it a create is answered with 409
    #[arg(long, env = "CATALOG_MAX_PRODUCTS", value_name = "COUNT", default_value_t = 10_000)]
    pub max_products: usize,
}
