//! Where a list of deliveries goes on: behind a delivery, by when it was made and whose it is.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookline_common::ids::{EndpointId, EventId};
use jiff::Timestamp;

use super::model::LoggedDelivery;

/// A place in a company's list of deliveries. It stays where it is whatever is added before or behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryCursor {
    pub(super) created_at: Timestamp,
    pub(super) event: EventId,
    pub(super) endpoint: EndpointId,
}

impl DeliveryCursor {
    /// Behind this delivery.
    pub(super) fn behind(delivery: &LoggedDelivery) -> Self {
        Self {
            created_at: delivery.created_at,
            event: delivery.event.clone(),
            endpoint: delivery.endpoint.clone(),
        }
    }

    /// Reads what its `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix('d')?).ok()?;
        let plain = String::from_utf8(bytes).ok()?;
        // The id of an event holds no dot; that of an endpoint may.
        let (micros, rest) = plain.split_once('.')?;
        let (event, endpoint) = rest.split_once('.')?;
        let read = Self {
            created_at: Timestamp::from_microsecond(micros.parse().ok()?).ok()?,
            event: EventId::parse(event).ok()?,
            endpoint: EndpointId::parse(endpoint).ok()?,
        };
        // Written in one way only.
        (read.to_string() == text).then_some(read)
    }
}

impl fmt::Display for DeliveryCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            created_at,
            event,
            endpoint,
        } = self;
        let plain = format!("{}.{event}.{endpoint}", created_at.as_microsecond());
        write!(f, "d{}", URL_SAFE_NO_PAD.encode(plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is() {
        let cursor = DeliveryCursor {
            created_at: "2030-01-15T14:30:00.123456Z".parse().unwrap(),
            event: EventId::parse("evt_1-a").unwrap(),
            endpoint: EndpointId::parse("ep.with.dots").unwrap(),
        };
        let text = cursor.to_string();
        assert_eq!(DeliveryCursor::parse(&text), Some(cursor));
        let of = |plain: &str| format!("d{}", URL_SAFE_NO_PAD.encode(plain));
        for bad in [
            String::new(),
            "d".to_owned(),
            "c1f".to_owned(),
            "e1f".to_owned(),
            text.to_uppercase(),
            format!("{text}="),
            text[1..].to_owned(),
            text[..text.len() - 2].to_owned(),
            of("1.evt"),
            of("+1.evt.ep"),
            of("01.evt.ep"),
            of("99999999999999999999.evt.ep"),
            of("9223372036854775807.evt.ep"),
            of("1.evt.."),
            of("1.ev\0t.ep"),
            of("1..ep"),
        ] {
            // Cut short it may be a cursor of another endpoint, and is none of ours then.
            let read = DeliveryCursor::parse(&bad).filter(|read| read.endpoint.as_str() == "ep.with.dots");
            assert_eq!(read, None, "{bad:?}");
        }
    }
}
