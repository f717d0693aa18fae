#![allow(clippy::unwrap_used)]
use super::*;

const PLAIN: Terminal = Terminal {
    width: None,
    has_colour: false,
};

fn queue(role: Role, ready: u32, consumers: u32) -> QueueState {
    QueueState {
        name: "hookline.q".to_owned(),
        role,
        depth: Ok(Some(QueueDepth { ready, consumers })),
        in_hand: None,
        oldest: None,
    }
}

fn report(queues: Vec<QueueState>, cluster: Option<Result<Cluster, String>>) -> Report {
    Report {
        broker: "amqp://b".to_owned(),
        queues,
        log: LogBound {
            rate: None,
            max_bytes: 10_000_000_000,
        },
        cluster,
    }
}

#[test]
fn what_waits_for_nobody_is_a_problem_and_what_is_worked_on_is_none() {
    for (queue, is_problem) in [
        (queue(Role::Working, 0, 0), false),
        (queue(Role::Working, 5, 1), false),
        (queue(Role::Working, 5, 0), true),
        (queue(Role::Delay, 5, 0), false),
        (queue(Role::SetAside, 5, 0), false),
        (queue(Role::Log, 5, 0), false),
        (queue(Role::Spill, 5, 0), true),
    ] {
        let problems = report(vec![queue], None).problems();
        assert_eq!(!problems.is_empty(), is_problem, "{problems:?}");
    }
}

#[test]
fn a_queue_that_does_not_answer_has_no_number() {
    let silent = QueueState {
        depth: Err("hookline.q cannot be asked: its leader is down".to_owned()),
        ..queue(Role::SetAside, 0, 0)
    };
    let missing = QueueState {
        depth: Ok(None),
        ..queue(Role::Delay, 0, 0)
    };
    let report = report(vec![silent, missing], None);
    let problems = report.problems();
    assert!(
        problems.len() == 2 && problems[0].starts_with("there is no queue hookline.q"),
        "{problems:?}"
    );
    let cells: Vec<_> = report
        .shown()
        .map(|queue| queue.to_cells(Timestamp::UNIX_EPOCH))
        .collect();
    assert_eq!(cells[0], ["hookline.q", "no answer", "–", "–", "–"]);
    assert_eq!(cells[1], ["hookline.q", "missing", "–", "–", "–"]);
    let row: serde_json::Value = serde_json::from_str(&report.to_json()[0]).unwrap();
    assert_eq!(
        (&row["is_known"], &row["ready"]),
        (&false.into(), &serde_json::Value::Null)
    );
}

#[test]
fn the_log_tells_how_many_hours_its_bound_holds() {
    let bound = |bytes| {
        let over = std::time::Duration::from_secs(100);
        let rate = Some(LogRate { bytes, over });
        let max_bytes = 10_000_000_000;
        LogBound { rate, max_bytes }.text()
    };
    assert_eq!(
        bound(46_000_000),
        "log of attempts: 460.0 KB/s at present; 10 GB hold 6 h of it"
    );
    assert_eq!(
        bound(100_000),
        "log of attempts: 1.0 KB/s at present; 10 GB hold more than the 7 days that are kept"
    );
}

#[test]
fn empty_delays_take_no_lines() {
    let report = report(vec![queue(Role::Delay, 0, 0), queue(Role::Delay, 1, 0)], None);
    assert_eq!(report.shown().count(), 1);
    assert!(report.remarks(PLAIN)[0].starts_with("1 queues of delays"));
}

#[test]
fn alarms_and_nodes_that_are_down_are_problems() {
    let cluster = Cluster {
        nodes: vec![NodeInfo {
            name: "rabbit@b".to_owned(),
            running: false,
            mem_alarm: false,
            disk_free_alarm: false,
            mem_used: None,
            mem_limit: None,
            disk_free: None,
            disk_free_limit: None,
        }],
        alarms: [AlarmKind::Memory, AlarmKind::Disk]
            .map(|kind| Alarm {
                node: "rabbit@a".to_owned(),
                kind,
                found: Some(2),
                limit: Some(1),
            })
            .into(),
    };
    let problems = report(Vec::new(), Some(Ok(cluster))).problems();
    assert_eq!(problems.len(), 3);
    assert!(problems[0].contains("rabbit@b is down"), "{problems:?}");
    assert!(problems[1].contains("memory alarm on rabbit@a"), "{problems:?}");
    assert!(problems[2].contains("disk alarm on rabbit@a"), "{problems:?}");
    assert_eq!(report(Vec::new(), Some(Err("why".into()))).problems(), ["why"]);
}

#[test]
fn nothing_that_the_broker_says_reaches_the_terminal() {
    let why = "no\u{9b}2J\u{202e}";
    let silent = QueueState {
        depth: Err(why.to_owned()),
        ..queue(Role::SetAside, 0, 0)
    };
    let lines = report(vec![silent], Some(Err(why.to_owned()))).to_json();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for line in &lines[1..] {
        assert!(line.is_ascii(), "{line}");
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["detail"], why);
    }
}
