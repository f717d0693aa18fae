//! Those who ask for much and never read it: what they take of the memory is bounded, others are served, and they are hung up on.

use std::fs;
use std::net::SocketAddr;

use futures_util::future::join_all;
use hookline_tests::SOON;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::eventually::eventually;
use hookline_tests::log_rows::{insert_large_events, make_days};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

const FEED: &str = "/v1/companies/acme/events";
/// Connections that ask and never read.
const MUTE: usize = 100;
/// Pages that each asks for, one behind the other: more than the kernel takes for a reader that is gone.
const PAGES: usize = 8;
/// What the console may have resident besides, at the worst, in KiB, in a debug build: far less than a large page for each.
const MAX_KB: u64 = 250_000;

/// How many connections the process at this port has open: those that it has closed are in another state, also while the kernel
/// still has something to send there.
fn open_at(port: u16) -> usize {
    let connections = fs::read_to_string("/proc/net/tcp").expect("a table of connections");
    let is_open = |line: &&str| {
        let mut words = line.split_whitespace().skip(1);
        let (local, state) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        // Established, or closed by the other side alone (proc_net_tcp).
        local.ends_with(&format!(":{port:04X}")) && matches!(state, "01" | "08")
    };
    connections.lines().filter(is_open).count()
}

/// Asks for pages of the feed, with next to no room for the answers.
async fn mute(port: u16, token: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket
        .connect(SocketAddr::from(([127, 0, 0, 1], port)))
        .await
        .unwrap();
    let ask = format!("GET {FEED}?limit=200 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n")
        .repeat(PAGES);
    stream.write_all(ask.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn those_who_never_read_take_little_leave_others_served_and_are_hung_up_on() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database).set("HOOKLINE_API_RATE", "100000/s")).await;
        let (process, port) = (console.process(), console.process().port());
        make_days(database, 1).await;
        insert_large_events(database, "evt_", 150, 100_000).await;
        let made = console
            .admin()
            .post("/v1/companies/acme/tokens", &json!({}))
            .await;
        let made = made.expect(201).json();
        let token = made["token"].as_str().unwrap();
        let acme = console.stranger().with_token(Some(token));
        let globex = console.company("globex").await;
        acme.get(FEED).await.expect(200);
        process.forget_peak();
        let (before, _) = process.resident_kb();
        let mut streams = join_all((0..MUTE).map(|_| mute(port, token))).await;
        eventually(SOON, "they have all the company's places", async || {
            // Others come for those who were hung up on meanwhile.
            let gone = MUTE.saturating_sub(open_at(port));
            let others = join_all((0..gone).map(|_| mute(port, token))).await;
            streams.extend(others);
            let are_in = open_at(port) >= MUTE;
            let refused = acme.get(FEED).await;
            (are_in && refused.status == 429).then(|| {
                assert_eq!(refused.problem(429), "too_many_at_once");
                assert!(refused.header("retry-after").is_some());
            })
        })
        .await;
        for _ in 0..20 {
            globex.get("/v1/companies/globex/events").await.expect(200);
            acme.get("/v1/companies/acme/endpoints").await.expect(200);
        }
        eventually(SOON, "they are hung up on", async || {
            (open_at(port) == 0).then_some(())
        })
        .await;
        let (_, peak) = process.resident_kb();
        assert!(peak < before + MAX_KB, "{before} KiB became {peak}");
        let mut cut = 0;
        for mut stream in streams {
            // A connection that is given up says so: what the kernel kept for it is gone.
            cut += usize::from(stream.read_to_end(&mut Vec::new()).await.is_err());
        }
        assert!(cut > 0);
        acme.get(FEED).await.expect(200);
    })
    .await;
}
