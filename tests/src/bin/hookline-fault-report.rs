//! Makes the table of the fault suite from the rows that its tests have left: `hookline-fault-report ROWS REPORT`. Prints it as
//! Markdown, writes the same as JSON, and fails where a row says that something was lost or came unasked, or there are no rows.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a tool of the test suite that prints a table"
)]

use std::path::Path;
use std::process::ExitCode;

use hookline_tests::fault::Row;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [rows, report] = arguments.as_slice() else {
        println!("usage: hookline-fault-report ROWS REPORT");
        return ExitCode::from(2);
    };
    let rows = read(Path::new(rows));
    println!("| fault | broker | events | lost | unexpected | duplicated | recovered | back after |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for row in &rows {
        let back = row
            .recovery_s
            .map_or("–".to_owned(), |time| format!("{time:.1} s"));
        let Row {
            fault,
            broker,
            events,
            lost,
            unexpected,
            duplicated,
            recovered,
            ..
        } = row;
        println!(
            "| `{fault}` | {broker} | {} | {lost} | {unexpected} | {duplicated} | {recovered} | {back} |",
            grouped(*events)
        );
    }
    let sum = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    let (lost, unexpected) = (sum(|row| row.lost), sum(|row| row.unexpected));
    println!(
        "\n{} rows, {} events, {lost} lost, {unexpected} unexpected, {} duplicated",
        rows.len(),
        grouped(sum(|row| row.events)),
        sum(|row| row.duplicated)
    );
    let json = serde_json::json!({ "rows": rows });
    std::fs::write(report, serde_json::to_vec_pretty(&json).expect("JSON")).expect("a report is written");
    if rows.is_empty() || lost + unexpected > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn read(folder: &Path) -> Vec<Row> {
    let files = std::fs::read_dir(folder).expect("a folder of rows");
    let mut rows: Vec<Row> = files
        .map(|file| std::fs::read(file.expect("a file").path()).expect("a row"))
        .map(|json| serde_json::from_slice(&json).expect("a row"))
        .collect();
    rows.sort_by(|one, other| (&one.fault, &one.broker).cmp(&(&other.fault, &other.broker)));
    rows
}

/// 12,345, as people read it.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
