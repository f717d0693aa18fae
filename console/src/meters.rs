//! What is counted. No label may hold a tenant, an endpoint or an event.

use std::sync::LazyLock;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use hookline_store::Recorded;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram};

static REQUESTS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    opentelemetry::global::meter("hookline")
        .f64_histogram("hookline_api_request_duration_seconds")
        .with_description("Requests to the API by route, method and status, with the time each took")
        .with_boundaries(vec![
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        ])
        .build()
});

static ENDPOINTS_DISABLED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    opentelemetry::global::meter("hookline")
        .u64_counter("hookline_endpoints_disabled")
        .with_description("Endpoints that were disabled because they only failed or answered 410, by reason")
        .build()
});

/// An endpoint was disabled for how it fares.
pub(crate) fn endpoint_disabled(reason: &'static str) {
    ENDPOINTS_DISABLED.add(1, &[KeyValue::new("reason", reason)]);
}

/// Measures a request by its route's template, and not by its path.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = method(request.method());
    let started = Instant::now();
    let response = next.run(request).await;
    let labels = [
        KeyValue::new("route", route),
        KeyValue::new("method", method),
        KeyValue::new("status", i64::from(response.status().as_u16())),
    ];
    REQUESTS.record(started.elapsed().as_secs_f64(), &labels);
    response
}

/// Strangers can make methods up.
fn method(method: &axum::http::Method) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

/// Whether this console does the work that one does for all.
pub(crate) static LEADS: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    opentelemetry::global::meter("hookline")
        .u64_gauge("hookline_console_leads")
        .with_description("1 on the console that records attempts and looks after the log, 0 on all others")
        .build()
});

/// Messages that the stream of attempts has lost unread.
pub(crate) static MISSED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "hookline_log_messages_missed",
        "Messages that the stream of attempts has dropped before they were recorded, with the few numbers between them that are none",
    )
});

static WRITTEN: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("hookline_log_records_written", "Attempts that were recorded"));
static KNOWN: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "hookline_log_records_known",
        "Attempts that came again and were recorded already",
    )
});
static EXPIRED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "hookline_log_records_expired",
        "Attempts that were older than the retention when they came, and were skipped",
    )
});
static SET_ASIDE: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "hookline_log_records_set_aside",
        "Records and messages of the stream of attempts that cannot be recorded; they are kept for a person to look at",
    )
});

static GIVEN_UP: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "hookline_log_records_given_up",
        "Records and messages that were set aside and gave way to newer ones, as only so many are kept",
    )
});

/// A batch was recorded.
pub(crate) fn recorded(recorded: Recorded) {
    WRITTEN.add(recorded.new, &[]);
    KNOWN.add(recorded.known, &[]);
    EXPIRED.add(recorded.expired, &[]);
    SET_ASIDE.add(recorded.set_aside, &[]);
    GIVEN_UP.add(recorded.given_up, &[]);
}

/// Dead letters that were filed.
pub(crate) static FILED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "hookline_dead_letters_filed",
        "Dead letters that were taken from the broker and filed, those included that came again",
    )
});

/// Messages among the dead letters that are none.
pub(crate) static NOT_FILED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "hookline_dead_letters_rejected",
        "Messages among the dead letters that cannot be understood or filed; they went to the rejected ones",
    )
});

/// Dead letters that were sent again.
pub(crate) static RETRIED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "hookline_dead_letters_retried",
        "Dead letters that were sent again because somebody asked for it",
    )
});

fn counter(name: &'static str, help: &'static str) -> Counter<u64> {
    opentelemetry::global::meter("hookline")
        .u64_counter(name)
        .with_description(help)
        .build()
}
