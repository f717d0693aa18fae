#![allow(clippy::unwrap_used)]
use super::*;

fn event() -> Event {
    Event::new("acme", "booking.created", "{}").unwrap()
}

#[test]
fn only_what_was_sent_and_not_answered_may_be_stored() {
    let event = event();
    let silent = || {
        Arc::new(BrokerError::NoAnswer {
            what: "publishing",
            seconds: 10,
        })
    };
    let unroutable = |maybe_stored| PublishFault::Unroutable {
        maybe_stored,
        exchange: "hookline.events".into(),
        routing_key: "booking.created".into(),
    };
    for (fault, expected) in [
        (
            PublishFault::Late {
                maybe_stored: true,
                last: Some(silent()),
            },
            true,
        ),
        (
            PublishFault::Late {
                maybe_stored: false,
                last: None,
            },
            false,
        ),
        (
            PublishFault::Final {
                maybe_stored: true,
                error: silent(),
            },
            true,
        ),
        (
            PublishFault::Final {
                maybe_stored: false,
                error: silent(),
            },
            false,
        ),
        (unroutable(true), true),
        (unroutable(false), false),
    ] {
        let error = PublishError::new(fault, &event, Duration::from_secs(30));
        assert_eq!(error.may_be_stored(), expected, "{error}");
        assert_eq!(error.event(), &event.id);
        assert!(error.to_string().contains(event.id.as_str()), "{error}");
    }
}

#[test]
fn a_refusal_is_told_in_the_brokers_words_with_what_to_do() {
    let text = "ACCESS_REFUSED - access to exchange 'hookline.events' in vhost '/' refused for user 'shop'";
    for (maybe_stored, known) in [(false, "is not stored"), (true, "may or may not be stored")] {
        let fault = PublishFault::Refused {
            maybe_stored,
            refusal: refusal(403, text),
        };
        let error = PublishError::new(fault, &event(), Duration::from_secs(1));
        assert_eq!(error.may_be_stored(), maybe_stored);
        for part in ["403", text, known, "set_permissions"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn an_alarm_is_named_with_what_to_do() {
    let reason = "low on memory".to_owned();
    let fault = PublishFault::Late {
        maybe_stored: false,
        last: Some(Arc::new(BrokerError::Alarm { reason })),
    };
    let error = PublishError::new(fault, &event(), Duration::from_secs(30)).to_string();
    assert!(
        error.contains("low on memory") && error.contains("rabbitmq-diagnostics alarms"),
        "{error}"
    );
}

#[test]
fn a_mismatch_on_the_broker_is_no_unreachable_broker() {
    let url = BrokerUrl::parse("amqp://guest:s3cret@localhost").unwrap();
    let found = Discrepancy {
        object: "queue \"hookline.events\"".into(),
        kind: hookline_common::broker::DiscrepancyKind::Other("durable".into()),
    };
    let error = Arc::new(BrokerError::Mismatch(found.clone()));
    let fault = PublishFault::Final {
        maybe_stored: false,
        error,
    };
    assert!(matches!(ConnectError::new(fault, &url), ConnectError::Topology(it) if it == found));
    let away = ConnectError::new(
        PublishFault::Late {
            maybe_stored: false,
            last: None,
        },
        &url,
    );
    assert!(matches!(away, ConnectError::Unreachable { .. }) && !away.to_string().contains("s3cret"));
}
