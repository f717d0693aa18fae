//! What is told of a file, however long it is and however wrong.

#![allow(clippy::unwrap_used)]
use super::lines::Lines;
use super::*;

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
fn the_first_twenty_by_their_lines_are_kept_and_all_are_counted() {
    // What is found first, a key that is none of the file's, stands last.
    let text = format!("{}[other]\n", "[[thing]]\nb = 1\n".repeat(50));
    let faults = faults_of(&text);
    assert_eq!((faults.count(), faults.more()), (101, 81));
    assert_eq!(lines_of(&faults), each(1..=20));
    assert_eq!(faults.how_many(), "101");
    let told: Vec<String> = faults.told().collect();
    assert_eq!(told[0], "line 1: thing #1: id: is missing; every thing needs it");
    assert_eq!(
        told[1],
        "line 2: thing #1: b: this key is not known; allowed are id"
    );
    assert_eq!((told.len(), told[20].as_str()), (21, "and 81 more"));
    // And one that stands first is told first.
    let faults = faults_of(&format!("another = 1\n{text}"));
    assert_eq!((faults.count(), lines_of(&faults)), (102, each(1..=20)));
    assert!(faults.first()[0].to_string().starts_with("line 1: another: "));
}

#[test]
fn faults_of_one_line_stay_in_the_order_in_which_they_were_found() {
    let text = format!("thing = [{}]\n", "1, ".repeat(30));
    let faults = faults_of(&text);
    let entries: Vec<String> = faults
        .first()
        .iter()
        .filter_map(|fault| fault.entry.clone())
        .collect();
    let first: Vec<String> = (1..=20).map(|number| format!("#{number}")).collect();
    assert_eq!((entries, faults.count()), (first, 30));
}

#[test]
fn few_faults_are_all_told() {
    let faults = faults_of("[[thing]]\n[[thing]]\nid = 1\n");
    assert_eq!((faults.count(), faults.more(), faults.told().count()), (2, 0, 2));
    assert!(FileFaults::default().is_empty() && !faults.is_empty());
}

#[test]
fn of_what_is_no_toml_the_first_twenty_are_kept_as_the_parser_tells_them() {
    // Faults that are found while tokens are read, and others that are found when tables are made of them.
    for text in [
        "x\n".repeat(100),
        "a = 1\n".repeat(100),
        "a = x\nb b\n".repeat(100),
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

/// So many entries that they are read in several pieces, of three lines each.
fn many(count: usize) -> String {
    (0..count).fold(String::new(), |text, number| {
        text + &format!("[[thing]]\nid = \"t{number}\" # {}\n\n", "x".repeat(60))
    })
}

#[test]
fn a_long_file_is_read_to_its_end_with_the_right_lines_and_numbers() {
    const COUNT: usize = 10_000;
    let text = many(COUNT);
    let read = ids(&text, &THINGS).unwrap();
    assert_eq!((read.len(), read[COUNT - 1].as_str()), (COUNT, "t9999"));

    let faults = faults_of(&format!("{text}[[thing]]\nid = 1\n"));
    let told: Vec<String> = faults.told().collect();
    assert_eq!(
        told,
        ["line 30002: thing #10001: id: it must be text in quotes, and is of type integer"]
    );
    let few = Kind {
        max: COUNT - 1,
        ..THINGS
    };
    let told: Vec<String> = ids(&text, &few).unwrap_err().told().collect();
    assert_eq!(
        told,
        ["line 29998: a file may hold 9999 things at most, and this has 10000"]
    );
}

#[test]
fn where_any_of_a_long_file_is_no_toml_that_alone_is_told() {
    let text = many(10_000);
    for broken in [
        format!("[[thing]]\n{text}id id\n"),
        format!("id id\n{text}[[thing]]\n"),
    ] {
        let faults = faults_of(&broken);
        let told: Vec<String> = faults.told().collect();
        assert!(
            told.len() == 1 && told[0].contains("this is not TOML"),
            "{told:?}"
        );
    }
    assert_eq!(lines_of(&faults_of(&format!("{text}id id\n"))), [Some(30_001)]);
    // Headers cannot add to a list, though that is far away.
    let list = format!("thing = [\n{}]\n", "{ id = \"t\" },\n".repeat(20_000));
    assert_eq!(ids(&list, &THINGS).unwrap().len(), 20_000);
    let faults = faults_of(&format!("{list}[[thing]]\nid = \"t\"\n"));
    assert!(faults.first()[0].problem.contains("this is not TOML"));
}

#[test]
fn what_is_something_else_is_given_up_at_its_beginning() {
    let rows = "4711,Ada Lovelace,ada@example.com,\"1,5\",2030-01-15\n".repeat(200_000);
    let one_line = format!("{{\"rows\":[{}]}}", "[1,2,3],".repeat(1_000_000));
    for (text, is_first) in [(rows, true), (one_line, false)] {
        let faults = faults_of(&text);
        assert!(faults.first().len() <= FileFaults::KEPT);
        assert!(
            faults.how_many().starts_with("at least "),
            "{}",
            faults.how_many()
        );
        assert!(
            faults
                .first()
                .iter()
                .all(|fault| fault.problem.contains("this is not TOML"))
        );
        assert!(!is_first || lines_of(&faults) == each(1..=20), "{faults:?}");
    }
}

#[test]
fn toml_that_goes_on_without_an_entry_is_no_file_of_them() {
    let comments = format!("# {}\n", "x".repeat(100));
    let some = many(1);
    let text = some.clone() + &comments.repeat(30_000) + &some;
    assert_eq!(
        ids(&text, &THINGS).map(|ids| ids.len()),
        Ok(2),
        "3 MB of comments"
    );
    let text = some.clone() + &comments.repeat(60_000) + &some;
    let told: Vec<String> = faults_of(&text).told().collect();
    assert_eq!(
        told,
        [
            "line 1: here begin 4 MiB without another [[thing]]; write one for each thing, at the beginning of a line"
        ]
    );
    // A fault behind much that is right.
    let faults = faults_of(&format!("{}a = x\n", comments.repeat(10_000)));
    assert_eq!(
        (lines_of(&faults), faults.how_many()),
        (vec![Some(10_001)], "at least 1".to_owned())
    );
}
