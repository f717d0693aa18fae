//! Formats and their names, patterns and filters.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::secret::Secret;

fn event_type(text: &str) -> EventType {
    EventType::parse(text).unwrap()
}

fn pattern(text: &str) -> EventPattern {
    EventPattern::parse(text).unwrap()
}

fn filter(patterns: &[&str]) -> EventFilter {
    EventFilter::new(patterns.iter().map(|text| pattern(text)).collect())
}

#[test]
fn formats_are_read_and_printed_by_their_names() {
    for (format, name) in Format::ALL
        .into_iter()
        .zip(["meeva", "meetergo", "meetergo-flat", "standard"])
    {
        assert_eq!(format.to_string(), name);
        assert_eq!(name.parse(), Ok(format));
    }
    for bad in ["", "Meeva", "meetergo_flat", "standard ", "cloudevents"] {
        assert_eq!(bad.parse::<Format>(), Err(InvalidFormat), "{bad}");
    }
    assert_eq!(Format::default(), Format::Meeva);
}

#[test]
fn only_the_meetergo_formats_have_names_of_their_own() {
    let names = [
        ("booking.created", "booking_created"),
        ("booking.cancelled", "booking_cancelled"),
        ("booking.rescheduled", "booking_rescheduled"),
        ("employee.created", "new_employee"),
        ("form.submitted", "form_submission"),
        ("employee.created.x", "employee_created_x"),
        ("a.b_c.d", "a_b_c_d"),
        ("plain", "plain"),
    ];
    for (dotted, own) in names {
        let dotted = event_type(dotted);
        for format in [Format::Meetergo, Format::MeetergoFlat] {
            assert_eq!(format.own_name(&dotted), own);
        }
        for format in [Format::Meeva, Format::Standard] {
            assert_eq!(format.own_name(&dotted), dotted.as_str());
        }
    }
}

#[test]
fn patterns_are_words_and_lone_stars_joined_by_dots() {
    for good in [
        "*",
        "booking",
        "booking.*",
        "*.created",
        "a.*.b.*",
        "*.*",
        "new_employee",
        "9",
        &"x".repeat(128),
    ] {
        assert_eq!(pattern(good).to_string(), good);
    }
    let too_long = "x".repeat(129);
    let bad = [
        "", ".", "a.", ".a", "a..b", "**", "book*", "*ing", "Booking", "a-b", "a b", "a.**", "#", "é", "a\n",
    ];
    for text in bad.into_iter().chain([too_long.as_str()]) {
        assert_eq!(EventPattern::parse(text), Err(InvalidPattern), "{text}");
    }
}

#[test]
fn a_star_stands_for_one_or_more_whole_words() {
    let cases = [
        ("booking.created", "booking.created", true),
        ("booking.created", "booking.create", false),
        ("booking.created", "booking.created.late", false),
        ("booking.*", "booking.created", true),
        ("booking.*", "booking.created.late", true),
        ("booking.*", "booking", false),
        ("booking.*", "bookings.created", false),
        ("*", "a", true),
        ("*", "a.b.c", true),
        ("*.*", "a", false),
        ("*.*", "a.b", true),
        ("*.created", "booking.created", true),
        ("*.created", "a.b.created", true),
        ("*.created", "created", false),
        ("*.created", "created.created", true),
        ("a.*.z", "a.z", false),
        ("a.*.z", "a.b.z", true),
        ("a.*.z", "a.z.z.z", true),
        ("a.*.z", "a.b.z.c", false),
        ("*.b.*", "a.b.c", true),
        ("*.b.*", "b.b.b", true),
        ("*.b.*", "b.b", false),
        ("*.b.*.b", "a.b.b.b", true),
    ];
    for (text, name, expected) in cases {
        assert_eq!(pattern(text).matches(name), expected, "{text} on {name}");
    }
}

#[test]
fn many_stars_cost_no_more_than_few() {
    let stars = ["*"; 31].join(".") + ".*.b";
    let words = ["a"; 64].join(".");
    for _ in 0..1000 {
        assert!(!pattern(&stars).matches(&words));
    }
}

#[test]
fn a_filter_without_patterns_lets_all_through_and_others_what_one_pattern_matches() {
    let created = event_type("booking.created");
    for format in Format::ALL {
        assert!(EventFilter::default().matches(format, &created));
        assert!(filter(&["employee.*", "booking.*"]).matches(format, &created));
        assert!(!filter(&["employee.*", "booking.cancelled"]).matches(format, &created));
    }
}

#[test]
fn the_names_of_the_meetergo_formats_match_there_and_only_there() {
    for (name, dotted) in [
        ("booking_created", "booking.created"),
        ("new_employee", "employee.created"),
        ("form_submission", "form.submitted"),
    ] {
        for format in Format::ALL {
            let is_meetergo = matches!(format, Format::Meetergo | Format::MeetergoFlat);
            assert_eq!(
                filter(&[name]).matches(format, &event_type(dotted)),
                is_meetergo,
                "{name} {format}"
            );
            assert!(filter(&[dotted]).matches(format, &event_type(dotted)));
        }
    }
    assert!(!filter(&["employee_created"]).matches(Format::Meetergo, &event_type("employee.created")));
}

#[test]
fn debug_shows_neither_url_nor_header_values_nor_keys() {
    let endpoint = Endpoint {
        id: EndpointId::parse("ep_crm").unwrap(),
        company: CompanyId::parse("acme").unwrap(),
        url: "https://crm.example.com/?token=MARKER".to_owned(),
        format: Format::Meeva,
        events: EventFilter::default(),
        headers: vec![StaticHeader {
            name: "authorization".to_owned(),
            value: "MARKER".to_owned(),
        }],
        rate: None,
        disabled: false,
        keys: SigningKeys::new(&Secret::parse("MARKERMARKERMARKER").unwrap(), None),
    };
    let printed = format!("{endpoint:?} {:?} {:?}", endpoint.headers, endpoint.keys);
    assert!(!printed.contains("MARKER"), "{printed}");
    assert!(printed.contains("ep_crm"));
    assert!(endpoint.wants(&event_type("booking.created")));
}

/// The plain recursive reading of the grammar, to hold the loop against.
fn matches_by_definition(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern, words) {
        ([], []) => true,
        (["*", after @ ..], [_, rest @ ..]) => {
            (0..=rest.len()).any(|more| matches_by_definition(after, &rest[more..]))
        }
        ([wanted, after @ ..], [word, rest @ ..]) => wanted == word && matches_by_definition(after, rest),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn matching_agrees_with_the_definition(text in "[ab*](\\.[ab*]){0,6}", name in "[ab](\\.[ab]){0,7}") {
        let parts: Vec<&str> = text.split('.').collect();
        let words: Vec<&str> = name.split('.').collect();
        prop_assert_eq!(pattern(&text).matches(&name), matches_by_definition(&parts, &words));
    }

    #[test]
    fn every_event_type_is_a_pattern_that_matches_itself(name in "[a-z0-9_]{1,9}(\\.[a-z0-9_]{1,9}){0,5}") {
        prop_assert!(pattern(&name).matches(&name));
    }
}

#[test]
fn events_of_our_own_go_only_where_their_type_is_named() {
    let disabled = EventType::parse(EventType::ENDPOINT_DISABLED).unwrap();
    let matches = |format: Format, patterns: &[&str]| {
        let patterns = patterns.iter().map(|text| EventPattern::parse(text).unwrap());
        EventFilter::new(patterns.collect()).matches(format, &disabled)
    };
    for format in Format::ALL {
        for patterns in [
            &[][..],
            &["*"],
            &["endpoint.*"],
            &["*.disabled"],
            &["*.*"],
            &["booking.*", "endpoint.created"],
        ] {
            assert!(!matches(format, patterns), "{format} {patterns:?}");
        }
        assert!(matches(format, &["booking.*", "endpoint.disabled"]), "{format}");
        assert_eq!(
            matches(format, &["endpoint_disabled"]),
            matches!(format, Format::Meetergo | Format::MeetergoFlat),
            "{format}"
        );
    }
    // What is called nearly so is a platform's own.
    let other = EventType::parse("endpoint.disabled.twice").unwrap();
    assert!(EventFilter::default().matches(Format::Meeva, &other));
}
