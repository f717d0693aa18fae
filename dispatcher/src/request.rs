//! Step 3: endpoint, event and clock → the signed request. Pure: what is built here is what is sent.

use bytes::Bytes;
use hookline_common::delivery::Delivery;
use hookline_common::endpoint::{Endpoint, Format};
use hookline_common::envelope;
use hookline_common::guard::{Policy, Refusal};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};

/// The event's id, the same on every attempt.
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
/// When this attempt was made, in seconds since the epoch.
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// Standard Webhooks' signatures.
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Which attempt this is.
const WEBHOOK_ATTEMPT: HeaderName = HeaderName::from_static("webhook-attempt");
/// Meeva's own signature.
const MEEVA_SIGNATURE: HeaderName = HeaderName::from_static("meeva-signature");

/// Where an endpoint's requests go, and the headers that are the same on each of them.
pub enum Destination {
    /// A URL that the guard let through.
    Allowed {
        /// The URL as it was parsed, not as it was written.
        uri: Uri,
        /// Content type, user agent and the endpoint's own headers.
        headers: HeaderMap,
    },
    /// A URL that nothing may be sent to.
    Refused(Refusal),
}

impl Destination {
    /// Checks the endpoint's URL and prepares its requests.
    #[must_use]
    pub fn new(endpoint: &Endpoint, policy: &Policy) -> Self {
        let uri = policy.check_url(&endpoint.url).and_then(|target| {
            target
                .url()
                .as_str()
                .parse()
                .map_err(|_| Refusal::UrlMalformed("it is no HTTP request target"))
        });
        let uri = match uri {
            Ok(uri) => uri,
            Err(refusal) => return Self::Refused(refusal),
        };
        let mut headers = HeaderMap::with_capacity(endpoint.headers.len() + 2);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("Hookline/", env!("CARGO_PKG_VERSION"))),
        );
        for header in &endpoint.headers {
            // Both were checked when the endpoint was read; what is no HTTP header all the same is not sent.
            let (name, value) = (
                header.name.parse::<HeaderName>(),
                HeaderValue::try_from(&header.value),
            );
            if let (Ok(name), Ok(mut value)) = (name, value) {
                value.set_sensitive(true);
                headers.append(name, value);
            }
        }
        Self::Allowed { uri, headers }
    }
}

/// The request of one attempt at `timestamp` (seconds since the epoch).
#[must_use]
pub fn build(
    uri: &Uri,
    headers: &HeaderMap,
    endpoint: &Endpoint,
    delivery: &Delivery,
    timestamp: i64,
) -> Request<Full<Bytes>> {
    let event = &delivery.event;
    let body = envelope::body(endpoint.format, event);
    let mut headers = headers.clone();
    headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(timestamp));
    headers.insert(WEBHOOK_ATTEMPT, HeaderValue::from(delivery.attempt.get()));
    insert_text(&mut headers, WEBHOOK_ID, event.id.as_str());
    if let Some(signatures) = endpoint.keys.standard(&event.id, timestamp, &body) {
        insert_text(&mut headers, WEBHOOK_SIGNATURE, &signatures);
    }
    if endpoint.format == Format::Meeva {
        insert_text(&mut headers, MEEVA_SIGNATURE, &endpoint.keys.meeva(&body));
    }
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers;
    request
}

/// Ids and signatures are ASCII by construction.
fn insert_text(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// A URL without what may be a credential: user, password, and what its query says.
#[must_use]
pub fn shown_url(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else {
        return String::new();
    };
    // Both fail only on URLs that can have neither.
    let _cannot_have_one = (url.set_username(""), url.set_password(None));
    if url.query().is_some() {
        url.set_query(Some("***"));
    }
    url.set_fragment(None);
    url.into()
}

/// The request's headers as the log may keep them: without signatures, and without the values of the endpoint's own.
#[must_use]
pub fn loggable(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = headers
        .iter()
        .filter(|(name, _)| **name != WEBHOOK_SIGNATURE && **name != MEEVA_SIGNATURE);
    kept.map(|(name, value)| {
        let value = if value.is_sensitive() {
            "***"
        } else {
            value.to_str().unwrap_or_default()
        };
        (name.to_string(), value.to_owned())
    })
    .collect()
}
