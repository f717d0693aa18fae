//! The catalogue as a page in Markdown, for whoever writes a receiver.

use hookline_common::endpoint::Format;

use crate::catalogue::Catalogue;
use crate::info::EventTypeInfo;
use crate::render::{EXAMPLE_SECRET, RenderError};

/// The page: a table of all types with what each format calls them, then for each type its data, its schema and what a
/// receiver gets.
///
/// # Errors
/// [`RenderError`], never for a catalogue that was built here.
pub fn markdown(catalogue: &Catalogue) -> Result<String, RenderError> {
    let mut page = String::from(
        "# Events\n\n\
         The types of events, what their data looks like, and what a receiver gets of them. An endpoint's `events` may name a \
         type by the name that its format uses or by the first one. Data may hold more members than a schema names: a \
         receiver ignores those that it does not know.\n\n\
         `endpoint.disabled` is told by Hookline itself, and only to endpoints whose `events` name it: `*`, `endpoint.*` and an \
         empty list, which ask for all that a platform sends, do not ask for it.\n\n",
    );
    page.push_str(&table(catalogue));
    for info in catalogue.iter() {
        page.push_str(&section(info)?);
    }
    if let Some(info) = catalogue.iter().next() {
        page.push_str(&formats(info)?);
    }
    Ok(page)
}

/// Formats that call everything the same share a column.
fn table(catalogue: &Catalogue) -> String {
    let mut columns: Vec<(Vec<&str>, Format)> = Vec::new();
    for format in Format::ALL {
        let same = columns.iter_mut().find(|(_, other)| {
            catalogue
                .iter()
                .all(|info| info.name_in(*other) == info.name_in(format))
        });
        match same {
            Some((names, _)) => names.push(format.as_str()),
            None => columns.push((vec![format.as_str()], format)),
        }
    }
    let titles: Vec<String> = columns
        .iter()
        .map(|(names, _)| format!("`{}`", names.join("`, `")))
        .collect();
    let mut table = format!(
        "| {} | when |\n{}| --- |\n",
        titles.join(" | "),
        "| --- ".repeat(titles.len())
    );
    for info in catalogue.iter() {
        let names: Vec<String> = columns
            .iter()
            .map(|(_, format)| format!("`{}`", info.name_in(*format)))
            .collect();
        table.push_str(&format!(
            "| {} | {} |\n",
            names.join(" | "),
            in_a_cell(&info.description)
        ));
    }
    table
}

fn in_a_cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|")
}

fn section(info: &EventTypeInfo) -> Result<String, RenderError> {
    // Rendered here, too, so that no type stands on the page that could not be sent.
    info.rendered(Format::default())?;
    Ok(format!(
        "\n## {}\n\n{}\n\n```json\n{}\n```\n\n<details><summary>JSON Schema</summary>\n\n```json\n{}\n```\n\n</details>\n",
        info.name,
        info.description,
        info.sample.pretty(),
        info.schema.pretty()
    ))
}

/// The first type in every format, headers and all.
fn formats(info: &EventTypeInfo) -> Result<String, RenderError> {
    let mut text = format!(
        "\n## In each format\n\nA first attempt of `{}`. The examples are signed with `{EXAMPLE_SECRET}`. \
         `webhook-attempt` counts the attempts, and `webhook-timestamp` is that of the attempt; id and body are the same on \
         each.\n",
        info.name
    );
    for format in Format::ALL {
        let rendered = info.rendered(format)?;
        text.push_str(&format!("\n### {format}\n\n```http\n"));
        for (name, value) in &rendered.request.headers {
            // Else each release would have to write the page anew.
            let value = if *name == "user-agent" {
                "Hookline/…"
            } else {
                value
            };
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push_str(&format!("\n{}\n```\n", rendered.request.body));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_page_in_the_documents_is_that_of_the_catalogue() {
        let written = include_str!("../../docs/EVENTS.md");
        let page = markdown(&Catalogue::built_in()).unwrap();
        let first = written
            .lines()
            .zip(page.lines())
            .position(|(written, page)| written != page);
        assert!(
            written == page,
            "docs/EVENTS.md differs from line {first:?} (counted from 0) on; write it anew: \
             hookline event-types list --markdown > docs/EVENTS.md"
        );
    }

    #[test]
    fn own_types_stand_on_the_page_and_break_no_table() {
        let own = "[[event_type]]\nname = \"a.b\"\ndescription = \"Either | or.\"\nschema = '{}'\nsample = '{\"x\":1}'\n";
        let page = markdown(&Catalogue::built_in().with_text(own).unwrap()).unwrap();
        assert!(page.contains("| `a.b` | `a_b` | Either \\| or. |\n"), "{page}");
        assert!(
            page.contains("## a.b\n\nEither | or.\n\n```json\n{\"x\": 1}\n```\n"),
            "{page}"
        );
    }
}
