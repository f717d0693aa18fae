//! What the programs around a dispatcher do to it: probes that never finish, logs that nobody reads, a collector that
//! hangs. None of it may hold up a delivery or a stop.

use hookline_tests::endpoint::endpoint;
use hookline_tests::{Receiver, eventually, scenario, status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::SOON;

/// Connections to the health port that stand at once at most.
const MAX_CONNECTIONS: usize = 64;

#[tokio::test]
async fn four_hundred_half_sent_requests_keep_no_probe_and_no_delivery_waiting() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        // Fewer than there are half-sent requests, which would so leave none for deliveries.
        let dispatcher = world.dispatcher().open_files(256, 256).start().await;
        let mut half_sent = Vec::new();
        for _ in 0..400 {
            let mut stream = TcpStream::connect(("127.0.0.1", dispatcher.port()))
                .await
                .unwrap();
            // It may be closed already for the ones after it.
            drop(stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").await);
            half_sent.push(stream);
        }
        for path in ["/healthz", "/readyz", "/metrics"] {
            let page = timeout(SOON, dispatcher.get(path)).await.expect("an answer");
            assert_eq!(page.unwrap().status, 200, "{path}");
        }
        world.publish_many(200, "booking.created").await;
        receiver.expect(200, SOON).await;
        // The oldest went for the newest; the others go when they have taken too long.
        let mut pushed_out = 0;
        for stream in &mut half_sent[..400 - MAX_CONNECTIONS] {
            let end = timeout(SOON, stream.read(&mut [0; 1])).await.expect("an end");
            pushed_out += usize::from(matches!(end, Ok(0) | Err(_)));
        }
        assert_eq!(pushed_out, 400 - MAX_CONNECTIONS);
        assert!(
            !dispatcher.log().contains("cannot be accepted"),
            "no shortage came of it"
        );
    })
    .await;
}

#[tokio::test]
async fn half_sent_requests_take_no_open_file_that_something_else_needs() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().open_files(64, 64).start().await;
        let mut half_sent = Vec::new();
        for _ in 0..100 {
            let mut stream = TcpStream::connect(("127.0.0.1", dispatcher.port()))
                .await
                .unwrap();
            drop(stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").await);
            half_sent.push(stream);
        }
        let page = timeout(SOON, dispatcher.get("/healthz"))
            .await
            .expect("an answer");
        assert_eq!(page.unwrap().status, 200);
        world.publish_many(100, "booking.created").await;
        receiver.expect(100, SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        assert_eq!(receiver.count(), 100);
        let log = dispatcher.log();
        assert!(!log.contains("probes cannot be accepted"), "{log}");
    })
    .await;
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_neither_deliveries_nor_the_end_and_its_losses_are_told() {
    scenario(async |world| {
        // Each failed attempt is a line.
        let receiver = Receiver::scripted(|request| match request.attempt() {
            1 => status(500),
            _ => status(200),
        })
        .await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().unread().start().await;
        let mut published = 0;
        // Each look is a thousand lines.
        eventually(SOON, "more than a pipe and the buffer hold", async || {
            world.publish_many(1000, "booking.created").await;
            published += 1000;
            receiver.expect(published, SOON).await;
            (dropped_lines(&dispatcher.get("/metrics").await.unwrap().body)? > 0).then_some(())
        })
        .await;
        dispatcher.read_stderr();
        dispatcher
            .says("log lines were dropped because nobody read them", SOON)
            .await;

        let unread = world.dispatcher().unread().start().await;
        dispatcher.stop().await;
        for _ in 0..3 {
            let before = receiver.count();
            world.publish_many(100, "booking.created").await;
            receiver.expect(before + 100, SOON).await;
        }
        world.is_settled_within(SOON).await;
        unread.stop().await;
    })
    .await;
}

fn dropped_lines(metrics: &str) -> Option<u64> {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("hookline_log_lines_dropped_total "));
    line?.parse().ok()
}

#[tokio::test]
async fn a_start_that_fails_ends_although_nobody_reads_why() {
    scenario(async |world| {
        // More than a pipe holds, so that the last words wait for a reader that never comes.
        let entry =
            "[[endpoint]]\nid = \"ep_crm\"\ncompany = \"acme\"\nurl = \"ftp://x\"\nevents = [\"A\"]\n";
        world.endpoints_text(&entry.repeat(1000));
        let dispatcher = world.dispatcher().unread().launch();
        assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(2));
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_never_answers_does_not_hold_up_the_end() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", collector.local_addr().unwrap());
        let dispatcher = world
            .dispatcher()
            .set("OTEL_EXPORTER_OTLP_ENDPOINT", url)
            .start()
            .await;
        let accepting = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = collector.accept().await {
                open.push(stream);
            }
        });
        world.publish("booking.created", "{}").await;
        receiver.expect_one(SOON).await;
        dispatcher.stop().await;
        // Its own exporter would have given up after 10 s, with another reason.
        dispatcher.says("no answer within 2s", SOON).await;
        accepting.abort();
    })
    .await;
}
