//! What a browser may do with a page: show it, run our own scripts, send forms to us, and nothing else.

use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;

/// Nothing but what is named, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Two years, as the lists of browsers ask for.
const ONLY_TLS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// Every page's own headers. Referrers stay within: without any, a browser would hide where a form came from, and it is
/// that by which we know our own.
pub(super) async fn safe(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    add(&mut response);
    response
}

/// Adds them.
pub(super) fn add(response: &mut Response) {
    const HEADERS: [(HeaderName, &str); 3] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
}

/// Whoever has been here over https comes back over nothing else. For pages and API alike.
pub(crate) async fn over_tls_only(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let url = app.settings().public_url.as_ref();
    if url.is_some_and(crate::public_url::PublicUrl::is_https) {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, ONLY_TLS);
    }
    response
}
