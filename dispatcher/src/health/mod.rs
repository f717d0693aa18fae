//! What probes and scrapers ask: `/healthz`, `/readyz`, `/metrics`. Nothing here writes to a queue.

mod connections; // which connection has to go for a new one
mod server; // connections in, answers out

use std::sync::Arc;

use bytes::Bytes;
use hookline_common::broker::Publisher;
use hookline_common::shutdown::Shutdown;
use hookline_common::telemetry::Telemetry;
use hookline_consume::AckLedger;
use hookline_outbound::client::max_probes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::net::TcpListener;

use crate::descriptors;
use crate::endpoints::Endpoints;

/// What readiness depends on.
pub struct Health {
    /// The publishing connection.
    pub publisher: Publisher,
    /// Where endpoints are looked up.
    pub endpoints: Arc<dyn Endpoints>,
    /// The queues that must be consumed.
    pub ledgers: Vec<Arc<AckLedger>>,
    /// Whether the process is on its way out.
    pub shutdown: Shutdown,
    /// The metrics.
    pub telemetry: Arc<Telemetry>,
}

impl Health {
    /// Why no work should be expected from this process now; empty when it is ready.
    fn obstacles(&self) -> Vec<String> {
        let unless = |is_fine: bool, text: &str| (!is_fine).then(|| text.to_owned());
        let all = [
            unless(!self.shutdown.is_requested(), "shutting down"),
            unless(
                self.publisher.is_up(),
                "no connection to the broker for publishing",
            ),
            unless(
                self.ledgers.iter().all(|ledger| ledger.is_consuming()),
                "not consuming from the broker",
            ),
            self.endpoints.obstacle(),
            self.publisher.trouble(),
        ];
        all.into_iter().flatten().collect()
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            return text(StatusCode::NOT_FOUND, "here are /healthz, /readyz and /metrics\n");
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is understood here\n");
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match path {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => readiness(&self.obstacles()),
            _ => metrics(self.telemetry.metrics_text()),
        }
    }
}

/// Serves until it is dropped: probes ask during the drain, too.
pub async fn serve(listener: TcpListener, health: Health) {
    // As many as deliveries leave to it.
    let max = max_probes(descriptors::limit());
    server::serve(
        listener,
        max,
        Arc::new(move |method, path| health.answer(method, path)),
    )
    .await;
}

fn readiness(obstacles: &[String]) -> Response<Full<Bytes>> {
    if obstacles.is_empty() {
        return text(StatusCode::OK, "ready\n");
    }
    let reasons = format!("not ready: {}\n", obstacles.join("; "));
    text(StatusCode::SERVICE_UNAVAILABLE, reasons)
}

fn metrics(samples: String) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::OK, samples);
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4"),
    );
    response
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_obstacle_is_named() {
        assert_eq!(readiness(&[]).status(), StatusCode::OK);
        let obstacles = ["one".to_owned(), "two".to_owned()];
        assert_eq!(readiness(&obstacles).status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
