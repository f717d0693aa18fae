//! What teaches the commands: their help, and what a shell completes of them.

use hookline_tests::cli::{command, out, run, succeed, why};
use hookline_tests::scenario;
use tokio::process::Command;
use tokio::time::timeout;

use crate::SOON;

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
            &["publish"][..],
            &["listen"],
            &["status"],
            &["dlq"],
            &["dlq", "list"],
            &["dlq", "show"],
            &["dlq", "retry"],
            &["dlq", "purge"],
            &["tail"],
            &["endpoints"],
            &["endpoints", "check"],
            &["sign"],
            &["verify"],
            &["certify"],
            &["completions"],
            &["man"],
        ] {
            let mut help = command(world, &[words, &["--help"]].concat());
            help.env("HOOKLINE_AMQP_URL", "amqp://guest:s3cret@127.0.0.1:1");
            let output = timeout(SOON, help.output()).await.unwrap().unwrap();
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
