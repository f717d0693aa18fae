//! What is sent of a file: for each company a file of its own, with the secrets in it. Pure.

use std::collections::BTreeMap;

use hookline_common::endpoints_file::WithSecrets;
use hookline_common::ids::CompanyId;
use toml::{Table, Value};

use crate::error::CliError;

/// Below the 256 KiB that the console takes in one body.
const MAX_BYTES: usize = 200 << 10;

/// The console takes a part in one transaction, within seconds however busy it is.
const MAX_ENDPOINTS: usize = 100;

/// A part of the file, all of one company.
pub(super) struct Body {
    pub(super) company: CompanyId,
    /// In the order of the text.
    pub(super) endpoints: Vec<Sent>,
    /// TOML, with secrets: printed nowhere.
    pub(super) text: String,
}

/// An endpoint of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Which of the whole file, counted from 1.
    pub(super) row: usize,
    pub(super) id: String,
}

/// The parts, by company; those of a large one are several. `entries` are those of `text`, one for each `[[endpoint]]`.
pub(super) fn bodies(text: &str, entries: &[WithSecrets]) -> Result<Vec<Body>, CliError> {
    // What was read before without a fault is read again without one; nothing of its text goes into the error.
    let unreadable = || CliError::Failed("the file cannot be taken apart; report this as a fault".to_owned());
    let document: Table = toml::from_str(text).map_err(|_| unreadable())?;
    let tables = document.get("endpoint").and_then(Value::as_array);
    let tables = tables.map(Vec::as_slice).unwrap_or_default();
    if tables.len() != entries.len() {
        return Err(unreadable());
    }
    let mut by_company: BTreeMap<&CompanyId, Vec<Body>> = BTreeMap::new();
    for (index, (table, entry)) in tables.iter().zip(entries).enumerate() {
        let table = table.as_table().ok_or_else(unreadable)?;
        let text = written(table, entry).ok_or_else(unreadable)?;
        let sent = Sent {
            row: index + 1,
            id: entry.endpoint.id.to_string(),
        };
        let company = &entry.endpoint.company;
        let parts = by_company.entry(company).or_default();
        match parts.last_mut() {
            Some(part)
                if part.text.len() + text.len() <= MAX_BYTES && part.endpoints.len() < MAX_ENDPOINTS =>
            {
                part.text.push_str(&text);
                part.endpoints.push(sent);
            }
            _ => parts.push(Body {
                company: company.clone(),
                endpoints: vec![sent],
                text,
            }),
        }
    }
    Ok(by_company.into_values().flatten().collect())
}

/// The `[[endpoint]]` with its secrets in it, wherever they stood.
fn written(table: &Table, entry: &WithSecrets) -> Option<String> {
    let mut table = table.clone();
    let secrets = [
        ("secret", Some(&entry.secret)),
        ("previous_secret", entry.previous_secret.as_ref()),
    ];
    for (key, secret) in secrets {
        table.remove(&format!("{key}_env"));
        table.remove(&format!("{key}_file"));
        if let Some(secret) = secret {
            table.insert(key.to_owned(), Value::String(secret.expose().to_owned()));
        }
    }
    let list = Value::Array(vec![Value::Table(table)]);
    let document = Table::from_iter([("endpoint".to_owned(), list)]);
    toml::to_string(&document).ok().map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_common::endpoint::Format;
    use hookline_common::endpoints_file::{SecretSource, parse_with_secrets};

    use super::*;

    struct Elsewhere;

    impl SecretSource for Elsewhere {
        fn env(&self, name: &str) -> Option<String> {
            (name == "CRM").then(|| "secret-in-a-variable".to_owned())
        }

        fn file(&self, _: &str) -> Result<String, String> {
            Ok("secret-in-a-file".to_owned())
        }
    }

    struct Nowhere;

    impl SecretSource for Nowhere {
        fn env(&self, _: &str) -> Option<String> {
            None
        }

        fn file(&self, _: &str) -> Result<String, String> {
            Err("no".to_owned())
        }
    }

    fn entry(company: &str, id: &str, rest: &str) -> String {
        format!(
            "[[endpoint]]\nid = {id:?}\ncompany = {company:?}\nurl = \"https://a.example.com/\"\n{rest}\n"
        )
    }

    fn parts_of(text: &str) -> Vec<Body> {
        bodies(
            text,
            &parse_with_secrets(text, Format::Standard, &Elsewhere).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn each_company_gets_its_own_with_the_secrets_in_it() {
        let text = [
            entry(
                "globex",
                "ep_1",
                "secret_env = \"CRM\"\nheaders = { \"x.y\" = \"1\" }",
            ),
            entry(
                "acme",
                "ep_2",
                "secret_file = \"f\"\nprevious_secret_env = \"CRM\"",
            ),
            entry(
                "globex",
                "ep_3",
                "secret = 'quotes \"and\" \\ others'\nformat = \"meetergo\"",
            ),
        ]
        .concat();
        let parts = parts_of(&text);
        let rows = |part: &Body| part.endpoints.iter().map(|sent| sent.row).collect::<Vec<_>>();
        assert_eq!((parts[0].company.as_str(), rows(&parts[0])), ("acme", vec![2]));
        assert_eq!(
            (parts[1].company.as_str(), rows(&parts[1])),
            ("globex", vec![1, 3])
        );
        // Nothing is left that would have to be read elsewhere, and nothing was added that the file does not say.
        let acme = parse_with_secrets(&parts[0].text, Format::Meeva, &Nowhere).unwrap();
        assert_eq!(acme[0].secret.expose(), "secret-in-a-file");
        assert_eq!(
            acme[0].previous_secret.as_ref().unwrap().expose(),
            "secret-in-a-variable"
        );
        assert_eq!(acme[0].endpoint.format, Format::Meeva);
        let globex = parse_with_secrets(&parts[1].text, Format::Meeva, &Nowhere).unwrap();
        assert_eq!(globex[0].endpoint.headers[0].name, "x.y");
        assert_eq!(globex[1].secret.expose(), "quotes \"and\" \\ others");
        assert_eq!(globex[1].endpoint.format, Format::Meetergo);
    }

    #[test]
    fn a_large_company_is_sent_in_parts_that_the_console_takes() {
        let secret = format!("secret = \"{}\"", "s".repeat(250));
        let text: String = (0..1500)
            .map(|number| entry("acme", &format!("ep_{number}"), &secret))
            .collect();
        let parts = parts_of(&text);
        assert!(parts.len() > 1 && parts.iter().all(|part| part.text.len() <= MAX_BYTES));
        assert!(parts.iter().all(|part| part.endpoints.len() <= MAX_ENDPOINTS));
        let rows: Vec<usize> = parts
            .iter()
            .flat_map(|part| part.endpoints.iter().map(|sent| sent.row))
            .collect();
        assert_eq!(rows, (1..=1500).collect::<Vec<_>>());
    }

    #[test]
    fn a_file_without_endpoints_has_no_parts() {
        assert!(parts_of("# nothing\n").is_empty());
    }
}
