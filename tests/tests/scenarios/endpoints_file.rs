//! The endpoints file under a running dispatcher: mistakes in it lose nothing, and what is right takes effect.

use std::time::Duration;

use hookline_common::topology::{PARK_DELAYS, Queue};
use hookline_tests::endpoint::{Endpoint, SECRET, endpoint, file};
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::signature::meeva;
use hookline_tests::{Receiver, World, eventually, scenario, status};

use crate::SOON;

const NEW_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Long enough for two looks at the file, after which whatever stands there has been judged.
const FOUR_LOOKS: Duration = Duration::from_secs(2);

/// Writes the file in place, as a careless program does.
fn overwrite(world: &World, text: &str) {
    std::fs::write(world.endpoints_file(), text).unwrap();
}

fn fifo(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[tokio::test]
async fn a_start_without_endpoints_is_refused_unless_it_is_asked_for() {
    scenario(async |world| {
        world.endpoints([]);
        let refused = world.dispatcher().unset("HOOKLINE_ALLOW_NO_ENDPOINTS").launch();
        assert_eq!(refused.ends_within(SOON).await.code(), Some(2));
        let error = refused.says("has no endpoints", SOON).await;
        for part in [
            "HOOKLINE_ENDPOINTS_FILE",
            "HOOKLINE_ALLOW_NO_ENDPOINTS=true",
            "endpoints.toml",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let wrong = world
            .dispatcher()
            .set("HOOKLINE_ALLOW_NO_ENDPOINTS", "maybe")
            .launch();
        assert_eq!(wrong.ends_within(SOON).await.code(), Some(2));
        wrong.says("HOOKLINE_ALLOW_NO_ENDPOINTS=\"maybe\"", SOON).await;
        world
            .dispatcher()
            .set("HOOKLINE_ALLOW_NO_ENDPOINTS", "true")
            .start()
            .await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused_at_the_start() {
    scenario(async |world| {
        fifo(&world.endpoints_file());
        let dispatcher = world.dispatcher().launch();
        assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(2));
        dispatcher.says("is no regular file", SOON).await;
    })
    .await;
}

#[tokio::test]
async fn a_fifo_in_the_place_of_the_file_stops_neither_health_nor_deliveries_nor_the_end() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        std::fs::remove_file(world.endpoints_file()).unwrap();
        fifo(&world.endpoints_file());
        dispatcher.says("is no regular file", SOON).await;
        let events = world.publish_many(100, "booking.created").await;
        receiver.expect(100, SOON).await;
        assert_eq!(dispatcher.get("/healthz").await.unwrap().status, 200);
        assert!(dispatcher.is_ready().await);
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        assert_eq!(judge.verdict(), Verdict::default());
        dispatcher.has_let_go_within(SOON).await;
        dispatcher.stop().await;
        let told = dispatcher.log().matches("is no regular file").count();
        assert_eq!(told, 1, "once, however long it lasts");
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_empty_or_half_written_for_two_seconds_loses_no_event() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        let other = Endpoint::at("ep_other", "http://127.0.0.1:9/").text("company", "umbrella");
        let whole = file(&[other, endpoint("ep_crm", &receiver)]);
        world.endpoints_text(&whole);
        let dispatcher = world.dispatcher().start().await;
        let mut events = Vec::new();
        // Nothing; half a line; and half the endpoints, which alone is a valid file.
        let ends = [0, whole.len() - 20, whole.rfind("[[endpoint]]").unwrap()];
        for (end, said) in
            ends.into_iter()
                .zip(["has no endpoints any more", "this is not TOML", "ep_crm of acme"])
        {
            overwrite(world, &whole[..end]);
            dispatcher.says(said, SOON).await;
            events.extend(world.publish_many(20, "booking.created").await);
            tokio::time::sleep(FOUR_LOOKS).await;
        }
        // What nobody is known for waits, without an attempt.
        eventually(SOON, "the last 20 are set aside", async || {
            let mut parked = 0;
            for delay in &PARK_DELAYS {
                let queue = world.queue(Queue::Park(*delay));
                parked += world.broker().ready(&queue).await.unwrap_or(0);
            }
            (parked == 20 && receiver.count() == 40).then_some(())
        })
        .await;
        overwrite(world, &whole);
        let requests = receiver.expect(60, SOON).await;
        assert!(requests.iter().all(|request| request.attempt() == 1));
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        assert_eq!(judge.verdict(), Verdict::default());
    })
    .await;
}

#[tokio::test]
async fn what_one_of_a_companys_endpoints_missed_by_a_mistake_comes_once_it_is_back() {
    scenario(async |world| {
        let (kept, lost) = (
            Receiver::answering(status(200)).await,
            Receiver::answering(status(200)).await,
        );
        let both = [
            endpoint("ep_kept", &kept).events(&["booking.created"]),
            endpoint("ep_lost", &lost),
        ];
        let whole = file(&both);
        world.endpoints_text(&whole);
        let dispatcher = world.dispatcher().start().await;
        overwrite(world, &whole[..whole.rfind("[[endpoint]]").unwrap()]);
        dispatcher.says("ep_lost of acme", SOON).await;
        // What both want, and what nobody else wants.
        let shared = world.publish_many(20, "booking.created").await;
        let others = world.publish_many(20, "booking.cancelled").await;
        kept.expect(20, SOON).await;
        tokio::time::sleep(FOUR_LOOKS).await;
        assert_eq!(lost.count(), 0);
        overwrite(world, &whole);
        let requests = lost.expect(40, SOON).await;
        assert!(requests.iter().all(|request| request.attempt() == 1));
        let mut judge = Judge::default();
        judge.accepted(&shared, &["ep_kept", "ep_lost"]);
        judge.accepted(&others, &["ep_lost"]);
        judge.saw("ep_kept", &kept);
        judge.saw("ep_lost", &lost);
        assert_eq!(judge.verdict(), Verdict::default());
    })
    .await;
}

#[tokio::test]
async fn a_reload_names_all_that_it_removed_a_few_in_each_line() {
    scenario(async |world| {
        let many: Vec<Endpoint> = (0..48)
            .map(|number| Endpoint::at(&format!("ep_{number:02}"), "http://127.0.0.1:9/"))
            .collect();
        world.endpoints(&many);
        let dispatcher = world.dispatcher().start().await;
        world.endpoints(&many[..46]);
        let line = dispatcher.says("no longer in the file", SOON).await;
        assert!(
            line.contains("WARN") && line.contains("ep_46 of acme, ep_47 of acme") && !line.contains("ep_45"),
            "{line}"
        );
        world.endpoints(&many[..1]);
        dispatcher.says("ep_45 of acme", SOON).await;
        let log = dispatcher.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("removed=45")).collect();
        let named: Vec<usize> = lines
            .iter()
            .map(|line| line.matches(" of acme").count())
            .collect();
        assert_eq!(named, [20, 20, 5], "{log}");
        for number in 1..46 {
            let name = format!("ep_{number:02} of acme");
            assert!(lines.iter().any(|line| line.contains(&name)), "{name}: {log}");
        }
    })
    .await;
}

#[tokio::test]
async fn tens_of_thousands_of_faults_make_a_short_error() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        world.endpoints_text(&"[[endpoint]]\nid = 7\n".repeat(20_000));
        dispatcher.says("and 79,980 more", SOON).await;
        world.publish("booking.created", "{}").await;
        receiver.expect_one(SOON).await;
        let log = dispatcher.log();
        let faults = log.lines().filter(|line| line.contains("endpoint #")).count();
        assert!(
            faults == 20 && log.len() < 20_000,
            "{faults} lines, {} bytes",
            log.len()
        );
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_is_rotated_by_swapping_a_symlink_signs_what_comes_next() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        for (version, secret) in [("v1", SECRET), ("v2", NEW_SECRET)] {
            std::fs::create_dir(world.path(version)).unwrap();
            std::fs::write(world.path(version).join("crm"), secret).unwrap();
        }
        let lead = |target: &str, name: &str| {
            std::os::unix::fs::symlink(target, world.path("draft")).unwrap();
            std::fs::rename(world.path("draft"), world.path(name)).unwrap();
        };
        lead("v1", "..data");
        lead("..data/crm", "crm");
        let written = file(&[endpoint("ep_crm", &receiver)]).replace(
            &format!("secret = {SECRET:?}"),
            &format!("secret_file = {:?}", world.path("crm").display().to_string()),
        );
        world.endpoints_text(&written);
        let dispatcher = world.dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.header("meeva-signature"), meeva(SECRET, &request.body));

        lead("v2", "..data");
        eventually(SOON, "the new secret signs", async || {
            let before = receiver.count();
            world.publish("booking.created", "{}").await;
            let request = receiver.expect(before + 1, SOON).await.pop().unwrap();
            (request.header("meeva-signature") == meeva(NEW_SECRET, &request.body)).then_some(())
        })
        .await;

        // A version that is gone changes nothing, and is told once.
        lead("nowhere", "..data");
        dispatcher.says("the endpoints stay as they were", SOON).await;
        let before = receiver.count();
        world.publish("booking.created", "{}").await;
        let request = receiver.expect(before + 1, SOON).await.pop().unwrap();
        assert_eq!(
            request.header("meeva-signature"),
            meeva(NEW_SECRET, &request.body)
        );
        tokio::time::sleep(FOUR_LOOKS).await;
        assert_eq!(
            dispatcher
                .log()
                .matches("the endpoints stay as they were")
                .count(),
            1
        );
        assert!(!dispatcher.log().contains("whsec_"));
    })
    .await;
}
