use super::*;

const COLUMNS: [Column; 5] = [
    Column::whole("EVENT"),
    Column::whole("ENDPOINT"),
    Column::text("TYPE", 10),
    Column::number("AGE"),
    Column::text("WHY", 8),
];

fn printed(terminal_width: Option<usize>, rows: &[[&str; 5]]) -> Vec<String> {
    let terminal = Terminal {
        width: terminal_width,
        has_colour: false,
    };
    let mut table = Table::new(&COLUMNS, terminal);
    let mut lines = Vec::new();
    for row in rows {
        lines.extend(table.push(row.iter().map(|&cell| cell.to_owned()).collect()));
    }
    lines.extend(table.rest());
    lines
        .into_iter()
        .map(|line| match line {
            Line::Head(text) | Line::Row(text) => text,
        })
        .collect()
}

const EVENT: &str = "evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4";

fn rows() -> [[&'static str; 5]; 2] {
    [
        [EVENT, "ep_crm", "booking.created", "5m", "HTTP 500"],
        [
            "evt_short",
            "ep_of_a_long_name_that_somebody_chose",
            "booking.rescheduled.by.the.guest",
            "119s",
            "connect_error",
        ],
    ]
}

#[test]
fn what_must_be_copied_is_whole_at_any_width() {
    for width in [1, 20, 40, 60, 80, 200] {
        let text = printed(Some(width), &rows()).join("\n");
        for whole in [
            EVENT,
            "evt_short",
            "ep_crm",
            "ep_of_a_long_name_that_somebody_chose",
        ] {
            assert!(text.contains(whole), "{whole} at {width} in\n{text}");
        }
    }
    assert!(!printed(None, &rows()).join("\n").contains('…'));
}

#[test]
fn no_line_is_longer_than_the_terminal_unless_one_cell_is() {
    for width in [40, 60, 80, 120, 200] {
        for line in printed(Some(width), &rows()) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
    let longest = printed(Some(20), &rows())
        .iter()
        .map(|line| line.chars().count())
        .max();
    assert_eq!(longest, Some(2 + 37), "a cell of its own line");
}

#[test]
fn columns_line_up_at_any_width_and_in_pipes() {
    for width in [Some(40), Some(60), Some(80), Some(200), None] {
        let lines = printed(width, &rows());
        let lines_of_a_row = lines.len() / 3;
        assert_eq!(lines.len() % 3, 0, "{lines:#?}");
        for line in 0..lines_of_a_row {
            let [head, first, second] = [0, 1, 2].map(|row| lines[row * lines_of_a_row + line].as_str());
            for (at, _) in head.match_indices("TYPE").chain(head.match_indices("WHY")) {
                for row in [first, second] {
                    let cell: String = row.chars().skip(at).take(1).collect();
                    let gap: String = row.chars().skip(at.saturating_sub(2)).take(2).collect();
                    assert!(!cell.trim().is_empty() && gap.trim().is_empty(), "{lines:#?}");
                }
            }
        }
    }
}

#[test]
fn a_wide_terminal_cuts_nothing_and_a_narrow_one_folds() {
    assert_eq!(
        printed(Some(60), &rows()[..1]),
        [
            "EVENT                                 ENDPOINT  TYPE",
            "  AGE  WHY",
            "evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4  ep_crm    booking.cre…",
            "   5m  HTTP 500",
        ]
    );
    assert_eq!(
        printed(Some(200), &rows()[..1])[1],
        "evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4  ep_crm    booking.created   5m  HTTP 500"
    );
}

#[test]
fn what_can_be_spared_begins_no_line_of_its_own() {
    let columns = [Column::whole("A"), Column::whole("COMPANY").if_room()];
    let place = |line, width| Some(Place { line, width });
    assert_eq!(places(&columns, &[10, 7], Some(18)), [place(0, 10), None]);
    assert_eq!(places(&columns, &[10, 7], Some(19)), [place(0, 10), place(0, 7)]);
    assert_eq!(places(&columns, &[10, 7], None), [place(0, 10), place(0, 7)]);
}

#[test]
fn long_tables_come_in_blocks_with_one_head() {
    let rows = vec![rows()[0]; 2 * BLOCK + 1];
    let lines = printed(None, &rows);
    assert_eq!(lines.len(), 1 + rows.len());
    assert_eq!(lines.iter().filter(|line| line.starts_with("EVENT ")).count(), 1);
    assert!(printed(None, &[]).is_empty());
}
