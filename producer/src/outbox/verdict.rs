//! Whether an event can ever be published, going by what the broker said to it.

use crate::error::PublishError;

/// AMQP's codes for what is wrong with a message itself, so that sending it again changes nothing: too large (311, 406), or not
/// to be read (501, 502).
const OF_THE_MESSAGE: [u16; 4] = [311, 406, 501, 502];
/// AMQP's code for what the account may not do.
const ACCESS_REFUSED: u16 = 403;

/// Why the broker will never take this event, or nothing where another try may succeed. What is wrong with the account, the
/// exchange or the broker concerns every event: setting those aside would empty the outbox for a mistake that somebody mends in
/// a minute. Nor does it count how often an event has failed, and how many others were stored meanwhile: a queue that is full,
/// and a cluster that has barely a majority, take some and not others, and whichever is not taken must keep its place.
pub(super) fn never(error: &PublishError) -> Option<String> {
    match error {
        PublishError::Refused { code, text, .. }
            if OF_THE_MESSAGE.contains(code) || is_about_the_type(*code, text) =>
        {
            Some(format!("the broker refuses it: {code} {text}"))
        }
        _ => None,
    }
}

/// Rights may be given for single types of events (topic permissions), and the answer names one then.
fn is_about_the_type(code: u16, text: &str) -> bool {
    code == ACCESS_REFUSED && text.contains("access to topic")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use hookline_common::ids::EventId;

    use super::*;

    #[test]
    fn only_what_is_wrong_with_this_event_sets_it_aside() {
        let refused = |code, text: &str| {
            never(&PublishError::Refused {
                event: EventId::default(),
                maybe_stored: false,
                code,
                text: text.into(),
            })
        };
        assert!(
            refused(406, "message size 3 is larger than 1")
                .unwrap()
                .contains("larger")
        );
        assert!(refused(311, "CONTENT_TOO_LARGE").is_some());
        assert!(refused(403, "access to topic 'a.b' in exchange 'x' refused").is_some());
        assert_eq!(
            refused(403, "access to exchange 'hookline.events' in vhost '/' refused"),
            None
        );
        assert_eq!(refused(404, "no exchange"), None);
        let (event, waited) = (EventId::default(), Duration::ZERO);
        for for_now in [
            PublishError::NotStored {
                event: event.clone(),
                waited,
                cause: None,
            },
            PublishError::Unconfirmed {
                event: event.clone(),
                waited,
                cause: None,
            },
            PublishError::Busy {
                event: event.clone(),
                waited,
            },
            PublishError::Unroutable {
                event,
                maybe_stored: false,
                exchange: "hookline.events".into(),
            },
        ] {
            assert_eq!(never(&for_now), None, "{for_now}");
        }
    }
}
