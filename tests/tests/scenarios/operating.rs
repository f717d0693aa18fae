//! The commands that publish, receive, and look after queues: what they print, and how they end.

use std::process::Output;

use hookline_common::topology::Queue;
use hookline_tests::cli::{command, objects, on_a_terminal, out, run, succeed};
use hookline_tests::dispatcher::program;
use hookline_tests::endpoint::endpoint;
use hookline_tests::eventually::eventually;
use hookline_tests::receiver::Receiver;
use hookline_tests::status;
use hookline_tests::world::scenario;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use super::SOON;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Exit status and the one line on stderr of a command that fails.
fn failure(output: &Output) -> (Option<i32>, String) {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(stderr.lines().count(), 1, "an error is one line: {stderr}");
    (output.status.code(), stderr)
}

#[tokio::test]
async fn publish_prints_the_id_of_an_event_that_the_broker_has() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let data = r#"{"a": 1.0}"#;
        let publish = [
            "publish",
            "--company",
            "acme",
            "--type",
            "booking.created",
            "--data",
        ];
        let printed = succeed(world, &[publish.as_slice(), &[data, "--id", "evt_mine"]].concat()).await;
        assert_eq!(printed, "evt_mine\n");
        let stored = world.expect_in(Queue::Events, 1, SOON).await.remove(0);
        assert_eq!(
            (stored.id(), stored.body.as_slice()),
            ("evt_mine", data.as_bytes())
        );

        let (code, why) = failure(&run(world, &[publish.as_slice(), &["[1]"]].concat()).await);
        assert_eq!(code, Some(2), "{why}");
        assert!(why.contains("one JSON object"), "{why}");
        let (code, why) = failure(&run(world, &[publish.as_slice(), &["@/nowhere/at/all"]].concat()).await);
        assert!(code != Some(0) && why.contains("/nowhere/at/all"), "{why}");
    })
    .await;
}

#[tokio::test]
async fn publish_takes_a_file_of_events_and_names_the_bad_line() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let file = world.path("events.ndjson");
        let lines = [
            r#"{"company":"acme","type":"booking.created","data":{"n": 1.0}}"#,
            "not json",
            r#"{"company":"acme","type":"booking.created","id":"evt_two","data":{ "n":2 }}"#,
        ];
        std::fs::write(&file, lines.join("\n")).unwrap();
        let output = run(world, &["publish", "--ndjson", file.to_str().unwrap()]).await;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("line 2"), "{stderr}");
        let stored = world.expect_in(Queue::Events, 2, SOON).await;
        let bodies: Vec<&[u8]> = stored.iter().map(|message| message.body.as_slice()).collect();
        assert!(
            bodies.contains(&br#"{"n": 1.0}"#.as_slice()) && bodies.contains(&br#"{ "n":2 }"#.as_slice())
        );
    })
    .await;
}

#[tokio::test]
async fn a_folder_is_no_file_of_events() {
    scenario(async |world| {
        let folder = world.path("folder");
        std::fs::create_dir(&folder).unwrap();
        let (code, why) = failure(&run(world, &["publish", "--ndjson", folder.to_str().unwrap()]).await);
        assert_eq!(code, Some(1), "{why}");
        assert!(why.contains("it is a folder"), "{why}");
        let folder = std::fs::File::open(folder).unwrap();
        let mut from_stdin = command(world, &["publish", "--ndjson", "-"]);
        let output = from_stdin.stdin(folder).output().await.unwrap();
        let (code, why) = failure(&output);
        assert_eq!(code, Some(1), "{why}");
        assert!(why.contains("it is a folder"), "{why}");
    })
    .await;
}

#[tokio::test]
async fn an_interrupted_file_tells_what_is_confirmed_and_where_to_go_on() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let mut publish = command(world, &["publish", "--ndjson", "-"]);
        let mut child = publish
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let line = "{\"company\":\"acme\",\"type\":\"booking.created\",\"data\":{}}\n";
        let lines = format!("{line}no event\n{line}");
        stdin.write_all(lines.as_bytes()).await.unwrap();
        world.expect_in(Queue::Events, 2, SOON).await;
        // There could be more for ever.
        let pid = child.id().unwrap().to_string();
        let interrupted = Command::new("kill").args(["-INT", &pid]).status().await;
        assert!(interrupted.unwrap().success());
        let output = tokio::time::timeout(SOON, child.wait_with_output()).await;
        let output = output.expect("it ends although more could come").unwrap();
        let (told, stderr) = (out(&output), String::from_utf8_lossy(&output.stderr).into_owned());
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(told.starts_with("published 2 of 3 events in "), "{told}");
        assert!(
            stderr.contains("line 2:")
                && stderr.contains("stopped after line 3")
                && stderr.contains("line 4"),
            "{stderr}"
        );
    })
    .await;
}

#[tokio::test]
async fn listen_prints_what_came_and_whether_its_signatures_hold() {
    scenario(async |world| {
        let mut child = Command::new(program("hookline"))
            .args(["listen", "--port", "0", "--secret", SECRET])
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        let url = first
            .strip_prefix("listening on ")
            .expect("the address comes first");
        let at = hookline_tests::endpoint::Endpoint::at("ep_dev", &format!("{url}/hooks"));
        world.endpoints([at.text("secret", SECRET)]);
        let dispatcher = world.dispatcher().start().await;
        let event = world.publish("booking.created", "{}").await;
        let mut text = String::new();
        while text.matches("valid").count() < 2 {
            let line = tokio::time::timeout(SOON, lines.next_line())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            text.push_str(&line);
            text.push('\n');
        }
        assert!(
            text.contains(event.id.as_str()) && !text.contains("INVALID"),
            "{text}"
        );
        // It prints before it answers: an answer that is cut off by its end would leave a retry behind.
        dispatcher.has_let_go_within(SOON).await;
        let pid = child.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
    })
    .await;
}

#[tokio::test]
async fn topology_is_checked_applied_and_checked_again() {
    scenario(async |world| {
        let missing = run(world, &["topology", "check"]).await;
        assert_eq!(missing.status.code(), Some(1));
        let text = String::from_utf8_lossy(&missing.stdout).into_owned();
        assert!(
            text.contains(&world.queue(Queue::Failed)) && text.contains("missing"),
            "{text}"
        );
        let applied = succeed(world, &["topology", "apply"]).await;
        assert!(applied.contains("retry.1800s"), "{applied}");
        succeed(world, &["topology", "check"]).await;
    })
    .await;
}

#[tokio::test]
async fn dead_letters_are_filtered_and_purged_by_what_they_are() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver).disabled()]);
        world.dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        world.publish("booking.cancelled", "{}").await;
        world.expect_in(Queue::Failed, 2, SOON).await;

        let list = objects(world, &["dlq", "list", "--json", "--type", "booking.cancelled"]).await;
        assert_eq!(list.len(), 1, "{list:?}");
        assert_eq!(list[0]["type"], "booking.cancelled");
        assert!(
            objects(world, &["dlq", "list", "--json", "--company", "globex"])
                .await
                .is_empty()
        );

        let (code, why) = failure(&run(world, &["dlq", "purge"]).await);
        assert_eq!(code, Some(2), "{why}");
        assert!(why.contains("--yes"), "{why}");
        let (code, why) = failure(&run(world, &["dlq", "retry"]).await);
        assert_eq!(code, Some(2), "{why}");
        assert!(why.contains("--all"), "{why}");
        // On a terminal it asks, with the true count, and takes no for an answer.
        let purge = ["dlq", "purge", "--type", "booking.cancelled"];
        let (code, screen) = on_a_terminal(world, &purge, 60, "n\n").await;
        assert!(
            screen.contains(&format!(
                "Remove 1 dead letter of 2 in {} for good?",
                world.queue(Queue::Failed)
            )),
            "{screen}"
        );
        assert!(
            code == Some(1) && screen.contains("nothing was removed"),
            "{screen}"
        );
        world.expect_in(Queue::Failed, 2, SOON).await;
        succeed(world, &["dlq", "purge", "--yes", "--type", "booking.cancelled"]).await;
        world.expect_in(Queue::Failed, 1, SOON).await;
        let purged = succeed(world, &["dlq", "purge", "--yes"]).await;
        assert!(purged.contains('1'), "{purged}");
        eventually(SOON, "an empty queue", async || {
            objects(world, &["dlq", "list", "--json"])
                .await
                .is_empty()
                .then_some(())
        })
        .await;
    })
    .await;
}
