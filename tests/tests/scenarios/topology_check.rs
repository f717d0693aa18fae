//! `hookline topology check` and `apply` with the management API: policies, replicas, and what is well.

use hookline_common::topology::Queue;
use hookline_tests::cli::{command, objects, out, run, succeed, why};
use hookline_tests::services::services;
use hookline_tests::{World, eventually, scenario};
use lapin::types::AMQPValue;
use serde_json::{Value, json};

use crate::SOON;

/// A command that knows the management API.
async fn managed(world: &World, arguments: &[&str]) -> std::process::Output {
    let mut command = command(world, arguments);
    command.env("HOOKLINE_MANAGEMENT_URL", services().management.as_str());
    command.output().await.unwrap()
}

#[tokio::test]
async fn what_is_well_is_said_as_well_and_what_was_not_looked_at() {
    scenario(async |world| {
        succeed(world, &["topology", "apply"]).await;
        let checked = managed(world, &["topology", "check"]).await;
        let text = out(&checked);
        assert!(checked.status.success(), "{text} {checked:?}");
        for queue in [Queue::Failed, Queue::Attempts, Queue::Due] {
            let name = world.queue(queue);
            let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
            let line = line.unwrap_or_else(|| panic!("{name}: {text}"));
            for part in ["1 of 1 replicas online", "leader ", "@"] {
                assert!(line.contains(part), "{line}");
            }
        }

        let without = run(world, &["topology", "check"]).await;
        assert!(without.status.success());
        assert!(out(&without).contains("as it must be"));
        let stderr = String::from_utf8_lossy(&without.stderr).into_owned();
        assert!(
            stderr.contains("all is as it must be")
                && stderr.contains("policies")
                && stderr.contains("HOOKLINE_MANAGEMENT_URL"),
            "{stderr}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_policy_for_all_queues_is_named_with_what_it_does_to_ours() {
    scenario(async |world| {
        succeed(world, &["topology", "apply"]).await;
        let (policy, pattern) = (
            world.namespace().to_string(),
            format!("^{}\\.", world.namespace()),
        );
        let harm = json!({"max-length": 1000, "message-ttl": 600_000, "expires": 86_400_000});
        services().policy(&policy, &pattern, Some(&harm)).await;
        // The API's own view of a queue follows a policy within seconds.
        let checked = eventually(SOON, "the policy is seen", async || {
            let checked = managed(world, &["topology", "check"]).await;
            out(&checked).contains("policy").then_some(())?;
            (checked.status.code() == Some(1)).then_some(checked)
        })
        .await;
        let text = out(&checked);
        why(&checked, 1);
        let failed = format!("queue {:?}", world.queue(Queue::Failed));
        let told: Vec<&str> = text.lines().filter(|line| line.starts_with(&failed)).collect();
        for part in [
            "expire after 600000 ms",
            "without a consumer",
            "1000 messages",
            "refused",
        ] {
            assert!(told.iter().any(|line| line.contains(part)), "{part}: {text}");
        }
        // A minute's delay is shorter than the policy's TTL.
        let retry = format!("queue {:?}", format!("{}.retry.60s", world.namespace()));
        assert!(
            !text
                .lines()
                .any(|line| line.starts_with(&retry) && line.contains("delay after")),
            "{text}"
        );

        // Where messages would be lost on the way nothing is migrated.
        world.broker().delete(&[world.queue(Queue::Failed)], &[]).await;
        old_failed(world).await;
        eventually(SOON, "the policy is on the old queue", async || {
            let refused = managed(world, &["topology", "apply", "--migrate"]).await;
            let text = String::from_utf8_lossy(&refused.stderr).into_owned();
            (refused.status.code() == Some(1) && text.contains("nothing is migrated")).then_some(())
        })
        .await;

        services().policy(&policy, &pattern, None).await;
        managed_until(world, &["topology", "apply", "--migrate"]).await;
        managed_until(world, &["topology", "check"]).await;
    })
    .await;
}

/// Succeeds once the API has noticed that a policy is gone.
async fn managed_until(world: &World, arguments: &[&str]) {
    eventually(SOON, &format!("{arguments:?}"), async || {
        managed(world, arguments).await.status.success().then_some(())
    })
    .await;
}

/// `failed` as it was before it refused what it has no room for.
async fn old_failed(world: &World) {
    let arguments = [
        ("x-queue-type", AMQPValue::LongString("quorum".into())),
        ("x-delivery-limit", AMQPValue::LongLongInt(i32::MAX.into())),
    ];
    world
        .broker()
        .declare(&world.queue(Queue::Failed), &arguments)
        .await;
}

#[tokio::test]
async fn too_few_replicas_are_named() {
    scenario(async |world| {
        succeed(world, &["topology", "apply"]).await;
        let checked = managed(world, &["topology", "check", "--replicas", "3", "--json"]).await;
        assert_eq!(checked.status.code(), Some(1));
        let rows: Vec<Value> = out(&checked)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for queue in [Queue::Failed, Queue::Attempts] {
            let object = format!("queue {:?}", world.queue(queue));
            let told = rows
                .iter()
                .find(|row| row["object"] == object.as_str() && row["problem"] == "replicas");
            let told = told.unwrap_or_else(|| panic!("{object}: {rows:#?}"));
            assert!(
                told["detail"].as_str().unwrap().contains("1 of 3 replicas"),
                "{told}"
            );
        }
        // Asked to make it so, it says that it cannot.
        let refused = managed(world, &["topology", "apply", "--replicas", "3", "--wait", "1s"]).await;
        why(&refused, 1);
    })
    .await;
}

#[tokio::test]
async fn a_cluster_that_is_not_whole_is_waited_for_and_nothing_is_declared() {
    scenario(async |world| {
        let refused = managed(world, &["topology", "apply", "--replicas", "3", "--wait", "1s"]).await;
        let text = why(&refused, 1);
        for part in ["1 of 3 nodes", "@", "nothing was declared"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(world.broker().ready(&world.queue(Queue::Failed)).await, None);
    })
    .await;
}

#[tokio::test]
async fn the_number_of_first_replicas_is_no_other_argument() {
    scenario(async |world| {
        // Declared with it, and used by those who do not ask for it; and the other way round.
        let created = objects(world, &["topology", "apply", "--replicas", "1", "--json"]).await;
        let failed = world.queue(Queue::Failed);
        let row = created.iter().find(|row| row["name"] == failed.as_str()).unwrap();
        assert_eq!(
            (&row["state"], &row["arguments"]["x-quorum-initial-group-size"]),
            (&"created".into(), &"1".into())
        );
        succeed(world, &["topology", "check"]).await;
        succeed(world, &["topology", "apply"]).await;
        succeed(world, &["topology", "apply", "--replicas", "3"]).await;
        world.endpoints([]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_ALLOW_NO_ENDPOINTS", "true")
            .start()
            .await;
        assert!(dispatcher.is_ready().await);
        // What differs besides is still found.
        world.broker().delete(std::slice::from_ref(&failed), &[]).await;
        let arguments = [
            ("x-queue-type", AMQPValue::LongString("quorum".into())),
            ("x-quorum-initial-group-size", AMQPValue::LongLongInt(1)),
            ("x-delivery-limit", AMQPValue::LongLongInt(i32::MAX.into())),
        ];
        dispatcher.stop().await;
        world.broker().delete(std::slice::from_ref(&failed), &[]).await;
        world.broker().declare(&failed, &arguments).await;
        let differs = run(world, &["topology", "check"]).await;
        assert!(out(&differs).contains("x-overflow"), "{}", out(&differs));
    })
    .await;
}

#[tokio::test]
async fn an_api_that_refuses_or_is_none_is_told_without_the_password() {
    scenario(async |world| {
        let told = async |url: &str, code: i32| {
            let mut command = command(world, &["topology", "check"]);
            command.env("HOOKLINE_MANAGEMENT_URL", url);
            let text = why(&command.output().await.unwrap(), code);
            assert!(!text.contains("s3cret"), "{text}");
            text
        };
        let mut url = services().management.clone();
        url.set_password(Some("s3cret")).unwrap();
        assert!(told(url.as_str(), 1).await.contains("401"));
        assert!(
            told("http://guest:s3cret@127.0.0.1:1", 1)
                .await
                .contains("rabbitmq_management")
        );
        assert!(
            told("amqp://guest:s3cret@h", 2)
                .await
                .contains("HOOKLINE_MANAGEMENT_URL")
        );
        // Its account is the broker's where it has none.
        let mut url = services().management.clone();
        url.set_username("").unwrap();
        url.set_password(None).unwrap();
        succeed(world, &["topology", "apply"]).await;
        let mut command = command(world, &["topology", "check"]);
        command.env("HOOKLINE_MANAGEMENT_URL", url.as_str());
        assert!(command.output().await.unwrap().status.success());
    })
    .await;
}
