//! `hookline listen` between a dispatcher and a program on a developer's machine.

use std::process::Stdio;

use hookline_tests::cli::command;
use hookline_tests::endpoint::{Endpoint, SECRET};
use hookline_tests::records::Records;
use hookline_tests::{Receiver, World, http, scenario, status};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use url::Url;

use crate::SOON;

struct Listening {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Listening {
    async fn start(world: &World, arguments: &[&str]) -> Self {
        let arguments = [&["listen", "--port", "0"], arguments].concat();
        let mut command = command(world, &arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        let url = first.strip_prefix("listening on ").expect("its address");
        Self {
            url: url.to_owned(),
            child,
            lines,
        }
    }

    /// What it prints up to a line that contains `end`.
    async fn printed_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.contains(end) {
            let line = timeout(SOON, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("no {end:?} in {text}"));
            text.push_str(&line.unwrap().expect("another line"));
            text.push('\n');
        }
        text
    }
}

#[tokio::test]
async fn a_request_is_passed_on_as_it_came_and_answered_as_the_program_answers() {
    scenario(async |world| {
        let program = Receiver::answering(status(201).header("x-mine", "yes").body("stored")).await;
        let mut listening = Listening::start(
            world,
            &["--secret", SECRET, "--headers", "--forward-to", &program.url()],
        )
        .await;
        let hook = format!("{}/hooks?a=1", listening.url);
        world.endpoints([Endpoint::at("ep_dev", &hook).with("headers", "{ \"x-team\" = \"crm\" }")]);
        world.dispatcher().start().await;
        let event = world.publish("booking.created", "{ \"a\":1.0 }").await;
        let request = program.expect_one(SOON).await;
        assert_eq!(
            (request.id(), request.header("x-team")),
            (event.id.as_str(), "crm")
        );
        let body = std::str::from_utf8(&request.body).unwrap();
        assert!(body.contains("{ \"a\":1.0 }"), "{body}");
        let text = listening.printed_until("forwarded").await;
        for part in [
            "  x-team: crm",
            "webhook-signature: v1,",
            "Meeva-Signature    valid",
            "201 after",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let record = Records::of(world).await.expect(1, SOON).await.remove(0);
        assert_eq!(
            (
                &record["status"],
                &record["response"],
                &record["response_headers"]["x-mine"]
            ),
            (&201.into(), &"stored".into(), &"yes".into())
        );
    })
    .await;
}

#[tokio::test]
async fn a_program_that_is_not_up_is_told_and_answered_for_with_502() {
    scenario(async |world| {
        let mut listening = Listening::start(world, &["--forward-to", "http://127.0.0.1:1/hooks"]).await;
        world.endpoints([Endpoint::at("ep_dev", &format!("{}/hooks", listening.url))]);
        world.leaves(hookline_common::topology::Queue::Failed);
        let dispatcher = world.dispatcher();
        dispatcher.set("HOOKLINE_RETRY_SCHEDULE", "1s").start().await;
        let event = world.publish("booking.created", "{}").await;
        let text = listening.printed_until("NOT FORWARDED").await;
        assert!(
            text.contains(event.id.as_str()) && text.contains("is the program up"),
            "{text}"
        );
        let record = Records::of(world).await.expect(1, SOON).await.remove(0);
        assert_eq!(record["status"], 502, "{record}");
        world
            .expect_in(hookline_common::topology::Queue::Failed, 1, SOON)
            .await;
    })
    .await;
}

#[tokio::test]
async fn output_that_nobody_reads_holds_up_neither_an_answer_nor_the_end() {
    /// Of some 200 bytes each in the output, together several times what a pipe holds.
    const REQUESTS: usize = 1000;
    scenario(async |world| {
        let mut listening = Listening::start(world, &[]).await;
        let hook: Url = format!("{}/hooks", listening.url).parse().unwrap();
        for _ in 0..REQUESTS {
            let answered = timeout(SOON, http::get(&hook)).await.expect("an answer");
            assert_eq!(answered.unwrap().status, 200);
        }
        let pid = listening.child.id().unwrap().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(killed.await.unwrap().success());
        let ended = timeout(SOON, listening.child.wait()).await.expect("it ends");
        assert!(ended.unwrap().success());
    })
    .await;
}
