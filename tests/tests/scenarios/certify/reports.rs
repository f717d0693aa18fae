//! What a partner gets to read, in a terminal and as a page; and why there may be nothing to read.

use hookline_tests::cli::{out, run, why};
use hookline_tests::endpoint::SECRET;
use hookline_tests::{Receiver, scenario, status};

use super::HERE;

#[tokio::test]
async fn the_report_says_what_was_sent_and_answered_and_shows_hostile_answers_as_text() {
    scenario(async |world| {
        let hostile = "<script>alert(1)</script>\u{1b}[2J";
        let receiver = Receiver::answering(status(500).body(hostile)).await;
        let page = world.path("report.html");
        let url = format!("{}?token=s3cret", receiver.url());
        let arguments = [
            "certify",
            &url,
            "--secret",
            SECRET,
            "--html",
            page.to_str().unwrap(),
        ];
        let output = run(world, &[&arguments[..], &HERE].concat()).await;
        assert!(why(&output, 1).contains("has not passed: life"));
        let printed = out(&output);
        for part in [
            "failed ",
            "good      2xx",
            "sent booking.created evt_",
            "500 after",
            "to do",
            "\\u{1b}[2J",
            "NOT PASSED",
        ] {
            assert!(printed.contains(part), "{part}: {printed}");
        }
        let page = std::fs::read_to_string(page).unwrap();
        assert!(
            page.contains("&lt;script&gt;") && page.contains("Not passed"),
            "{page}"
        );
        assert!(!page.contains("<script>"), "it is text there");
        for (name, text) in [("terminal", &printed), ("page", &page)] {
            for secret in ["s3cret", SECRET, "\u{1b}"] {
                assert!(!text.contains(secret), "{name} shows {secret:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_guard_refuses_gets_nothing_and_says_how_to_let_it_through() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        let url = receiver.url();
        for (flags, part) in [
            (&[][..], "HOOKLINE_ALLOW_HTTP"),
            (&["--allow-http", "true"], "HOOKLINE_ALLOW_CIDRS"),
        ] {
            let arguments = [&["certify", &url, "--secret", SECRET], flags].concat();
            let told = why(&run(world, &arguments).await, 1);
            assert!(told.contains(part), "{told}");
        }
        assert_eq!(receiver.connections(), 0);
        let no_secret = why(&run(world, &["certify", &url]).await, 2);
        assert!(no_secret.contains("--secret-file"), "{no_secret}");
        let bad = why(&run(world, &["certify", &url, "--secret", "short"]).await, 2);
        assert!(bad.contains("--secret"), "{bad}");
    })
    .await;
}
