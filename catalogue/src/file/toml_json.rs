//! A TOML value as JSON text, with the members in the file's order.

use toml::de::DeValue;

/// The same value as JSON: dates and times become strings.
///
/// # Errors
/// For people, where JSON has no such value.
pub(super) fn to_json(value: &DeValue<'_>) -> Result<String, String> {
    let mut json = String::new();
    write(value, &mut json)?;
    Ok(json)
}

/// The parser bears no deeper nesting than 80, so neither does this go deeper.
fn write(value: &DeValue<'_>, json: &mut String) -> Result<(), String> {
    match value {
        DeValue::String(text) => json.push_str(&quoted(text)),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            let number = parsed.map_err(|_| format!("{number} is larger than a TOML integer may be"))?;
            json.push_str(&number.to_string());
        }
        DeValue::Float(number) => {
            let parsed = number
                .as_str()
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite());
            let number = parsed.ok_or_else(|| format!("{number} has no place in JSON; leave it out"))?;
            // Debug keeps the point of a whole number, so that 1.0 stays one.
            json.push_str(&format!("{number:?}"));
        }
        DeValue::Boolean(flag) => json.push_str(if *flag { "true" } else { "false" }),
        DeValue::Datetime(at) => json.push_str(&quoted(&at.to_string())),
        DeValue::Array(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, json);
                write(item.get_ref(), json)?;
            }
            json.push(']');
        }
        DeValue::Table(members) => {
            // The table itself is sorted by name.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.span().start);
            json.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                separate(index, json);
                json.push_str(&quoted(name.get_ref()));
                json.push(':');
                write(member.get_ref(), json)?;
            }
            json.push('}');
        }
    }
    Ok(())
}

fn separate(index: usize, json: &mut String) {
    if index > 0 {
        json.push(',');
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn json(toml: &str) -> Result<String, String> {
        to_json(DeValue::parse(toml).unwrap().get_ref())
    }

    #[test]
    fn every_kind_of_value_has_its_json() {
        assert_eq!(
            json(r#"{ z = 1, a = [-1, 0x1F, 1_000, 1.0, 1e3, true], "q\"é" = "\u0001", t = 2031-05-14T09:00:00Z, d = 2031-05-14, e = {} }"#)
                .unwrap(),
            r#"{"z":1,"a":[-1,31,1000,1.0,1000.0,true],"q\"é":"\u0001","t":"2031-05-14T09:00:00Z","d":"2031-05-14","e":{}}"#
        );
        for bad in ["[nan]", "[inf]", "[-inf]", "[99999999999999999999]"] {
            assert!(json(bad).is_err(), "{bad}");
        }
    }
}
