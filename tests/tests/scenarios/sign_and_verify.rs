//! `hookline sign` and `hookline verify`: a signature made and judged away from any dispatcher, for whoever
//! builds a receiver or looks for its fault.

use std::process::Stdio;

use hookline_tests::cli::{command, objects, out, run, succeed, why};
use hookline_tests::endpoint::{SECRET, endpoint};
use hookline_tests::{Receiver, scenario, signature, status};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::SOON;

const OTHER_SECRET: &str = "whsec_OTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTBmZWRjYmE=";
const BODY: &str = "{\"id\":\"evt_1\", \"data\":{\"n\":1.0}}";
const AT: &str = "1700000000";

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
