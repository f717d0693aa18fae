//! What is told of a file, however long it is and however wrong.

#![allow(clippy::unwrap_used)]
use super::lines::Lines;
use super::*;
use toml::de::Error;

const THINGS: Kind = Kind {
    table: "thing",
    noun: "thing",
    id_key: "id",
    is_id: |text| text.starts_with('t'),
    max: usize::MAX,
};

/// The ids of a file of things, each of which has one and nothing else.
fn ids(text: &str, kind: &Kind) -> Result<Vec<String>, FileFaults> {
    read(text, kind, |entry| {
        entry.refuse_other_keys(&["id"]);
        entry.required("id", |text| Ok::<_, &str>(text.to_owned()))
    })
}

fn faults_of(text: &str) -> FileFaults {
    ids(text, &THINGS).unwrap_err()
}

fn lines_of(faults: &FileFaults) -> Vec<Option<usize>> {
    faults.first().iter().map(|fault| fault.line).collect()
}

fn each(lines: impl Iterator<Item = usize>) -> Vec<Option<usize>> {
    lines.map(Some).collect()
}

#[test]
fn the_first_hundred_by_their_lines_are_kept_and_all_are_counted() {
    // What is found first, a key that is none of the file's, stands last.
    let text = format!("{}[other]\n", "[[thing]]\nb = 1\n".repeat(90));
    let faults = faults_of(&text);
    assert_eq!((faults.count(), faults.more()), (181, 81));
    assert_eq!(lines_of(&faults), each(1..=100));
    assert_eq!(faults.how_many(), "181");
    let told: Vec<String> = faults.told().collect();
    assert_eq!(told[0], "line 1: thing #1: id: is missing; every thing needs it");
    assert_eq!(
        told[1],
        "line 2: thing #1: b: this key is not known; allowed are id"
    );
    assert_eq!((told.len(), told[100].as_str()), (101, "and 81 more"));
    // And one that stands first is told first.
    let faults = faults_of(&format!("another = 1\n{text}"));
    assert_eq!((faults.count(), lines_of(&faults)), (182, each(1..=100)));
    assert!(faults.first()[0].to_string().starts_with("line 1: another: "));
}

#[test]
fn faults_of_one_line_stay_in_the_order_in_which_they_were_found() {
    let text = format!("thing = [{}]\n", "1, ".repeat(130));
    let faults = faults_of(&text);
    let entries: Vec<String> = faults
        .first()
        .iter()
        .filter_map(|fault| fault.entry.clone())
        .collect();
    let first: Vec<String> = (1..=100).map(|number| format!("#{number}")).collect();
    assert_eq!((entries, faults.count()), (first, 130));
}

#[test]
fn few_faults_are_all_told() {
    let faults = faults_of("[[thing]]\n[[thing]]\nid = 1\n");
    assert_eq!((faults.count(), faults.more(), faults.told().count()), (2, 0, 2));
    assert!(FileFaults::default().is_empty() && !faults.is_empty());
}

#[test]
fn of_what_is_no_toml_the_first_are_kept_as_the_parser_tells_them() {
    // Faults that are found while tokens are read, and others that are found when tables are made of them.
    for text in [
        "x\n".repeat(300),
        "a = 1\n".repeat(300),
        "a = x\nb b\n".repeat(300),
    ] {
        let (_, errors) = DeTable::parse_recoverable(&text);
        let positions = Lines::of(&text);
        let line = |error: &Error| positions.line(&error.span().unwrap());
        let mut all: Vec<(usize, &str)> = errors
            .iter()
            .map(|error| (line(error), error.message()))
            .collect();
        all.sort_by_key(|(line, _)| *line);
        let expected: Vec<String> = all
            .iter()
            .take(FileFaults::KEPT)
            .map(|(line, message)| format!("line {line}: this is not TOML: {message}"))
            .collect();
        let faults = faults_of(&text);
        let told: Vec<String> = faults.first().iter().map(ToString::to_string).collect();
        assert_eq!((told, faults.count()), (expected, errors.len()));
        assert_eq!(faults.how_many(), errors.len().to_string());
    }
}

#[test]
fn of_a_long_text_that_is_no_toml_the_first_fault_is_told() {
    let rows = "4711,Ada Lovelace,ada@example.com,\"1,5\",2030-01-15\n".repeat(30_000);
    let faults = faults_of(&format!("[[thing]]\nid = \"t\"\n{rows}"));
    assert_eq!(
        (faults.first().len(), faults.how_many()),
        (1, "at least 1".to_owned())
    );
    assert_eq!(lines_of(&faults), [Some(3)]);
    let many = "[[thing]]\nid = \"t\"\n".repeat(100_000);
    assert_eq!(ids(&many, &THINGS).map(|ids| ids.len()), Ok(100_000));
}
