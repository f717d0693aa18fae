//! Commands whose output nobody reads: they do what they were told, and their exit status says how that went. And those that fail:
//! one line of stderr says so.

use std::process::{Output, Stdio};

use hookline_common::topology::Queue;
use hookline_tests::cli::{command, run, why};
use hookline_tests::console::{ADMIN_TOKEN, database_scenario, setup, start};
use hookline_tests::log_rows::Row;
use hookline_tests::scenario;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use crate::SOON;

/// Runs a command to its end, whose stdout is a pipe that nobody reads any more.
async fn unread(mut command: Command) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    // The command holds the other end of the pipe.
    drop(command);
    let ended = timeout(2 * SOON, child.wait_with_output()).await;
    ended.expect("it ends").unwrap()
}

#[tokio::test]
async fn what_went_wrong_is_told_and_failed_although_nobody_reads_the_rest() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let file = world.path("events.ndjson");
        let lines = "{\"company\":\"acme\",\"type\":\"booking.created\",\"data\":{}}\nno event\n";
        std::fs::write(&file, lines).unwrap();
        let file = file.to_str().unwrap();
        // Nothing was declared here but what publishing needs, so that both find that queues are missing.
        for (arguments, part) in [
            (&["publish", "--ndjson", file][..], "1 of 2 lines are no events"),
            (&["topology", "check"], "not as they must be"),
            (&["status"], "hookline topology apply"),
        ] {
            let output = unread(command(world, arguments)).await;
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
            assert!(told.contains(part), "{arguments:?}: {told}");
            assert!(!told.contains("were not looked at"), "{told}");
        }
        assert!(run(world, &["topology", "apply"]).await.status.success());
        let purge = ["dlq", "purge", "evt_none", "--yes"];
        let output = unread(command(world, &purge)).await;
        assert!(why(&output, 1).contains("evt_none not found"));
        // Who only lists has nothing to fail at.
        let output = unread(command(world, &["dlq", "list"])).await;
        assert!(output.status.success());
    })
    .await;
}

#[tokio::test]
async fn what_was_ordered_is_done_to_its_end_although_nobody_reads_of_it() {
    /// More lines than the command keeps before it writes them.
    const LETTERS: usize = 400;
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = start(setup(world, database)).await;
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        let mut arguments = vec!["failed".to_owned(), "retry".to_owned()];
        for number in 0..LETTERS {
            let event = format!("evt_{number}");
            let row = Row::of(&event, "ep_crm", 600).status("failed", "http_status", 500);
            row.insert_dead(database, "{}").await;
            arguments.push(event);
        }
        // The last of them is none, which is told.
        let with = |last: &str| {
            let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            arguments.extend([last, "--company", "acme", "--endpoint", "ep_crm"]);
            let mut command = command(world, &arguments);
            command
                .env(
                    "HOOKLINE_API_URL",
                    format!("http://127.0.0.1:{}", console.process().port()),
                )
                .env("HOOKLINE_API_TOKEN", ADMIN_TOKEN);
            command
        };
        let output = unread(with("evt_none")).await;
        assert!(why(&output, 1).contains("404"));
        world.expect_in(Queue::Deliveries, LETTERS, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_called_without_a_command_says_so_on_one_line() {
    scenario(async |world| {
        for (arguments, named) in [
            (&[][..], "`hookline --help`"),
            (&["dlq"], "`hookline dlq --help`"),
        ] {
            let output = run(world, arguments).await;
            assert_eq!(output.stdout, b"");
            let told = String::from_utf8(output.stderr.clone()).unwrap();
            assert_eq!(
                (output.status.code(), told.lines().count()),
                (Some(2), 1),
                "{told}"
            );
            assert!(told.contains(named), "{told}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_failure_is_one_line_which_says_as_well_what_could_not_be_seen() {
    scenario(async |world| {
        assert!(run(world, &["topology", "apply"]).await.status.success());
        let queue = world.queue(Queue::Failed);
        let one_line = async |arguments: &[&str]| {
            let output = run(world, arguments).await;
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(
                (output.status.code(), told.lines().count()),
                (Some(1), 1),
                "{arguments:?}: {told}"
            );
            told
        };
        let failing: [&[&str]; 3] = [
            &["dlq", "show", "evt_none"],
            &["dlq", "retry", "evt_none"],
            &["dlq", "purge", "evt_none", "--yes"],
        ];
        for arguments in failing {
            let told = one_line(arguments).await;
            assert!(
                told.contains("evt_none") && !told.contains("1 other reads"),
                "{told}"
            );
        }
        let channel = world.broker().channel().await;
        let consuming = channel.basic_consume(
            queue.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let _consumer = consuming.await.unwrap();
        for arguments in failing {
            let told = one_line(arguments).await;
            assert!(
                told.contains("evt_none") && told.contains("1 other reads"),
                "{told}"
            );
        }
        let listed = run(world, &["dlq", "list"]).await;
        let told = String::from_utf8(listed.stderr).unwrap();
        assert!(
            listed.status.success() && told.contains("notice: 1 other reads"),
            "{told}"
        );
        channel.close(200, "done".into()).await.unwrap();
        // Without the management API it is not said of a broken topology what was not looked at.
        world.broker().delete(&[queue], &[]).await;
        let told = one_line(&["topology", "check"]).await;
        assert!(told.contains("mend what is named above"), "{told}");
    })
    .await;
}
