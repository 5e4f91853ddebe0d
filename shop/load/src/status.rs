//! `GET /counts`: the running counts, for whoever compares them while the load runs.

use std::io;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;

use crate::report::Report;
use crate::run::Load;

pub(crate) async fn serve(listener: TcpListener, load: Load) -> io::Result<()> {
    axum::serve(listener, Router::new().route("/counts", get(counts)).with_state(load)).await
}

async fn counts(State(load): State<Load>) -> Json<Report> {
    Json(load.report())
}
