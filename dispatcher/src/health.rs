//! What probes and scrapers ask: `/healthz`, `/readyz`, `/metrics`. Nothing here writes to a queue.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use hookline_common::broker::Publisher;
use hookline_common::shutdown::Shutdown;
use hookline_common::telemetry::Telemetry;
use tokio::net::TcpListener;

use crate::settle::Acks;

/// What readiness depends on.
pub struct Health {
    /// The publishing connection.
    pub publisher: Publisher,
    /// The consuming connection and its subscriptions.
    pub acks: Arc<Acks>,
    /// Whether the process is on its way out.
    pub shutdown: Shutdown,
    /// The metrics.
    pub telemetry: Arc<Telemetry>,
}

impl Health {
    /// Why no work should be expected from this process now; empty when it is ready.
    fn obstacles(&self) -> Vec<&'static str> {
        let all = [
            (self.shutdown.is_requested(), "shutting down"),
            (
                !self.publisher.is_up(),
                "no connection to the broker for publishing",
            ),
            (!self.acks.is_consuming(), "not consuming from the broker"),
        ];
        all.into_iter()
            .filter_map(|(stands, text)| stands.then_some(text))
            .collect()
    }
}

/// Serves until the process ends: probes ask during the drain, too.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, health: Health) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(health));
    axum::serve(listener, routes).await
}

async fn readyz(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let obstacles = health.obstacles();
    if obstacles.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready: {}\n", obstacles.join("; ")),
    )
}

async fn metrics(State(health): State<Arc<Health>>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        health.telemetry.metrics_text(),
    )
}
