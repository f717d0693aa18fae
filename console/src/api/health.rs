//! What probes and scrapers ask: `/healthz`, `/readyz`, `/metrics`.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use tokio::time::timeout;

use crate::app::App;

/// How long the database may take to show that it is there. Probes give up after two seconds or more, and whoever asks learns
/// more from an answer than from none.
const DATABASE_ANSWERS_WITHIN: Duration = Duration::from_millis(1500);

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", operation_id = "healthz", security(()),
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether requests can be answered: the database is there, with the schema that is needed. A broker that is away is named
/// in a second line and makes nothing unready: all but publishing goes on without it.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "readyz", security(()),
    responses(
        (status = 200, description = "They can", body = String, content_type = "text/plain"),
        (status = 503, description = "They cannot, and why", body = String, content_type = "text/plain")))]
pub(crate) async fn readyz(State(app): State<App>) -> Response {
    let obstacle = if app.shutdown().is_requested() {
        Some("shutting down".to_owned())
    } else {
        match timeout(DATABASE_ANSWERS_WITHIN, app.store().ping()).await {
            Err(_) => Some("the database hangs: it has not answered in time".to_owned()),
            // What it said may name addresses and users, and anybody may ask here.
            Ok(Err(_)) => Some("the database does not answer as it should; the log says why".to_owned()),
            Ok(Ok(())) if !app.is_migrated() => {
                Some("the database's schema is not the one that is needed; the log says more".to_owned())
            }
            Ok(Ok(())) => None,
        }
    };
    match obstacle {
        None => match app.publishing().trouble() {
            None => "ready\n".into_response(),
            Some(trouble) => format!("ready\nno event can be published: {trouble}\n").into_response(),
        },
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

/// The metrics, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics", security(()),
    responses((status = 200, description = "All samples", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let content_type = [(CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, app.telemetry().metrics_text()).into_response()
}
