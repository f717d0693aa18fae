//! Data that anybody publishes, and the request body around it: what is taken is JSON, what is sent is JSON, and the data stands
//! in it byte for byte.

use std::collections::BTreeMap;

use hookline_cases::{Mutations, Random, lines, mutated, run};
use hookline_common::endpoint::Format;
use hookline_common::envelope::body;
use hookline_common::event::{CreatedAt, Data, Event};
use hookline_common::ids::{CompanyId, EventId, EventType};
use hookline_common::trace_context::TraceContext;
use serde::de::IgnoredAny;

use crate::json;

const CORPUS: &str = include_str!("corpus/data.txt");
const WORDS: [&str; 18] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\u0054",
    "\\ud800",
    "webhookType",
    "\"webhookType\":",
    "null",
    "1e5",
    "-0",
    "0.",
    "\\\"",
    "{}",
    "\"a\":1",
];
/// What the widest envelope adds to data.
const MOST_AROUND: usize = 512;

#[test]
fn fuzz_every_body_is_json_and_holds_data_byte_for_byte() {
    let corpus = lines(CORPUS);
    run("envelopes", 4_000, &["taken", "refused"], |random| {
        let text = if random.one_in(2) {
            json::object(random)
        } else {
            mutated(
                random,
                &corpus,
                Mutations {
                    words: &WORDS,
                    max_bytes: 2_000,
                },
            )
        };
        let is_object = text.trim_ascii_start().starts_with('{') && json::is_json(text.as_bytes());
        let Ok(data) = Data::new(text.clone()) else {
            assert!(
                !is_object || text.len() > Data::MAX_BYTES,
                "an object was refused: {text:?}"
            );
            return "refused";
        };
        assert!(is_object, "no object, and taken: {text:?}");
        assert_eq!(data.as_bytes(), text.as_bytes());
        let event = event(random, data);
        for format in Format::ALL {
            check(format, &event, &text);
        }
        "taken"
    });
}

fn check(format: Format, event: &Event, data: &str) {
    let bytes = body(format, event);
    let told = || format!("{format}: {data:?} became {:?}", String::from_utf8_lossy(&bytes));
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(json::is_json(&bytes), "no JSON: {}", told());
    assert!(
        bytes.len() <= data.len() + MOST_AROUND,
        "longer than it may be: {}",
        told()
    );
    if format == Format::MeetergoFlat {
        check_flat(event, text, data);
        return;
    }
    let head = text
        .strip_suffix('}')
        .and_then(|text| text.strip_suffix(data))
        .unwrap_or_else(|| panic!("{}", told()));
    assert!(head.ends_with("\"data\":"), "{}", told());
    // What stands before it has no part of data: it is an object of its own where nothing follows.
    let head = format!("{head}null}}");
    let members: BTreeMap<String, serde_json::Value> = serde_json::from_str(&head).unwrap();
    let own_name = format.own_name(&event.event_type);
    let says = |name: &str| members.get(name).and_then(serde_json::Value::as_str);
    let (id, at) = (event.id.to_string(), event.created_at.to_string());
    let wanted = match format {
        Format::Meeva => vec![("id", id.as_str()), ("type", &own_name), ("createdAt", &at)],
        Format::Meetergo => vec![("event", &*own_name)],
        Format::Standard | Format::MeetergoFlat => vec![("type", &*own_name), ("timestamp", &at)],
    };
    assert_eq!(members.len(), wanted.len() + 1, "{}", told());
    for (name, value) in wanted {
        assert_eq!(says(name), Some(value), "{name}: {}", told());
    }
}

/// The members of data stand there as they came, and ours is the one that a parser finds.
fn check_flat(event: &Event, text: &str, data: &str) {
    let members = data.trim_ascii();
    let members = &members[1..members.len() - 1];
    assert!(text.contains(members), "{data:?} became {text:?}");
    let ours = format!(
        "\"webhookType\":\"{}\"",
        Format::MeetergoFlat.own_name(&event.event_type)
    );
    let around = text.len() - members.len();
    assert!(
        around == ours.len() + 2 || around == ours.len() + 3,
        "{data:?} became {text:?}"
    );
    // Parsers take the last of a name. Half a surrogate pair is none that a text can hold, so names are compared as they stand.
    let Ok(read) = serde_json::from_str::<Names>(text) else {
        return;
    };
    let own = read.0.iter().rev().find(|(name, _)| name == "webhookType");
    let own_name = Format::MeetergoFlat.own_name(&event.event_type);
    assert_eq!(
        own.and_then(|(_, value)| value.as_deref()),
        Some(&*own_name),
        "{data:?} became {text:?}"
    );
}

/// The members of an object in their order, each with its value where that is a text.
struct Names(Vec<(String, Option<String>)>);

impl<'de> serde::Deserialize<'de> for Names {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Names;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut members: A) -> Result<Names, A::Error> {
                let mut found = Vec::new();
                while let Some(name) = members.next_key::<String>()? {
                    let value = if name == "webhookType" {
                        let raw: Box<serde_json::value::RawValue> = members.next_value()?;
                        serde_json::from_str(raw.get()).ok()
                    } else {
                        members.next_value::<IgnoredAny>()?;
                        None
                    };
                    found.push((name, value));
                }
                Ok(Names(found))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// An event with these data, and the rest as short and as long as it may be.
fn event(random: &mut Random, data: Data) -> Event {
    let longest = "x".repeat(64);
    let id = random.pick(&["e", "evt_0190f", "A-Z_9", &longest]);
    let longest = "x.".repeat(64);
    let types = [
        "a",
        "booking.created",
        "form.submitted",
        "own_type.of_a.platform",
        &longest[..127],
    ];
    let event_type = random.pick(&types);
    let seconds = random.below(253_402_207_199) as u64;
    Event {
        id: EventId::parse(id).unwrap(),
        company: CompanyId::parse("acme").unwrap(),
        event_type: EventType::parse(event_type).unwrap(),
        created_at: CreatedAt::from_seconds(seconds).unwrap(),
        data,
        trace: TraceContext::default(),
    }
}
