//! An endpoints file as the commands read it, and its faults as they tell them.

use std::fs::File;
use std::io::{self, Read as _};

use hookline_common::endpoints_file::MAX_BYTES;
use hookline_common::toml_file::{FileFault, FileFaults};
use serde::Serialize;

use crate::error::CliError;
use crate::out::Out;
use crate::text::{escape, json_line};

/// The text of the file; that of stdin for `-`.
pub(super) fn read(file: &str) -> Result<String, CliError> {
    text_of(file).map_err(|error| {
        CliError::Failed(format!(
            "{file} cannot be read: {error}; name an endpoints file in TOML"
        ))
    })
}

fn text_of(file: &str) -> io::Result<String> {
    let source: Box<dyn io::Read> = if file == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file)?)
    };
    let mut text = String::new();
    source.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

#[derive(Debug, Serialize)]
struct FaultRow<'a> {
    line: Option<usize>,
    endpoint: Option<&'a str>,
    key: Option<&'a str>,
    problem: &'a str,
}

/// Prints the first faults; the error that ends the command says how many there are.
pub(super) fn refuse(faults: &FileFaults, file: &str, as_json: bool) -> Result<CliError, CliError> {
    let mut out = Out::new();
    for fault in faults.first() {
        out.line(&line(fault, as_json))?;
    }
    out.flush()?;
    let count = match faults.how_many().as_str() {
        "1" => "one fault".to_owned(),
        count => format!("{count} faults"),
    };
    let mend = match faults.more() {
        0 => "mend what is named above".to_owned(),
        _ => format!(
            "mend the first {}, named above, and look again",
            faults.first().len()
        ),
    };
    Ok(CliError::Failed(format!("{count} in {file}; {mend}")))
}

/// A fault. A key stands in it as somebody has written it.
fn line(fault: &FileFault, as_json: bool) -> String {
    if !as_json {
        return escape(&fault.to_string());
    }
    let FileFault {
        line,
        noun: _,
        entry,
        key,
        problem,
    } = fault;
    let row = FaultRow {
        line: *line,
        endpoint: entry.as_deref(),
        key: key.as_deref(),
        problem,
    };
    json_line(&serde_json::to_string(&row).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_of_a_file_reaches_the_terminal_that_it_would_obey() {
        let key = "url\u{9b}2J\u{202e}";
        let fault = FileFault {
            line: Some(7),
            noun: "endpoint",
            entry: Some("ep_1".to_owned()),
            key: Some(key.to_owned()),
            problem: "there is no such key".to_owned(),
        };
        for as_json in [false, true] {
            let line = line(&fault, as_json);
            assert!(line.is_ascii(), "{line}");
        }
        let row: serde_json::Value = serde_json::from_str(&line(&fault, true)).unwrap();
        assert_eq!((&row["line"], &row["key"]), (&7.into(), &key.into()));
    }
}
