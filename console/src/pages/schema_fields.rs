//! A JSON Schema as rows that people read: each member, what it is, and whether it is always there. Pure.

use serde_json::{Map, Value};

/// Rows at most, and how deep: a platform's own schema may be anything.
const MAX_ROWS: usize = 200;
const MAX_DEPTH: usize = 6;

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// With those around it: `booking.attendee.email`.
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) is_required: bool,
    pub(super) description: String,
}

/// The members of an object's schema, from outside in.
pub(super) fn fields(schema: &str) -> Vec<Field> {
    let mut rows = Vec::new();
    if let Ok(schema) = serde_json::from_str(schema) {
        members(&schema, "", 0, &mut rows);
    }
    rows
}

fn members(schema: &Value, around: &str, depth: usize, rows: &mut Vec<Field>) {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, about) in properties.into_iter().flat_map(Map::iter) {
        if rows.len() >= MAX_ROWS || depth >= MAX_DEPTH {
            return;
        }
        let path = if around.is_empty() {
            name.clone()
        } else {
            format!("{around}.{name}")
        };
        let description = about.get("description").and_then(Value::as_str);
        rows.push(Field {
            path: path.clone(),
            kind: kind(about),
            is_required: required.contains(&name.as_str()),
            description: description.unwrap_or_default().to_owned(),
        });
        members(about, &path, depth + 1, rows);
        if let Some(items) = about.get("items") {
            members(items, &format!("{path}[]"), depth + 1, rows);
        }
    }
}

fn kind(about: &Value) -> String {
    let text = |name: &str| about.get(name).and_then(Value::as_str);
    if let Some(constant) = about.get("const") {
        return format!("always {constant}");
    }
    if let Some(choices) = about.get("enum").and_then(Value::as_array) {
        let choices: Vec<String> = choices.iter().take(12).map(ToString::to_string).collect();
        return choices.join(" or ");
    }
    let name = match about.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            names.join(" or ")
        }
        _ => "any".to_owned(),
    };
    match text("format") {
        Some(format) => format!("{name}, {format}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_rows_from_outside_in() {
        let schema = r#"{"type":"object","required":["a"],"properties":{"a":{"type":"object","properties":{
            "b":{"type":["string","null"],"format":"email","description":"Whose."}}},
            "c":{"type":"array","items":{"type":"object","required":["d"],"properties":{"d":{"enum":["x",1]}}}},
            "e":{"const":"confirmed"}}}"#;
        let rows = fields(schema);
        let told: Vec<String> = rows
            .iter()
            .map(|row| {
                format!(
                    "{} ({}){}",
                    row.path,
                    row.kind,
                    if row.is_required { "!" } else { "" }
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "a (object)!",
                "a.b (string or null, email)",
                "c (array)",
                "c[].d (\"x\" or 1)!",
                "e (always \"confirmed\")"
            ]
        );
        assert_eq!(rows[1].description, "Whose.");
    }

    #[test]
    fn a_schema_that_has_no_end_has_one_here() {
        let mut deep = r#"{"type":"string"}"#.to_owned();
        for _ in 0..40 {
            deep = format!(r#"{{"properties":{{"a":{deep}}}}}"#);
        }
        assert_eq!(fields(&deep).len(), MAX_DEPTH);
        assert!(fields("true").is_empty() && fields("no JSON").is_empty());
    }
}
