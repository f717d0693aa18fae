//! Files of own types: what they may say, and how they are refused.

#![allow(clippy::unwrap_used)]
use super::*;

const INVOICE: &str = r#"
[[event_type]]
name = "invoice.paid"
description = "An invoice was paid."
schema = '''
{ "type": "object", "required": ["invoice"], "properties": { "invoice": { "type": "object" } } }
'''
sample = '{ "invoice": { "id": "inv_1", "total": 49.00 } }'
"#;

fn told(text: &str) -> Vec<String> {
    parse(text).unwrap_err().told().collect()
}

#[test]
fn a_type_is_read_from_json_text_and_from_tables() {
    let tables = r#"
[[event_type]]
name = "room.cleaned"
description = "A room is ready again."
[event_type.schema]
type = "object"
required = ["room"]
properties.room = { type = "string", minLength = 1 }
properties.at = { type = "string", format = "date-time" }
[event_type.sample]
room = "12"
at = 2031-05-14T09:00:00Z
"#;
    let types = parse(&format!("{INVOICE}{tables}")).unwrap();
    let shown: Vec<(&str, &str, bool)> = types
        .iter()
        .map(|info| (info.name.as_str(), info.sample.as_str(), info.own))
        .collect();
    assert_eq!(
        shown,
        [
            (
                "invoice.paid",
                r#"{"invoice":{"id":"inv_1","total":49.00}}"#,
                true
            ),
            (
                "room.cleaned",
                r#"{"room":"12","at":"2031-05-14T09:00:00Z"}"#,
                true
            ),
        ]
    );
    assert!(
        types[1]
            .schema
            .as_str()
            .starts_with(r#"{"type":"object","required":["room"],"properties":{"room""#)
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let text = r#"
colour = "red"
[[event_type]]
name = "Invoice Paid"
schema = '{"type":"objekt"}'
sample = '{}'
extra = 1
[[event_type]]
name = "a.b"
description = ""
schema = 5
sample = '{"a":'
[[event_type]]
name = "a.b"
description = "Twice."
schema = '{"required":["x"]}'
sample = '{}'
[[event_type]]
name = "a.c"
description = 7
schema = { type = "array" }
sample = '[]'
"#;
    let told = told(text);
    let begin = [
        "line 2: colour: this key is not known",
        "line 3: event type #1: description: is missing",
        "line 4: event type #1: name: an event type must be lower-case words",
        "line 5: event type #1: schema: it is no JSON Schema (2020-12)",
        "line 7: event type #1: extra: this key is not known; allowed are name, description, schema, sample",
        "line 10: event type a.b: description: it must be 1 to 1000 characters",
        "line 11: event type a.b: schema: it must be JSON in quotes",
        "line 12: event type a.b: sample: this is not valid JSON",
        "line 14: event type a.b: name: line 9 has the same name",
        "line 17: event type a.b: sample: its schema does not allow it: at /: ",
        "line 20: event type a.c: description: it must be text in quotes, and is of type integer",
        "line 22: event type a.c: sample: data must be one JSON object",
    ];
    assert_eq!(told.len(), begin.len(), "{told:#?}");
    for (told, begin) in told.iter().zip(begin) {
        assert!(told.starts_with(begin), "{told}\n  does not begin with\n{begin}");
    }
}

#[test]
fn what_is_no_file_of_types_is_refused() {
    for (bad, part) in [
        ("", "it holds no [[event_type]]"),
        ("[[event_type]", "this is not TOML"),
        ("event_type = 1", "write it as [[event_type]]"),
        ("event_type = [1]", "an event type must be a table"),
        ("[event_type]\nname = \"a\"", "write it as [[event_type]]"),
    ] {
        let told = told(bad);
        assert!(told.iter().any(|told| told.contains(part)), "{bad}: {told:?}");
    }
}

#[test]
fn there_are_bounds() {
    let of = |schema: &str, sample: &str| {
        format!(
            "[[event_type]]\nname = \"a\"\ndescription = \"b\"\nschema = '{schema}'\nsample = '{sample}'\n"
        )
    };
    let long = |length: usize| format!(r#"{{"$comment":"{}"}}"#, "x".repeat(length - 15));
    assert!(parse(&of(&long(MAX_SCHEMA_BYTES), "{}")).is_ok());
    assert!(told(&of(&long(MAX_SCHEMA_BYTES + 1), "{}"))[0].contains("at most 65536"));
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(parse(&of("{}", &deep(64))).is_ok());
    assert!(told(&of("{}", &deep(65)))[0].contains("more than 64 deep"));

    let many = |count: usize| -> String {
        (0..count)
            .map(|n| of("{}", "{}").replace("\"a\"", &format!("\"a{n}\"")))
            .collect()
    };
    assert_eq!(parse(&many(MAX_TYPES)).unwrap().len(), MAX_TYPES);
    assert!(told(&many(MAX_TYPES + 1))[0].contains("500 event types at most"));
}
