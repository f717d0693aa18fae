//! What is sent: the dispatcher's own request, or one that is forged; and what came back.

use std::time::Duration;

use bytes::Bytes;
use hookline_common::delivery::{Delivery, Origin, PassThrough};
use hookline_common::endpoint::{Endpoint, EventFilter, Format};
use hookline_common::envelope;
use hookline_common::event::Event;
use hookline_common::guard::{Policy, Refusal};
use hookline_common::ids::{AttemptNo, CompanyId, EndpointId, InvalidId};
use hookline_common::outcome::Outcome;
use hookline_common::secret::Secret;
use hookline_common::signature::SigningKeys;
use hookline_outbound::client::{Client, SendError, Shortage};
use hookline_outbound::request::{self, Destination, MEEVA_SIGNATURE, OwnHeaders, WEBHOOK_SIGNATURE};
use http_body_util::Full;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Uri};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::partner::Partner;
use crate::report::Exchange;

/// How much of an answer's body is kept, in characters.
const RESPONSE_CHARS: usize = 200;

/// How a request is signed.
#[derive(Debug, Clone)]
pub(crate) enum Signed {
    /// As the dispatcher does.
    Rightly,
    /// With a secret that nobody has.
    ByAnother,
    /// Rightly by Meeva's scheme, and with another secret by Standard Webhooks.
    RightlyByMeevaAlone,
    /// Rightly, but over these bytes and not over those that are sent.
    Over(Bytes),
    /// Not at all.
    Not,
}

/// What is to be sent.
pub(crate) struct Sending {
    /// In a few words.
    pub(crate) sent: &'static str,
    pub(crate) event: Event,
    pub(crate) attempt: AttemptNo,
    /// How long ago it says it was sent.
    pub(crate) age: Duration,
    pub(crate) signed: Signed,
}

impl Sending {
    /// A first attempt, as the dispatcher makes it.
    pub(crate) fn of(sent: &'static str, event: Event) -> Self {
        Self {
            sent,
            event,
            attempt: AttemptNo::FIRST,
            age: Duration::ZERO,
            signed: Signed::Rightly,
        }
    }

    /// The same, signed otherwise.
    pub(crate) fn signed(self, signed: Signed) -> Self {
        Self { signed, ..self }
    }
}

/// Writes requests to one endpoint.
pub(crate) struct Writer {
    endpoint: Endpoint,
    uri: Uri,
    headers: OwnHeaders,
    /// Keys of a secret that is made for this run and told nobody.
    others: SigningKeys,
}

/// Why nothing can be written.
pub(crate) enum Unwritable {
    Refused(Refusal),
    Id(InvalidId),
}

impl Writer {
    pub(crate) fn new(partner: &Partner, others: &Secret) -> Result<Self, Unwritable> {
        let endpoint = Endpoint {
            id: EndpointId::parse("certify").map_err(Unwritable::Id)?,
            company: CompanyId::parse("certify").map_err(Unwritable::Id)?,
            url: partner.url.clone(),
            format: partner.format,
            events: EventFilter::default(),
            headers: partner.headers.clone(),
            rate: None,
            disabled: false,
            keys: partner
                .keys
                .clone()
                .unwrap_or_else(|| SigningKeys::new(others, None)),
        };
        let policy: &Policy = &partner.policy;
        match Destination::new(&endpoint, policy) {
            Destination::Refused(refusal) => Err(Unwritable::Refused(refusal)),
            Destination::Allowed { uri, headers } => Ok(Self {
                endpoint,
                uri,
                headers,
                others: SigningKeys::new(others, None),
            }),
        }
    }

    /// Whether its requests carry `webhook-signature`, which covers the time.
    pub(crate) fn signs_time(&self, event: &Event) -> bool {
        self.endpoint.keys.standard(&event.id, 0, b"").is_some()
    }

    /// Whether its requests carry any signature.
    pub(crate) fn signs(&self, event: &Event) -> bool {
        self.endpoint.format == Format::Meeva || self.signs_time(event)
    }

    pub(crate) fn body(&self, event: &Event) -> Bytes {
        envelope::body(self.endpoint.format, event)
    }

    fn write(&self, sending: &Sending, timestamp: i64) -> Request<Full<Bytes>> {
        let Endpoint { format, keys, id, .. } = &self.endpoint;
        let delivery = Delivery {
            event: sending.event.clone(),
            endpoint: id.clone(),
            attempt: sending.attempt,
            origin: Origin::Event,
            pass_through: PassThrough::default(),
        };
        let mut request = request::build(&self.uri, &self.headers, *format, keys, &delivery, timestamp);
        let id = &sending.event.id;
        let (standard, meeva) = match &sending.signed {
            Signed::Rightly => return request,
            Signed::Not => {
                request.headers_mut().remove(WEBHOOK_SIGNATURE);
                request.headers_mut().remove(MEEVA_SIGNATURE);
                return request;
            }
            Signed::ByAnother => {
                let body = self.body(&sending.event);
                (
                    self.others.standard(id, timestamp, &body),
                    Some(self.others.meeva(&body)),
                )
            }
            Signed::RightlyByMeevaAlone => {
                let body = self.body(&sending.event);
                (self.others.standard(id, timestamp, &body), None)
            }
            Signed::Over(bytes) => (keys.standard(id, timestamp, bytes), Some(keys.meeva(bytes))),
        };
        let replaced = [(WEBHOOK_SIGNATURE, standard), (MEEVA_SIGNATURE, meeva)];
        for (name, value) in replaced {
            replace(&mut request, &name, value);
        }
        request
    }

    /// Sends it, and tells what came of it.
    ///
    /// # Errors
    /// [`Shortage`] when this process lacks what a request takes.
    pub(crate) async fn send(
        &self,
        client: &Client,
        sending: &Sending,
    ) -> Result<(Exchange, Option<Refusal>), Shortage> {
        let seconds = i64::try_from(sending.age.as_secs()).unwrap_or_default();
        let timestamp = Timestamp::now().as_second() - seconds;
        let request = self.write(sending, timestamp);
        let bytes = self.body(&sending.event).len();
        let since = Instant::now();
        let answer = client.send(request).await;
        let duration_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut refusal = None;
        let (outcome, status, error, response) = match answer {
            Ok(answer) => {
                let outcome = if answer.status.is_success() {
                    Outcome::Delivered
                } else {
                    Outcome::HttpStatus
                };
                let body = String::from_utf8_lossy(&answer.body);
                let response = body.chars().take(RESPONSE_CHARS).collect();
                (outcome, Some(answer.status.as_u16()), None, response)
            }
            Err(SendError::Failed(failed)) => {
                refusal = failed.refusal;
                (failed.outcome, None, Some(failed.text), String::new())
            }
            Err(SendError::Shortage(shortage)) => return Err(shortage),
        };
        let exchange = Exchange {
            sent: sending.sent.to_owned(),
            event: sending.event.id.to_string(),
            event_type: self
                .endpoint
                .format
                .own_name(&sending.event.event_type)
                .into_owned(),
            attempt: sending.attempt.get(),
            timestamp,
            bytes,
            outcome,
            status,
            error,
            response,
            duration_ms,
        };
        Ok((exchange, refusal))
    }
}

/// Another value for a header that is there; none is added.
fn replace(request: &mut Request<Full<Bytes>>, name: &HeaderName, value: Option<String>) {
    let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) else {
        return;
    };
    let headers = request.headers_mut();
    if headers.contains_key(name) {
        headers.insert(name, value);
    }
}
