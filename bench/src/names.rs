//! What everyone in a run calls things by: events, companies, endpoints, their hosts and their secrets. All of it can be
//! worked out from numbers, so that generator, subject and sink need not tell each other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Receivers have hosts of their own, as in the world outside: connections are pooled by host.
pub(crate) const HOSTS: u32 = 100;

/// The endpoint that floors post to. They know nothing of companies.
pub(crate) const FLOOR_ENDPOINT: &str = "floor-0";

/// The id of event `number` of publishing `run`.
pub(crate) fn event_id(run: u32, number: u32) -> String {
    format!("evt_{run:016x}{number:016x}")
}

/// Run and number of an event.
pub(crate) fn parse_event_id(id: &str) -> Option<(u32, u32)> {
    let (run, number) = id.strip_prefix("evt_")?.split_at_checked(16)?;
    let hex = |text| u32::from_str_radix(text, 16).ok();
    Some((hex(run)?, hex(number)?))
}

/// The trace of event `number` of publishing `run`, as its publisher's span hands it on.
pub(crate) fn traceparent(run: u32, number: u32, is_collected: bool) -> String {
    let (trace, span) = (u64::from(run) + 1, u64::from(number) + 1);
    format!(
        "00-{trace:016x}{span:016x}-{span:016x}-{:02x}",
        u8::from(is_collected)
    )
}

/// A company.
pub(crate) fn company(number: u32) -> String {
    format!("c{number}")
}

/// One of a company's endpoints, counted from 0.
pub(crate) fn endpoint(company: u32, nth: u32) -> String {
    format!("c{company}-{nth}")
}

/// Which of its company's endpoints this one is.
pub(crate) fn nth_of(endpoint: &str) -> Option<u32> {
    endpoint.rsplit_once('-')?.1.parse().ok()
}

/// The loopback address that plays the host of a company's receivers.
pub(crate) fn host(company: u32) -> String {
    format!("127.0.1.{}", company % HOSTS + 1)
}

/// The one that plays a host where many companies have their endpoints. Where there are fewer companies than hosts, nobody
/// else is there.
pub(crate) fn shared_host() -> String {
    host(HOSTS - 1)
}

/// An endpoint's signing secret.
pub(crate) fn secret(endpoint: &str) -> String {
    format!("whsec_{}", STANDARD.encode(Sha256::digest(endpoint.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookline_common::ids::{CompanyId, EndpointId, EventId};
    use hookline_common::secret::Secret;
    use hookline_common::trace_context::TraceContext;

    #[test]
    fn an_event_id_tells_its_run_and_number() {
        let id = event_id(7, 39_999);
        assert!(EventId::parse(&id).is_ok());
        assert_eq!(parse_event_id(&id), Some((7, 39_999)));
        assert_eq!(parse_event_id("evt_7"), None);
        assert_eq!(parse_event_id("018f"), None);
    }

    #[test]
    fn a_trace_is_one_that_the_product_takes_and_collected_as_it_says() {
        for is_collected in [false, true] {
            let parent = traceparent(0, 0, is_collected);
            let trace = TraceContext::from_headers(Some(&parent), None);
            assert_eq!((trace.is_empty(), trace.is_sampled()), (false, is_collected));
        }
    }

    #[test]
    fn names_are_ones_that_the_product_takes() {
        assert!(CompanyId::parse(&company(9999)).is_ok());
        assert!(EndpointId::parse(&endpoint(9999, 3)).is_ok());
        assert!(Secret::parse(&secret("c1-0")).is_ok_and(|secret| secret.standard_key().is_some()));
        assert_eq!(nth_of(&endpoint(12, 3)), Some(3));
        assert_eq!(nth_of(FLOOR_ENDPOINT), Some(0));
    }
}
