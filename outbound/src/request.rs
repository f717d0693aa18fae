//! Step 5: endpoint, event and clock → the signed request. Pure: what is built here is what is sent.

use bytes::Bytes;
use hookline_common::delivery::Delivery;
use hookline_common::endpoint::{Endpoint, Format, StaticHeader};
use hookline_common::envelope;
use hookline_common::guard::{Policy, Refusal};
use hookline_common::record::HeaderList;
use hookline_common::signature::SigningKeys;
use hookline_common::trace_context::TraceContext;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};

use crate::client;

/// The event's id, the same on every attempt.
const ID: &str = "webhook-id";
const WEBHOOK_ID: HeaderName = HeaderName::from_static(ID);
/// When this attempt was made, in seconds since the epoch.
const TIMESTAMP: &str = "webhook-timestamp";
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static(TIMESTAMP);
/// Which attempt this is.
const ATTEMPT: &str = "webhook-attempt";
const WEBHOOK_ATTEMPT: HeaderName = HeaderName::from_static(ATTEMPT);
/// Standard Webhooks' signatures.
pub const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Meeva's own signature.
pub const MEEVA_SIGNATURE: HeaderName = HeaderName::from_static("meeva-signature");

/// W3C Trace Context, where receivers are told.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What every receiver is told of a body, and of who sends it.
const CONTENT: &str = "application/json";
const SENDER: &str = concat!("Hookline/", env!("CARGO_PKG_VERSION"));

/// Where an endpoint's requests go, and the headers that are its own.
pub enum Destination {
    /// A URL that the guard let through.
    Allowed {
        /// The URL as it was parsed, not as it was written.
        uri: Uri,
        /// What each request says besides.
        headers: OwnHeaders,
    },
    /// A URL that nothing may be sent to.
    Refused(Refusal),
}

/// The headers that are the same on each request to one endpoint, and other ones elsewhere. A map of all would be several times
/// as large, and there may be 100,000 of these.
pub struct OwnHeaders {
    host: Option<HeaderValue>,
    /// What its owner adds.
    added: Box<[(HeaderName, HeaderValue)]>,
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
        let uri: Uri = match uri {
            Ok(uri) => uri,
            Err(refusal) => return Self::Refused(refusal),
        };
        let is_https = uri.scheme_str() == Some("https");
        let authority = uri.authority();
        let headers = OwnHeaders {
            host: authority.and_then(|authority| client::host_header(authority, is_https)),
            added: endpoint.headers.iter().filter_map(added).collect(),
        };
        Self::Allowed { uri, headers }
    }
}

/// Both parts were checked when the endpoint was read; what is no HTTP header all the same is not sent.
fn added(header: &StaticHeader) -> Option<(HeaderName, HeaderValue)> {
    let name = header.name.parse().ok()?;
    let mut value = HeaderValue::try_from(&header.value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

impl OwnHeaders {
    /// These, and what all requests have, with room for what each attempt has of its own.
    fn to_map(&self) -> HeaderMap {
        // Content, sender, host; id, time, number and two signatures.
        let mut headers = HeaderMap::with_capacity(self.added.len() + 8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
        headers.insert(USER_AGENT, HeaderValue::from_static(SENDER));
        for (name, value) in &self.added {
            headers.append(name, value.clone());
        }
        headers.extend(self.host.clone().map(|host| (HOST, host)));
        headers
    }
}

/// The request of one attempt at `timestamp` (seconds since the epoch), signed with the keys that count then.
#[must_use]
pub fn build(
    uri: &Uri,
    headers: &OwnHeaders,
    format: Format,
    keys: &SigningKeys,
    delivery: &Delivery,
    timestamp: i64,
) -> Request<Full<Bytes>> {
    let event = &delivery.event;
    let body = envelope::body(format, event);
    let mut headers = headers.to_map();
    headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(timestamp));
    headers.insert(WEBHOOK_ATTEMPT, HeaderValue::from(delivery.attempt.get()));
    insert_text(&mut headers, WEBHOOK_ID, event.id.as_str());
    if let Some(signatures) = keys.standard(&event.id, timestamp, &body) {
        insert_text(&mut headers, WEBHOOK_SIGNATURE, &signatures);
    }
    if format == Format::Meeva {
        insert_text(&mut headers, MEEVA_SIGNATURE, &keys.meeva(&body));
    }
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers;
    request
}

/// Has the receiver go on with a trace, if there is one.
pub fn tell_trace(request: &mut Request<Full<Bytes>>, trace: &TraceContext) {
    let headers = request.headers_mut();
    for (name, value) in [
        (TRACEPARENT, trace.traceparent()),
        (TRACESTATE, trace.tracestate()),
    ] {
        if let Some(value) = value {
            insert_text(headers, name, value);
        }
    }
}

/// Ids and signatures are ASCII by construction, and a trace was checked.
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

/// The headers of the request that [`build`] makes, as the log may keep them: without signatures, and without the values of
/// the endpoint's own.
#[must_use]
pub fn recorded_headers<'a>(
    headers: &'a OwnHeaders,
    delivery: &'a Delivery,
    timestamp: i64,
) -> HeaderList<'a> {
    let OwnHeaders { host: _, added } = headers;
    let mut kept = Vec::with_capacity(added.len() + 5);
    kept.push(("content-type", CONTENT.into()));
    kept.push(("user-agent", SENDER.into()));
    kept.extend(added.iter().map(|(name, _)| (name.as_str(), "***".into())));
    kept.push((ID, delivery.event.id.as_str().into()));
    kept.push((TIMESTAMP, timestamp.to_string().into()));
    kept.push((ATTEMPT, delivery.attempt.to_string().into()));
    HeaderList(kept)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::borrow::Cow;

    use super::*;
    use hookline_common::delivery::{PassThrough, Unrouted};
    use hookline_common::endpoints_file::parse;
    use hookline_common::event::{CreatedAt, Data, Event};
    use hookline_common::ids::{CompanyId, EventId, EventType};
    use hookline_common::settings::Environment;

    const FILE: &str = r#"
        [[endpoint]]
        id = "ep_crm"
        company = "acme"
        url = "https://crm.example.com/hooks"
        secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
        headers = { "x-team" = "crm", "authorization" = "Bearer s3cret" }
    "#;

    #[test]
    fn every_url_that_the_guard_lets_pass_can_be_sent_to() {
        let mut sent = 0;
        for letter in (' '..='~').chain(['é', '日', '\u{ad}', '\u{fffd}']) {
            for url in [
                format!("https://example.com/a{letter}b"),
                format!("https://example.com/?a{letter}b"),
                format!("https://a{letter}b.example.com/"),
            ] {
                let mut endpoint = parse(FILE, Format::Meeva, &Environment).unwrap().remove(0);
                endpoint.url.clone_from(&url);
                if Policy::default().check_url(&url).is_ok() {
                    sent += 1;
                    let destination = Destination::new(&endpoint, &Policy::default());
                    assert!(matches!(destination, Destination::Allowed { .. }), "{url}");
                }
            }
        }
        assert!(sent > 150, "{sent}");
    }

    #[test]
    fn what_is_recorded_is_what_was_sent_without_signatures_and_static_values() {
        let endpoint = parse(FILE, Format::Meeva, &Environment).unwrap().remove(0);
        let Destination::Allowed { uri, headers } = Destination::new(&endpoint, &Policy::default()) else {
            panic!("the URL is allowed");
        };
        let event = Event {
            id: EventId::new(),
            company: CompanyId::parse("acme").unwrap(),
            event_type: EventType::parse("booking.created").unwrap(),
            created_at: CreatedAt::from_seconds(1_700_000_000).unwrap(),
            data: Data::new(Bytes::from_static(b"{}")).unwrap(),
            trace: TraceContext::default(),
        };
        let unrouted = Unrouted {
            event,
            pass_through: PassThrough::default(),
        };
        let delivery = Delivery::first(unrouted, endpoint.id.clone());
        let request = build(
            &uri,
            &headers,
            endpoint.format,
            &endpoint.keys,
            &delivery,
            1_700_000_001,
        );
        let mut recorded = recorded_headers(&headers, &delivery, 1_700_000_001).0;
        recorded.sort();
        let mut sent: Vec<(&str, Cow<'_, str>)> = request
            .headers()
            .iter()
            .filter(|(name, _)| ![HOST, WEBHOOK_SIGNATURE, MEEVA_SIGNATURE].contains(name))
            .map(|(name, value)| match value.is_sensitive() {
                true => (name.as_str(), "***".into()),
                false => (name.as_str(), value.to_str().unwrap().into()),
            })
            .collect();
        sent.sort();
        assert_eq!(recorded, sent);
        assert_eq!(sent.iter().filter(|(_, value)| value == "***").count(), 2);
    }
}
