//! What an operator types at his desk: attempts followed live, a file checked, a signature made and verified. Each command
//! is run as the real program, and judged by its output and its exit status.

use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::cli::{objects, run, succeed};
use hookline_tests::dispatcher::program;
use hookline_tests::endpoint::{Endpoint, SECRET, endpoint, file};
use hookline_tests::records::Records;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Receiver, World, eventually, scenario, signature, status};
use lapin::BasicProperties;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::SOON;

const OTHER_SECRET: &str = "whsec_OTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTBmZWRjYmE=";
const BODY: &str = "{\"id\":\"evt_1\", \"data\":{\"n\":1.0}}";
const AT: &str = "1700000000";

fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(program("hookline"));
    command
        .args(arguments)
        .env_clear()
        .env("HOOKLINE_AMQP_URL", &services().amqp_url)
        .env("HOOKLINE_NAMESPACE", world.namespace().to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one line that tells why a command failed with `code`; no secret stands anywhere.
fn why(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    let errors: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("hookline: "))
        .collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert!(
        !stderr.contains("whsec_M") && !stderr.contains("whsec_O"),
        "{stderr}"
    );
    errors[0].to_owned()
}

/// `hookline tail` while it runs.
struct Tail {
    child: Child,
    stdout: Arc<Mutex<Vec<String>>>,
    stderr: Arc<Mutex<Vec<String>>>,
}

fn collect(source: impl AsyncRead + Send + Unpin + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    tokio::spawn(async move {
        let mut source = BufReader::new(source).lines();
        while let Ok(Some(line)) = source.next_line().await {
            log.lock().unwrap().push(line);
        }
    });
    lines
}

impl Tail {
    /// Starts it and waits until it follows.
    async fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let tail = Self {
            child,
            stdout,
            stderr,
        };
        tail.says("following ").await;
        tail
    }

    async fn of(world: &World, arguments: &[&str]) -> Self {
        Self::start(command(world, &[&["tail"], arguments].concat())).await
    }

    async fn says(&self, text: &str) {
        eventually(SOON, &format!("stderr says {text:?}"), async || {
            let lines = self.stderr.lock().unwrap();
            lines.iter().any(|line| line.contains(text)).then_some(())
        })
        .await;
    }

    async fn expect(&self, count: usize) -> Vec<String> {
        let what = format!("{count} lines of tail");
        let lines = eventually(SOON, &what, async || {
            let lines = self.stdout.lock().unwrap().clone();
            (lines.len() >= count).then_some(lines)
        })
        .await;
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines
    }

    async fn ends(&mut self) -> Option<i32> {
        timeout(SOON, self.child.wait())
            .await
            .expect("tail ends")
            .unwrap()
            .code()
    }

    async fn is_asked_to_stop(&mut self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
        assert_eq!(self.ends().await, Some(0), "{signal}");
    }
}

#[tokio::test]
async fn tail_prints_each_attempt_once_as_it_is_made() {
    scenario(async |world| {
        let (good, bad) = (
            Receiver::answering(status(200)).await,
            Receiver::scripted(|request| status(if request.attempt() == 1 { 503 } else { 204 })).await,
        );
        world.endpoints([endpoint("ep_good", &good), endpoint("ep_bad", &bad)]);
        world.dispatcher().start().await;
        let before = world.publish("booking.before", "{}").await;
        Records::of(world).await.expect(3, SOON).await;

        let mut all = Tail::of(world, &[]).await;
        let mut one = Tail::of(world, &["--company", "acme", "--endpoint", "ep_bad", "--json"]).await;
        let nobody = Tail::of(world, &["--company", "other"]).await;
        let event = world.publish("booking.created", "{}").await;

        let lines = all.expect(3).await;
        for line in &lines {
            let id = event.id.as_str();
            assert!(line.contains("booking.created") && line.contains(id), "{line}");
            assert!(!line.contains('\x1b') && !line.contains("http://"), "{line}");
        }
        let of = |marks: [&str; 3]| {
            lines
                .iter()
                .filter(|line| marks.iter().all(|mark| line.contains(mark)))
                .count()
        };
        assert_eq!(
            of(["delivered       200", "attempt 1", "acme/ep_good"]),
            1,
            "{lines:#?}"
        );
        assert_eq!(
            of(["http_status     503", "attempt 1", "  next 20"]),
            1,
            "{lines:#?}"
        );
        assert_eq!(
            of(["delivered       204", "attempt 2", "acme/ep_bad"]),
            1,
            "{lines:#?}"
        );

        let records: Vec<Value> = one
            .expect(2)
            .await
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let stored = Records::of(world).await.expect(6, SOON).await;
        for record in &records {
            assert_eq!(record["endpoint"], "ep_bad");
            assert!(stored.contains(record), "as it stands in the stream: {record}");
        }
        assert!(nobody.stdout.lock().unwrap().is_empty());

        let mut whole = Tail::of(world, &["--from", "first"]).await;
        assert!(whole.expect(6).await[0].contains(before.id.as_str()));
        let late = Tail::of(world, &["--from", "5m", "--endpoint", "ep_bad"]).await;
        late.expect(4).await;
        all.is_asked_to_stop("-INT").await;
        one.is_asked_to_stop("-TERM").await;
        whole.is_asked_to_stop("-TERM").await;
    })
    .await;
}

#[tokio::test]
async fn tail_skips_what_it_cannot_read_and_says_so() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let tail = Tail::of(world, &[]).await;
        let stream = world.queue(Queue::Attempts);
        let half = zstd::bulk::compress(b"{\"event\":\"\x1b[2J\"}\n\xff\n", 1).unwrap();
        for body in [b"no batch".to_vec(), half] {
            let properties = BasicProperties::default().with_content_encoding("zstd".into());
            world.broker().publish("", &stream, properties, &body).await;
        }
        let event = world.publish("booking.created", "{}").await;
        assert!(tail.expect(1).await[0].contains(event.id.as_str()));
        tail.says("a batch of 8 bytes of the stream cannot be read and is skipped")
            .await;
        let skipped = tail.stderr.lock().unwrap().clone();
        let records = skipped.iter().filter(|line| line.starts_with("a record of the"));
        assert_eq!(records.count(), 2, "{skipped:#?}");
        assert!(!skipped.concat().contains('\x1b'));
    })
    .await;
}

#[tokio::test]
async fn tail_ends_quietly_when_nobody_reads_and_with_a_word_when_the_broker_is_gone() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;

        let wire = Wire::to(&services().amqp_url).await;
        let mut through_wire = command(world, &["tail"]);
        through_wire.env("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url));
        let mut cut_off = Tail::start(through_wire).await;

        let mut child = command(world, &["tail"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = collect(child.stderr.take().unwrap());
        eventually(SOON, "it follows", async || {
            (!stderr.lock().unwrap().is_empty()).then_some(())
        })
        .await;
        drop(child.stdout.take());
        world.publish("booking.created", "{}").await;
        cut_off.expect(1).await;
        let ended = timeout(SOON, child.wait()).await.expect("it ends").unwrap();
        assert_eq!(ended.code(), Some(0));
        assert_eq!(stderr.lock().unwrap().len(), 1, "nothing but where it followed");

        wire.cut();
        assert_eq!(cut_off.ends().await, Some(1));
        cut_off.says("hookline: the stream of attempts at amqp://").await;
        let told = cut_off.stderr.lock().unwrap().clone();
        assert!(told.len() == 2 && told[1].contains("--from 5m"), "{told:#?}");
    })
    .await;
}

#[tokio::test]
async fn tail_says_what_is_missing() {
    scenario(async |world| {
        let missing = why(&run(world, &["tail"]).await, 1);
        assert!(
            missing.contains("no stream") && missing.contains("topology apply"),
            "{missing}"
        );
        let usage = why(&run(world, &["tail", "--from", "yesterday"]).await, 2);
        assert!(usage.contains("--from"), "{usage}");
        let mut nowhere = command(world, &["tail"]);
        nowhere.env("HOOKLINE_AMQP_URL", "amqp://guest:s3cret@127.0.0.1:1");
        let unreachable = why(&nowhere.output().await.unwrap(), 1);
        assert!(
            unreachable.contains("HOOKLINE_AMQP_URL") && !unreachable.contains("s3cret"),
            "{unreachable}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_good_endpoints_file_is_listed() {
    scenario(async |world| {
        let path = world.path("good.toml");
        let path = path.to_str().unwrap();
        let endpoints = [
            Endpoint::at("ep_crm", "https://crm.example.com/t0ken?k=t0ken").events(&["booking.*"]),
            Endpoint::at("ep_old", "https://1.1.1.1:8443/")
                .text("secret", "not-a-standard-key")
                .disabled(),
            Endpoint::at("ep_dev", "http://127.0.0.1:9000/").text("format", "standard"),
        ];
        std::fs::write(path, file(&endpoints)).unwrap();
        let flags = ["--allow-http", "true", "--allow-cidrs", "127.0.0.0/8"];
        let check = [&["endpoints", "check", path], &flags[..]].concat();
        let output = run(world, &check).await;
        let (stdout, stderr) = (out(&output), String::from_utf8(output.stderr.clone()).unwrap());
        assert!(output.status.success(), "{stderr}");
        for part in [
            "crm.example.com",
            "booking.*",
            "1.1.1.1:8443",
            "disabled",
            "http://127.0.0.1:9000",
            "standard",
        ] {
            assert!(stdout.contains(part), "{part} in\n{stdout}");
        }
        assert!(
            stderr.contains("notice: endpoint ep_old of acme") && stderr.contains("webhook-signature"),
            "{stderr}"
        );
        for secret in ["t0ken", "whsec_MD", "not-a-standard-key"] {
            assert!(!stdout.contains(secret) && !stderr.contains(secret), "{secret}");
        }
        let rows = objects(world, &[&check[..], &["--json"]].concat()).await;
        assert_eq!(rows.len(), 3);
        assert_eq!(
            (
                &rows[0]["company"],
                &rows[0]["id"],
                &rows[0]["host"],
                &rows[0]["format"]
            ),
            (
                &json!("acme"),
                &json!("ep_crm"),
                &json!("crm.example.com"),
                &json!("meeva")
            )
        );
        assert_eq!(
            (&rows[0]["webhook_signature"], &rows[1]["webhook_signature"]),
            (&json!(true), &json!(false))
        );

        // The same by environment, and from stdin.
        let mut by_environment = command(world, &["endpoints", "check", "-"]);
        by_environment
            .env("HOOKLINE_ALLOW_HTTP", "true")
            .env("HOOKLINE_ALLOW_CIDRS", "127.0.0.1")
            .stdin(std::fs::File::open(path).unwrap());
        let output = by_environment.output().await.unwrap();
        assert!(output.status.success() && out(&output).contains("ep_dev"));
    })
    .await;
}

#[tokio::test]
async fn each_fault_of_an_endpoints_file_is_named() {
    scenario(async |world| {
        let path = world.path("bad.toml");
        let path = path.to_str().unwrap();
        let endpoints = [
            Endpoint::at("ep_http", "http://crm.example.com/"),
            Endpoint::at("ep_inside", "https://169.254.169.254/latest"),
            Endpoint::at("ep_short", "https://crm.example.com/").text("secret", "short"),
            Endpoint::at("ep_typo", "https://crm.example.com/").with("evnets", "[\"a\\u001b[2J\"]"),
            Endpoint::at("ep_name", "https://receiver/"),
        ];
        std::fs::write(path, file(&endpoints)).unwrap();
        let output = run(world, &["endpoints", "check", path]).await;
        let error = why(&output, 1);
        assert!(error.contains("5 faults in") && error.contains(path), "{error}");
        let stdout = out(&output);
        assert_eq!(stdout.lines().count(), 5, "{stdout}");
        for (line, part) in stdout.lines().zip([
            "line 4: endpoint ep_http: url: plain http",
            "line 9: endpoint ep_inside: url: the address",
            "line 15: endpoint ep_short: secret: the secret is 5 characters long",
            "line 21: endpoint ep_typo: evnets: ",
            "line 25: endpoint ep_name: url: the host receiver",
        ]) {
            assert!(line.starts_with(part), "{part}\n{line}");
        }
        assert!(
            !stdout.contains('\x1b') && !stdout.contains("whsec_MD"),
            "{stdout}"
        );

        let output = run(world, &["endpoints", "check", path, "--json"]).await;
        why(&output, 1);
        let first: Value = serde_json::from_str(out(&output).lines().next().unwrap()).unwrap();
        assert_eq!(
            (&first["line"], &first["endpoint"], &first["key"]),
            (&json!(4), &json!("ep_http"), &json!("url"))
        );

        let lenient = ["--allow-hosts", "receiver", "--allow-http", "true"];
        let output = run(world, &[&["endpoints", "check", path], &lenient[..]].concat()).await;
        assert!(why(&output, 1).contains("3 faults in"));
        let nothing = why(&run(world, &["endpoints", "check", "/nowhere"]).await, 1);
        assert!(nothing.contains("/nowhere cannot be read"), "{nothing}");
        let setting = run(world, &["endpoints", "check", path, "--allow-cidrs", "0.0.0.0/0"]).await;
        assert!(why(&setting, 2).contains("HOOKLINE_ALLOW_CIDRS"));
        why(&run(world, &["endpoints", "check"]).await, 2);
    })
    .await;
}

#[tokio::test]
async fn sign_prints_what_a_receiver_computes_by_itself() {
    scenario(async |world| {
        let sign = [
            "sign", "--secret", SECRET, "--id", "evt_1", "--timestamp", AT, "--data", BODY,
        ];
        let standard = |secret| signature::standard(secret, "evt_1", AT, BODY.as_bytes());
        let meeva = |secret| signature::meeva(secret, BODY.as_bytes());
        let expected = |standard: &str, meeva: &str| {
            format!(
                "webhook-id: evt_1\nwebhook-timestamp: {AT}\nwebhook-signature: {standard}\nMeeva-Signature: {meeva}\n"
            )
        };
        assert_eq!(
            succeed(world, &sign).await,
            expected(&standard(SECRET), &meeva(SECRET))
        );

        let old = world.path("old.secret");
        std::fs::write(&old, format!("{OTHER_SECRET}\n")).unwrap();
        let rotation = ["--previous-secret-file", old.to_str().unwrap()];
        let both = format!("{} {}", standard(SECRET), standard(OTHER_SECRET));
        assert_eq!(
            succeed(world, &[&sign[..], &rotation].concat()).await,
            expected(&both, &meeva(OTHER_SECRET))
        );
        let headers = objects(world, &[&sign[..], &["--json"]].concat()).await.remove(0);
        assert_eq!(
            headers,
            json!({"webhook-id": "evt_1", "webhook-timestamp": AT, "webhook-signature": standard(SECRET),
                "Meeva-Signature": meeva(SECRET)})
        );

        let plain = ["sign", "--secret", "not-a-standard-key", "--id", "evt_1", "--data", BODY];
        let output = run(world, &plain).await;
        assert!(output.status.success() && !out(&output).contains("webhook-signature"));
        assert!(String::from_utf8(output.stderr).unwrap().contains("no webhook-signature"));

        for (bad, code, part) in [
            (vec!["sign", "--secret", "short", "--id", "evt_1", "--data", BODY], 2, "--secret: the secret is 5"),
            (vec!["sign", "--secret", SECRET, "--id", "a.b", "--data", BODY], 2, "--id"),
            (vec!["sign", "--id", "evt_1", "--data", BODY], 2, "--secret"),
            (vec!["sign", "--secret", SECRET, "--id", "evt_1", "--data", "@/nowhere"], 1, "--data: /nowhere"),
            (vec!["sign", "--secret-file", "/nowhere", "--id", "evt_1", "--data", BODY], 1, "--secret-file: /nowhere"),
        ] {
            let error = why(&run(world, &bad).await, code);
            assert!(error.contains(part), "{part} in {error}");
        }
    })
    .await;
}

#[tokio::test]
async fn verify_says_whether_a_signature_holds_and_why_not() {
    scenario(async |world| {
        let standard = signature::standard(SECRET, "evt_1", AT, BODY.as_bytes());
        let meeva = signature::meeva(OTHER_SECRET, BODY.as_bytes());
        let secrets = ["verify", "--secret", SECRET, "--secret", OTHER_SECRET];
        let of_standard = ["--id", "evt_1", "--timestamp", AT, "--signature", &standard];
        let of_meeva = ["--meeva-signature", &meeva];

        let valid = [&secrets[..], &of_meeva, &["--data", BODY]].concat();
        assert_eq!(succeed(world, &valid).await, "Meeva-Signature: valid\n");
        let valid = [
            &secrets[..],
            &of_standard,
            &["--now", "1700000300", "--data", BODY],
        ]
        .concat();
        assert_eq!(succeed(world, &valid).await, "webhook-signature: valid\n");
        // The body from stdin and from a file, byte for byte.
        let (body, secret) = (world.path("body.json"), world.path("secret"));
        std::fs::write(&body, BODY).unwrap();
        std::fs::write(&secret, OTHER_SECRET).unwrap();
        let from_files = [
            "--secret-file",
            secret.to_str().unwrap(),
            "--data",
            &format!("@{}", body.display()),
        ];
        succeed(world, &[&["verify"], &of_meeva[..], &from_files].concat()).await;
        let mut child = command(world, &[&secrets[..], &of_meeva, &["--data", "-"]].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(BODY.as_bytes()).await.unwrap();
        drop(stdin);
        assert!(timeout(SOON, child.wait()).await.unwrap().unwrap().success());

        let now = ["--now", AT];
        for (bad, code, part) in [
            (
                [&secrets[..], &of_meeva, &["--data", "{}"]].concat(),
                1,
                "no signature matches",
            ),
            (
                [&secrets[..], &["--meeva-signature", "\x1b[2J", "--data", BODY]].concat(),
                1,
                "is malformed",
            ),
            (
                [&["verify", "--secret", SECRET], &of_meeva[..], &["--data", BODY]].concat(),
                1,
                "no signature matches",
            ),
            (
                [&secrets[..], &of_standard, &["--data", BODY]].concat(),
                1,
                "s old",
            ),
            (
                [&secrets[..], &of_standard, &now, &["--data", "{}"]].concat(),
                1,
                "no signature matches",
            ),
            (
                [
                    &["verify", "--secret", "not-a-standard-key"],
                    &of_standard[..],
                    &now,
                    &["--data", BODY],
                ]
                .concat(),
                1,
                "no secret can verify",
            ),
            ([&secrets[..], &["--data", BODY]].concat(), 2, "--meeva-signature"),
            (
                [&["verify"], &of_meeva[..], &["--data", BODY]].concat(),
                2,
                "--secret",
            ),
            (
                [&secrets[..], &of_meeva, &of_standard, &["--data", BODY]].concat(),
                2,
                "cannot be used with",
            ),
        ] {
            let output = run(world, &bad).await;
            let error = why(&output, code);
            assert!(
                error.contains(part) && !error.contains('\x1b'),
                "{part} in {error}"
            );
            assert!(output.stdout.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn what_hookline_sends_is_what_sign_prints_and_verify_accepts() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        world.publish("booking.created", "{ \"a\":1.0 }").await;
        let request = receiver.expect_one(SOON).await;
        let [id, timestamp, standard, meeva] = [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "meeva-signature",
        ]
        .map(|name| request.header(name));
        let body = world.path("body.json");
        std::fs::write(&body, &request.body).unwrap();
        let data = ["--data", &format!("@{}", body.display())];
        let sign = [
            "sign",
            "--secret",
            SECRET,
            "--id",
            id,
            "--timestamp",
            timestamp,
            "--json",
        ];
        let signed = objects(world, &[&sign[..], &data].concat()).await.remove(0);
        assert_eq!(
            (&signed["webhook-signature"], &signed["Meeva-Signature"]),
            (&json!(standard), &json!(meeva))
        );
        let of_standard = ["--id", id, "--timestamp", timestamp, "--signature", standard];
        for scheme in [&of_standard[..], &["--meeva-signature", meeva]] {
            succeed(world, &[&["verify", "--secret", SECRET], scheme, &data].concat()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn completions_are_scripts_of_their_shells() {
    scenario(async |world| {
        for (shell, mark) in [
            ("bash", "complete -F _hookline"),
            ("zsh", "#compdef hookline"),
            ("fish", "complete -c hookline"),
        ] {
            let script = succeed(world, &["completions", shell]).await;
            assert!(script.contains(mark) && script.contains("tail"), "{shell}");
        }
        let path = world.path("hookline.bash");
        std::fs::write(&path, succeed(world, &["completions", "bash"]).await).unwrap();
        let is_bash = Command::new("bash").arg("-n").arg(&path).status().await.unwrap();
        assert!(is_bash.success());
        assert!(why(&run(world, &["completions", "cmd"]).await, 2).contains("bash, zsh, fish"));
    })
    .await;
}

#[tokio::test]
async fn each_command_teaches_with_examples_and_prints_no_secret() {
    scenario(async |world| {
        for words in [
            &["tail"][..],
            &["endpoints"],
            &["endpoints", "check"],
            &["sign"],
            &["verify"],
            &["completions"],
        ] {
            let mut help = command(world, &[words, &["--help"]].concat());
            help.env("HOOKLINE_AMQP_URL", "amqp://guest:s3cret@127.0.0.1:1");
            let output = timeout(Duration::from_secs(10), help.output())
                .await
                .unwrap()
                .unwrap();
            let help = out(&output);
            let words = words.join(" ");
            assert!(output.status.success(), "{words}");
            assert!(
                help.contains("Example") && help.contains(&format!("hookline {words}")),
                "{help}"
            );
            assert!(!help.contains("s3cret"), "{help}");
        }
    })
    .await;
}
