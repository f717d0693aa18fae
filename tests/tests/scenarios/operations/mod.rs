//! docs/OPERATIONS.md, played: what it says to do is done with its own commands, against a real broker and a real database, and
//! what it says will happen does.

mod backup; // a database that is restored to an earlier moment
mod schedule; // another one, on a system at work
mod namespace; // from one to another
mod broker_lost; // with all that was on its way
mod database_lost; // with all its endpoints, or the key to them

use std::path::PathBuf;

use hookline_common::topology::Namespace;
use hookline_producer::{Event, Producer, Settings};
use hookline_tests::cli::command;
use hookline_tests::console::{ADMIN_TOKEN, Console};
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::receiver::Received;
use hookline_tests::signature::meeva;
use hookline_tests::{World, eventually};
use serde_json::Value;
use tokio::process::Command;

use super::SOON;

const DOCUMENT: &str = include_str!("../../../../docs/OPERATIONS.md");

/// All commands of the document: lines of its blocks, and what stands between backticks.
fn commands() -> Vec<String> {
    let (mut commands, mut prose, mut is_block) = (Vec::new(), String::new(), false);
    for line in DOCUMENT.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            commands.push(line.trim().to_owned());
        } else {
            prose.push_str(line.trim());
            prose.push(' ');
        }
    }
    commands.extend(prose.split('`').skip(1).step_by(2).map(str::to_owned));
    commands
}

/// The words of the document's command that begins like this. What stands for something in it is given by its own word, and `…` by
/// the word before.
fn documented(start: &str, values: &[(&str, &str)]) -> Vec<String> {
    let all = commands();
    let found = all.iter().find(|command| command.starts_with(start));
    let command = found.unwrap_or_else(|| panic!("docs/OPERATIONS.md has no command `{start}`"));
    let mut before = "";
    let words = command.split(' ').map(|word| {
        let name = if word == "…" { before } else { word };
        before = word;
        let value = values
            .iter()
            .find(|(known, _)| *known == name && (word == "…" || !known.starts_with("--")));
        assert!(
            word != "…" || value.is_some(),
            "what is … after {name} in `{command}`?"
        );
        value.map_or(word, |(_, value)| value).to_owned()
    });
    words.collect()
}

/// A person at a shell.
struct Operator<'a> {
    world: &'a World,
    variables: Vec<(&'static str, String)>,
}

impl<'a> Operator<'a> {
    fn new(world: &'a World) -> Self {
        Self {
            world,
            variables: Vec::new(),
        }
    }

    fn at_console(self, console: &Console) -> Self {
        let url = format!("http://127.0.0.1:{}", console.process().port());
        self.with("HOOKLINE_API_URL", url)
            .with("HOOKLINE_API_TOKEN", ADMIN_TOKEN.to_owned())
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.variables.push((name, value));
        self
    }

    /// Runs the document's `hookline …`, with further words, and returns what it printed.
    async fn runs(&self, start: &str, values: &[(&str, &str)], more: &[&str]) -> String {
        let words = documented(start, values);
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(words.remove(0), "hookline");
        words.extend(more);
        let mut command = command(self.world, &words);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().await.unwrap();
        let (out, told) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        assert!(output.status.success(), "hookline {words:?}: {told}{out}");
        out
    }

    /// The same of a command that lists things.
    async fn lists(&self, start: &str, values: &[(&str, &str)]) -> Vec<Value> {
        let text = self.runs(start, values, &["--json"]).await;
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A program of PostgreSQL's, where packages put it.
fn postgres_program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin").join(name)))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    // Where there are none of these, that on PATH is asked.
    found.pop().unwrap_or_else(|| name.into())
}

/// Runs the document's command of PostgreSQL's.
async fn postgres_runs(start: &str, url: &str, dump: &str) {
    let words: Vec<String> = documented(start, &[])
        .into_iter()
        .map(|word| {
            word.replace("\"$HOOKLINE_DATABASE_URL\"", url)
                .replace("hookline.dump", dump)
        })
        .collect();
    let output = Command::new(postgres_program(&words[0]))
        .args(&words[1..])
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {told}");
}

/// A publisher at a broker of the test's own.
async fn publisher(broker: &PrivateBroker, namespace: &str) -> Producer {
    let settings = Settings::new(&broker.url()).unwrap();
    let namespace = Namespace::parse(namespace).unwrap();
    Producer::connect(settings.with_namespace(namespace))
        .await
        .unwrap()
}

/// Whether a receiver with this secret takes the request for ours.
fn is_signed(request: &Received, secret: &str) -> bool {
    request.header("meeva-signature") == meeva(secret, &request.body)
}

fn event(event_type: &str, data: &str) -> Event {
    Event::new("acme", event_type, data.to_owned()).unwrap()
}

/// Waits until the console's log has this delivery so often attempted, and in this state.
async fn is_logged(console: &Console, event: &Event, endpoint: &str, attempts: usize, state: &str) {
    let path = format!("/v1/companies/acme/deliveries/{}/{endpoint}", event.id);
    let what = format!("{state} after {attempts} attempts of {} in the log", event.id);
    eventually(SOON, &what, async || {
        let reply = console.admin().get(&path).await;
        let delivery = (reply.status == 200).then(|| reply.json())?;
        let made = delivery["attempts"].as_array()?.len();
        assert!(made <= attempts, "{delivery:#}");
        (made == attempts && delivery["status"] == state).then_some(())
    })
    .await;
}

/// Waits until the console has this dead letter.
async fn is_filed(console: &Console, event: &Event, endpoint: &str) {
    let path = format!("/v1/companies/acme/failed/{}/{endpoint}", event.id);
    eventually(SOON, "the dead letter is filed", async || {
        (console.admin().get(&path).await.status == 200).then_some(())
    })
    .await;
}

#[test]
fn a_command_is_found_in_the_document_and_what_stands_for_something_is_filled_in() {
    let words = documented(
        "hookline events replay",
        &[
            ("EVENT_ID", "evt_1"),
            ("--company", "acme"),
            ("--endpoint", "ep_1"),
        ],
    );
    let wanted = [
        "hookline",
        "events",
        "replay",
        "evt_1",
        "--company",
        "acme",
        "--endpoint",
        "ep_1",
    ];
    assert_eq!(words, wanted);
}
