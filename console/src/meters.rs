//! What is counted, as `hookline_common::metrics::console` declares it. No label may hold a tenant, an endpoint or an event.

use std::sync::LazyLock;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use hookline_common::metrics::{Count, Counts, Level, console as declared, process};
use hookline_store::Recorded;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;

use crate::app::App;

/// The console's metrics. There is one set for the process.
struct Meters {
    requests: Histogram<f64>,
    leads: Level,
    written: Count,
    known: Count,
    expired: Count,
    set_aside: Count,
    given_up: Count,
    missed: Count,
    filed: Count,
    not_filed: Count,
    retried: Count,
    endpoints_disabled: Counts,
}

static METERS: LazyLock<Meters> = LazyLock::new(|| Meters {
    requests: declared::API_REQUEST_DURATION.histogram(),
    leads: declared::LEADS.level(),
    written: declared::LOG_RECORDS_WRITTEN.count(),
    known: declared::LOG_RECORDS_KNOWN.count(),
    expired: declared::LOG_RECORDS_EXPIRED.count(),
    set_aside: declared::LOG_RECORDS_SET_ASIDE.count(),
    given_up: declared::LOG_RECORDS_GIVEN_UP.count(),
    missed: declared::LOG_MESSAGES_MISSED.count(),
    filed: declared::DEAD_LETTERS_FILED.count(),
    not_filed: declared::DEAD_LETTERS_REJECTED.count(),
    retried: declared::DEAD_LETTERS_RETRIED.count(),
    endpoints_disabled: declared::ENDPOINTS_DISABLED.counts(["gone", "failing"]),
});

/// Shows all of them from now on, with 0 where nothing has happened.
pub(crate) fn start(app: &App) {
    LazyLock::force(&METERS);
    let of = |is_so: fn(&App) -> bool| {
        let app = app.clone();
        move || Some(f64::from(u8::from(is_so(&app))))
    };
    process::BROKER_UP.gauge_from(of(|app| app.publishing().is_up()));
    process::BROKER_BLOCKED.gauge_from(of(|app| app.publishing().is_blocked()));
}

/// An endpoint was disabled for how it fares.
pub(crate) fn endpoint_disabled(reason: &'static str) {
    METERS.endpoints_disabled.one_of(reason);
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
    METERS.requests.record(started.elapsed().as_secs_f64(), &labels);
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
pub(crate) fn leads(leads: bool) {
    METERS.leads.set(u64::from(leads));
}

/// Messages that the stream of attempts has lost unread.
pub(crate) fn missed(messages: u64) {
    METERS.missed.add(messages);
}

/// A batch was recorded.
pub(crate) fn recorded(recorded: Recorded) {
    METERS.written.add(recorded.new);
    METERS.known.add(recorded.known);
    METERS.expired.add(recorded.expired);
    METERS.set_aside.add(recorded.set_aside);
    METERS.given_up.add(recorded.given_up);
}

/// Dead letters were filed.
pub(crate) fn filed(letters: usize) {
    METERS.filed.add(as_u64(letters));
}

/// A message among the dead letters is none.
pub(crate) fn not_filed() {
    METERS.not_filed.one();
}

/// Dead letters were sent again.
pub(crate) fn retried(letters: usize) {
    METERS.retried.add(as_u64(letters));
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
