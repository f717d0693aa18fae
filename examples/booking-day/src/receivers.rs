//! The companies' receivers, on one port: `/{company}/{endpoint}`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::companies::{ALL, Temper};

/// What they share.
#[derive(Clone)]
struct Receivers {
    since: Instant,
    /// When the limited one takes the next request.
    takes_again: Arc<Mutex<Instant>>,
    is_ready: Arc<AtomicBool>,
}

/// Serves them until the program ends.
pub(crate) async fn serve(listener: TcpListener, is_ready: Arc<AtomicBool>) -> crate::Result<()> {
    let now = Instant::now();
    let receivers = Receivers {
        since: now,
        takes_again: Arc::new(Mutex::new(now)),
        is_ready,
    };
    let router = Router::new()
        .route("/readyz", get(ready))
        .route("/{company}/{endpoint}", post(receive))
        .with_state(receivers);
    Ok(axum::serve(listener, router).await?)
}

async fn ready(State(receivers): State<Receivers>) -> StatusCode {
    if receivers.is_ready.load(Ordering::Relaxed) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

async fn receive(
    State(receivers): State<Receivers>,
    Path((company, endpoint)): Path<(String, String)>,
) -> Response {
    let of_company = ALL.iter().find(|known| known.id == company);
    let known = of_company.and_then(|known| known.endpoints.iter().find(|one| one.id == endpoint));
    let Some(known) = known else {
        return (StatusCode::NOT_FOUND, "There is no such page here").into_response();
    };
    match known.temper {
        Temper::Well => {
            sleep(Duration::from_millis(15)).await;
            (StatusCode::OK, "ok").into_response()
        }
        Temper::Slow => {
            sleep(Duration::from_millis(1400)).await;
            (StatusCode::OK, r#"{"stored":true}"#).into_response()
        }
        Temper::Moody if receivers.is_well() => (StatusCode::NO_CONTENT, "").into_response(),
        Temper::Moody => (StatusCode::SERVICE_UNAVAILABLE, "Deploying, back soon").into_response(),
        Temper::Broken => {
            let fault = r#"{"error":"TypeError: cannot read properties of undefined (reading 'email')"}"#;
            (StatusCode::INTERNAL_SERVER_ERROR, fault).into_response()
        }
        Temper::Limited => receivers.limited(),
        Temper::Mistyped | Temper::Gone => {
            (StatusCode::NOT_FOUND, "There is no such page here").into_response()
        }
    }
}

impl Receivers {
    /// One minute of three.
    fn is_well(&self) -> bool {
        let minutes = self.since.elapsed().as_secs() / Temper::MINUTE.as_secs();
        minutes % 3 == 2
    }

    fn limited(&self) -> Response {
        let mut takes_again = self.takes_again.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now < *takes_again {
            let seconds = Temper::TAKES_ONE_IN.as_secs().to_string();
            return (
                StatusCode::TOO_MANY_REQUESTS,
                [(RETRY_AFTER, seconds)],
                "Too many requests",
            )
                .into_response();
        }
        *takes_again = now + Temper::TAKES_ONE_IN;
        (StatusCode::ACCEPTED, "").into_response()
    }
}
