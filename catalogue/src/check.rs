//! Whether a schema is one, and whether it allows a sample.

use boon::{Compiler, Draft, SchemaIndex, Schemas, SchemeUrlLoader};
use serde_json::Value;

use crate::json_text::JsonText;

/// The dialect of every schema in the catalogue.
pub(crate) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What a schema is called while it is compiled. It is shown to nobody.
const LOCATION: &str = "urn:hookline:event-type";

/// A reason can hold a value of the sample's, of any length.
const MAX_TEXT: usize = 300;

/// What is wrong, and with which of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The schema is none.
    Schema(String),
    /// The schema does not allow the sample.
    Sample(String),
}

/// Checks that `schema` is a JSON Schema (2020-12) that allows `sample`. Formats (`date-time`, `email`) are held to, and
/// nothing outside the schema is fetched or read.
pub(crate) fn sample(schema: &JsonText, sample: &JsonText) -> Result<(), Mismatch> {
    let schema: Value = parse(schema).map_err(Mismatch::Schema)?;
    let sample: Value = parse(sample).map_err(Mismatch::Sample)?;
    if !schema.is_object() {
        return Err(Mismatch::Schema("it must be a JSON object".to_owned()));
    }
    // A schema that says what it is may say nothing else: another dialect would mean other things by the same words.
    if schema.get("$schema").is_some_and(|dialect| dialect != DIALECT) {
        return Err(Mismatch::Schema(format!(
            "its $schema must be {DIALECT}, or left out"
        )));
    }
    let (schemas, index) = compile(schema).map_err(Mismatch::Schema)?;
    schemas
        .validate(&sample, index)
        .map_err(|error| Mismatch::Sample(first_cause(&error)))
}

fn parse(text: &JsonText) -> Result<Value, String> {
    serde_json::from_str(text.as_str()).map_err(|fault| format!("it is not valid JSON: {fault}"))
}

fn compile(schema: Value) -> Result<(Schemas, SchemaIndex), String> {
    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler.enable_format_assertions();
    // Without any scheme: the default loader would open files that a schema names.
    compiler.use_loader(Box::new(SchemeUrlLoader::new()));
    compiler
        .add_resource(LOCATION, schema)
        .map_err(|error| describe(&error))?;
    let index = compiler.compile(LOCATION, &mut schemas);
    let index = index.map_err(|error| describe(&error))?;
    Ok((schemas, index))
}

fn describe(error: &boon::CompileError) -> String {
    match error {
        boon::CompileError::ValidationError { src, .. } => {
            format!("it is no JSON Schema (2020-12): {}", first_cause(src))
        }
        boon::CompileError::LoadUrlError { url, .. } | boon::CompileError::UnsupportedUrlScheme { url } => {
            format!("it refers to {url}, which is not in it; put what it refers to into its $defs")
        }
        error => format!("it cannot be used: {error}").replace(LOCATION, ""),
    }
}

/// The innermost reason, and where in the instance it lies.
fn first_cause(error: &boon::ValidationError<'_, '_>) -> String {
    let mut cause = error;
    while let Some(next) = cause.causes.first() {
        cause = next;
    }
    let place = cause.instance_location.to_string();
    let place = if place.is_empty() { "/" } else { &place };
    // A regular expression's fault comes with a drawing over several lines.
    let kind = cause.kind.to_string();
    let kind: Vec<&str> = kind.split_whitespace().collect();
    let text = format!("at {place}: {}", kind.join(" "));
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_common::json_limits::JsonLimits;

    use super::*;

    fn text(json: &str) -> JsonText {
        JsonText::parse(json, &JsonLimits::of_bytes(10_000)).unwrap()
    }

    fn check(schema: &str, data: &str) -> Result<(), Mismatch> {
        sample(&text(schema), &text(data))
    }

    #[test]
    fn a_sample_is_held_to_its_schema_and_to_formats() {
        let schema = r##"{"type":"object","required":["at"],"properties":{"at":{"$ref":"#/$defs/time"}},
            "$defs":{"time":{"type":"string","format":"date-time"}}}"##;
        assert_eq!(check(schema, r#"{"at":"2031-01-01T00:00:00Z"}"#), Ok(()));
        for (bad, place) in [
            ("{}", "at /: "),
            (r#"{"at":1}"#, "at /at: "),
            (r#"{"at":"noon"}"#, "at /at: "),
        ] {
            let Err(Mismatch::Sample(text)) = check(schema, bad) else {
                panic!("{bad} is allowed");
            };
            assert!(text.starts_with(place), "{text}");
        }
    }

    #[test]
    fn what_is_no_schema_is_told() {
        for (bad, part) in [
            ("[]", "a JSON object"),
            (r#"{"type":"objekt"}"#, "no JSON Schema"),
            (
                r#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#,
                "2020-12",
            ),
            (r#"{"properties":{"a":{"pattern":"("}}}"#, "is not valid regex"),
            (r##"{"$ref":"#/$defs/nowhere"}"##, "cannot be used"),
        ] {
            let Err(Mismatch::Schema(text)) = check(bad, "{}") else {
                panic!("{bad} is a schema");
            };
            assert!(text.contains(part) && !text.contains('\n'), "{bad}: {text}");
        }
    }

    #[test]
    fn no_schema_makes_us_read_files_or_ask_the_network() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schema.json");
        std::fs::write(&file, "{}").unwrap();
        let file = format!("file://{}", file.display());
        for url in [file.as_str(), "https://127.0.0.1:1/schema.json"] {
            let Err(Mismatch::Schema(text)) = check(&format!(r#"{{"$ref":{url:?}}}"#), "{}") else {
                panic!("{url} was fetched");
            };
            assert!(text.contains("$defs"), "{text}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let tree = r##"{"properties":{"child":{"$ref":"#"}}}"##;
        assert_eq!(check(tree, r#"{"child":{"child":{}}}"#), Ok(()));
        assert!(check(r##"{"$ref":"#"}"##, "{}").is_err());
    }
}
