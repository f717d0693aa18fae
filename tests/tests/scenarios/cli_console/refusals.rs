//! What commands say where the console refuses, is away, or is somebody else. Most of it is played by a receiver.

use hookline_tests::answer::status;
use hookline_tests::cli::{out, why};
use hookline_tests::{Receiver, scenario};

use super::Shell;

const LIST: &str = "endpoints list --company acme";

#[tokio::test]
async fn being_asked_to_wait_is_heeded_and_told() {
    scenario(async |world| {
        let mut asked = 0;
        let receiver = Receiver::scripted(move |_| {
            asked += 1;
            match asked {
                1 => status(429)
                    .header("content-type", "application/problem+json")
                    .header("retry-after", "1")
                    .body(r#"{"code":"rate_limited","detail":"slower"}"#),
                _ => status(200).body(r#"{"data":[{"id":"ep_1"}],"next":null}"#),
            }
        })
        .await;
        let shell = Shell::new(world, &receiver.url(), "t0ken");
        let output = shell.run(&format!("{LIST} --json")).await;
        assert_eq!(out(&output), "{\"id\":\"ep_1\"}\n");
        assert!(String::from_utf8_lossy(&output.stderr).contains("asks to wait 1 s"));
        let requests = receiver.requests();
        assert_eq!(requests.len(), 2);
        assert!(requests[1].arrived - requests[0].arrived >= std::time::Duration::from_secs(1));
        assert_eq!(requests[0].header("authorization"), "Bearer t0ken");
        assert_eq!(requests[0].path, "/hook/v1/companies/acme/endpoints?limit=200");

        // Nobody waits for an hour.
        receiver.answer_now(
            status(429)
                .header("content-type", "application/problem+json")
                .header("retry-after", "3600")
                .body(r#"{"code":"rate_limited","detail":"slower"}"#),
        );
        let told = shell.fail(LIST).await;
        assert!(told.contains("429") && told.contains("in 3600 s"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn a_console_without_its_database_is_told_from_one_that_is_away_and_from_somebody_else() {
    scenario(async |world| {
        let receiver = Receiver::answering(
            status(503)
                .header("content-type", "application/problem+json")
                .header("retry-after", "1")
                .body(r#"{"code":"database_unavailable","detail":"the database does not answer"}"#),
        )
        .await;
        let shell = Shell::new(world, &receiver.url(), "t0ken");
        let told = shell.fail(LIST).await;
        assert!(
            told.contains("503 database_unavailable") && told.contains("in 1 s") && told.contains("/readyz"),
            "{told}"
        );
        assert_eq!(receiver.count(), 1, "what may have been done is not done again");

        // Nobody is followed elsewhere with a token.
        let elsewhere = Receiver::answering(status(200).body("{}")).await;
        receiver.answer_now(status(307).header("location", elsewhere.url()));
        assert!(shell.fail(LIST).await.contains("307"));
        assert_eq!(elsewhere.count(), 0);
        for (answer, part) in [
            (status(404).body("<html>"), "not as a console does"),
            (status(200).body("<html>"), "not understood"),
            (
                status(200).body(r#"{"data":[{"id":1}],"next":null}"#),
                "not understood",
            ),
        ] {
            receiver.answer_now(answer);
            let told = shell.fail(LIST).await;
            assert!(told.contains(part), "{told}");
        }

        let gone = Shell::new(world, "http://127.0.0.1:1", "t0ken");
        let told = gone.fail(LIST).await;
        assert!(
            told.contains("cannot be reached") && told.contains("HOOKLINE_API_URL"),
            "{told}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_never_came_leaves_open_what_was_done() {
    scenario(async |world| {
        let receiver = Receiver::answering(hookline_tests::answer::Answer::close()).await;
        let shell = Shell::new(world, &receiver.url(), "t0ken");
        let told = shell
            .fail("endpoints add --company acme --url https://a.example.com/")
            .await;
        assert!(told.contains("is not known"), "{told}");
        assert!(!shell.fail(LIST).await.contains("is not known"));
    })
    .await;
}

#[tokio::test]
async fn a_list_that_comes_back_to_itself_ends() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200).body(r#"{"data":[],"next":"c1"}"#)).await;
        let shell = Shell::new(world, &receiver.url(), "t0ken");
        assert!(shell.fail(LIST).await.contains("same page"));
        assert_eq!(receiver.count(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_goes_over_plain_http_is_warned_of_unless_it_stays_on_this_machine() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200).body(r#"{"data":[],"next":null}"#)).await;
        // Both lead to this machine, which only the first says.
        let loopback = receiver.url();
        let elsewhere = loopback.replace("127.0.0.1", "0.0.0.0");
        assert_ne!(loopback, elsewhere);
        for (url, is_told) in [(&loopback, false), (&elsewhere, true)] {
            let output = Shell::new(world, url, "t0ken").run(LIST).await;
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{url}: {told}");
            assert_eq!(told.contains("plain http"), is_told, "{url}: {told}");
        }
    })
    .await;
}

#[tokio::test]
async fn settings_that_are_missing_or_wrong_are_told_together_and_proxies_of_the_environment_ignored() {
    scenario(async |world| {
        let words: Vec<&str> = LIST.split(' ').collect();
        let output = hookline_tests::cli::run(world, &words).await;
        let told = why(&output, 2);
        assert!(
            told.contains("HOOKLINE_API_URL") && told.contains("HOOKLINE_API_TOKEN_FILE"),
            "{told}"
        );
        let shell = Shell::new(world, "http://u:s3cret@h", "t0ken");
        assert!(!why(&shell.run(LIST).await, 2).contains("s3cret"));

        let receiver = Receiver::answering(status(200).body(r#"{"data":[],"next":null}"#)).await;
        let proxy = Receiver::answering(status(502)).await;
        let shell = Shell::new(world, &receiver.url(), "t0ken");
        let mut command = shell.command(&words);
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env(name, proxy.url());
        }
        assert!(command.output().await.unwrap().status.success());
        // The flag wins over the variable, and a file holds the token as well.
        let file = world.path("token");
        std::fs::write(&file, "t0ken-in-a-file\n").unwrap();
        let url = receiver.url();
        let flagged = [&words[..], &["--api-url", url.as_str()]].concat();
        let mut command = shell.command(&flagged);
        command
            .env("HOOKLINE_API_URL", proxy.url())
            .env_remove("HOOKLINE_API_TOKEN")
            .env("HOOKLINE_API_TOKEN_FILE", &file);
        assert!(command.output().await.unwrap().status.success());
        assert_eq!(
            receiver.requests()[1].header("authorization"),
            "Bearer t0ken-in-a-file"
        );
        assert_eq!(proxy.count(), 0);
    })
    .await;
}
