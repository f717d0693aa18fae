//! `hookline endpoints` and `hookline tokens`: the console from a shell.

mod log; // what became of events
mod failed; // what failed for good
mod import; // a file of endpoints
mod refusals; // what a console, or somebody else, says instead
mod send_test; // a sample of an event

use std::process::{Output, Stdio};

use hookline_tests::World;
use hookline_tests::cli::{command, out, why};
use hookline_tests::console::{ADMIN_TOKEN, Console, database_scenario, setup, start};
use hookline_tests::dispatcher::program;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::SOON;

/// A shell at which somebody works with one token.
struct Shell<'a> {
    world: &'a World,
    url: String,
    token: String,
}

impl<'a> Shell<'a> {
    fn new(world: &'a World, url: &str, token: &str) -> Self {
        let (url, token) = (url.to_owned(), token.to_owned());
        Self { world, url, token }
    }

    /// The operator's, at this console.
    fn admin(world: &'a World, console: &Console) -> Self {
        let url = format!("http://127.0.0.1:{}", console.process().port());
        Self::new(world, &url, ADMIN_TOKEN)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.world, arguments);
        command
            .env("HOOKLINE_API_URL", &self.url)
            .env("HOOKLINE_API_TOKEN", &self.token);
        command
    }

    /// Runs a command; its token stands on neither stream.
    async fn run(&self, line: &str) -> Output {
        let words: Vec<&str> = line.split(' ').collect();
        let output = self.command(&words).output().await.unwrap();
        for stream in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(stream);
            assert!(!text.contains(&self.token), "{line}: {text}");
        }
        output
    }

    async fn succeed(&self, line: &str) -> String {
        let output = self.run(line).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "hookline {line}: {stderr}");
        out(&output)
    }

    async fn objects(&self, line: &str) -> Vec<Value> {
        let text = self.succeed(&format!("{line} --json")).await;
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    async fn object(&self, line: &str) -> Value {
        let mut objects = self.objects(line).await;
        assert_eq!(objects.len(), 1, "{line}");
        objects.remove(0)
    }

    /// The one line that tells why a command failed with exit status 1.
    async fn fail(&self, line: &str) -> String {
        why(&self.run(line).await, 1)
    }

    /// At a terminal, where `input` is typed: its exit status, and what the screen shows.
    async fn on_a_terminal(&self, line: &str, input: &str) -> (Option<i32>, String) {
        let program = program("hookline");
        let line = format!("stty rows 50 cols 100; {} {line}", program.display());
        let mut script = Command::new("script");
        script
            .args(["-q", "-e", "-c", &line, "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("NO_COLOR", "1")
            .env("HOOKLINE_API_URL", &self.url)
            .env("HOOKLINE_API_TOKEN", &self.token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut running = script.spawn().unwrap();
        let mut keyboard = running.stdin.take().unwrap();
        keyboard.write_all(input.as_bytes()).await.unwrap();
        let output = timeout(SOON, running.wait_with_output()).await.unwrap().unwrap();
        // Only now: a keyboard that is gone would end what is still to be read.
        drop(keyboard);
        let screen = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        (output.status.code(), screen)
    }
}

#[tokio::test]
async fn an_endpoint_is_added_listed_shown_paused_rotated_and_removed() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let admin = Shell::admin(world, &console);
        let made = admin.object("tokens add --company acme --name crm").await;
        // The company does all of it with its own token.
        let acme = Shell::new(world, &admin.url, made["token"].as_str().unwrap());
        let key = world.path("key");
        std::fs::write(&key, "s3cret-header\n").unwrap();

        let added = acme
            .run(&format!(
                "endpoints add --company acme --url https://crm.example.com/hooks --format standard \
                 --events booking.*,form.submitted --header x-team=crm --header x-key=@{} --rate 50/s --description CRM",
                key.display()
            ))
            .await;
        let hint = String::from_utf8_lossy(&added.stderr).into_owned();
        let (added, id, secret) = id_and_secret(&out(&added));
        assert_eq!(added.lines().count(), 2, "{added}");
        assert!(
            hint.contains(&format!("endpoints show {id} --company acme --secret")) && !hint.contains(&secret),
            "{hint}"
        );

        let listed = acme.succeed("endpoints list --company acme").await;
        let row = listed.lines().nth(1).unwrap();
        for part in [&id, "https://crm.example.com/hooks", "standard", "booking.*,form.submitted", "active"] {
            assert!(row.contains(part), "{part} in {row}");
        }
        let shown = acme.succeed(&format!("endpoints show {id} --company acme")).await;
        for part in ["x-key: ***, x-team: ***", "50/s", "CRM", "active"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(!shown.contains("whsec_") && !shown.contains("s3cret-header"), "{shown}");
        let revealed = acme.object(&format!("endpoints show {id} --company acme --secret")).await;
        assert_eq!(revealed["secret"], json!(secret));

        acme.succeed(&format!("endpoints pause {id} --company acme")).await;
        assert_eq!(acme.objects("endpoints list --company acme").await[0]["disabled"], json!(true));
        let resumed = acme.object(&format!("endpoints resume {id} --company acme")).await;
        assert_eq!(resumed["disabled"], json!(false));

        let rotated = acme.object(&format!("endpoints rotate {id} --company acme --overlap 2h")).await;
        assert!(rotated["secret"].as_str().unwrap() != secret && rotated["overlap_until"].is_string());
        let told = acme.fail(&format!("endpoints rotate {id} --company acme")).await;
        assert!(told.contains("409") && told.contains("--complete"), "{told}");
        let shown = acme.succeed(&format!("endpoints show {id} --company acme --secret")).await;
        assert!(shown.contains("counts as well until"), "{shown}");
        let completed = acme.object(&format!("endpoints rotate {id} --company acme --complete")).await;
        assert_eq!(completed["overlap_until"], Value::Null);

        // Nobody is there to be asked.
        let unasked = acme.run(&format!("endpoints remove {id} --company acme")).await;
        assert!(why(&unasked, 2).contains("--yes"));
        let (code, screen) = acme.on_a_terminal(&format!("endpoints remove {id} --company acme"), "n\n").await;
        assert!(code == Some(1) && screen.contains("https://crm.example.com/hooks"), "{screen}");
        assert_eq!(acme.objects("endpoints list --company acme").await.len(), 1);
        let (code, screen) = acme.on_a_terminal(&format!("endpoints remove {id} --company acme"), "y\n").await;
        assert!(code == Some(0) && screen.contains(&format!("removed {id}")), "{screen}");
        let told = acme.fail(&format!("endpoints show {id} --company acme")).await;
        assert!(told.contains("404") && told.contains("endpoints list --company acme"), "{told}");
    })
    .await;
}

/// What `add` prints: the whole, the id, the secret.
fn id_and_secret(text: &str) -> (String, String, String) {
    let field = |name: &str| {
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        let value = line.and_then(|line| line.split_whitespace().nth(1));
        value.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
    };
    (text.to_owned(), field("id"), field("secret"))
}

#[tokio::test]
async fn what_is_brought_along_is_taken_and_not_repeated() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let admin = Shell::admin(world, &console);
        let file = world.path("secret");
        std::fs::write(&file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let add = format!(
            "endpoints add --company acme --id ep_crm --url https://crm.example.com/ --secret-file {}",
            file.display()
        );
        let added = admin.run(&add).await;
        assert!(added.status.success());
        assert_eq!(out(&added), "id  ep_crm\n");
        assert!(!String::from_utf8_lossy(&added.stderr).contains("whsec_"));
        let shown = admin
            .object("endpoints show ep_crm --company acme --secret")
            .await;
        assert_eq!(shown["secret"], json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        let told = admin.fail(&add).await;
        assert!(
            told.contains("endpoint_exists") && told.contains("--id"),
            "{told}"
        );
        // Refused before it is sent, and without a word of it.
        let bad = admin
            .run("endpoints add --company acme --url https://crm.example.com/ --secret s3cret")
            .await;
        let told = why(&bad, 2);
        assert!(told.contains("--secret") && !told.contains("s3cret"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_by_the_operator_alone() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let admin = Shell::admin(world, &console);
        let made = admin
            .object("tokens add --company acme --name reporting --expires-in 90d")
            .await;
        let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
        let acme = Shell::new(world, &admin.url, token);
        assert_eq!(acme.succeed("endpoints list --company acme").await, "");
        // Another company's things are not there for it, and tokens are the operator's.
        assert!(acme.fail("endpoints list --company globex").await.contains("404"));
        let told = acme.fail("tokens list --company acme").await;
        assert!(
            told.contains("403") && told.contains("operator's token"),
            "{told}"
        );

        let listed = admin.succeed("tokens list --company acme").await;
        assert!(
            listed.contains(id) && listed.contains("reporting") && listed.contains("until "),
            "{listed}"
        );
        let rows = admin.objects("tokens list --company acme").await;
        assert!(rows.len() == 1 && rows[0]["last_used_at"].is_string(), "{rows:?}");
        assert!(!format!("{rows:?}{listed}").contains(token));

        admin.succeed(&format!("tokens revoke {id} --company acme")).await;
        let told = acme.fail("endpoints list --company acme").await;
        assert!(
            told.contains("401") && told.contains("HOOKLINE_API_TOKEN"),
            "{told}"
        );
        assert!(
            admin
                .succeed("tokens list --company acme")
                .await
                .contains("revoked")
        );
    })
    .await;
}
