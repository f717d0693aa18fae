//! What keeps secrets secret, companies apart and strangers out. Each bar, and the test that holds it where it is not here:
//!
//! E1 sealed at rest, bound to its place: `store/src/seal/tests.rs` (`every_bit_matters_and_every_length`,
//!    `elsewhere_it_cannot_be_opened`), `console_secrets` (`a_dump_holds_nothing_that_could_be_used`),
//!    `blobs_that_were_exchanged_or_changed_in_the_database_are_not_opened`.
//! E2 rotation of master keys: `console_secrets` (`a_new_master_key_takes_over_and_the_old_one_can_go`),
//!    `a_console_does_not_start_without_a_good_master_key`.
//! E3 secrets drawn at random, unique, never too short: `store/src/random.rs`, `common/src/secret/tests.rs`.
//! E4 rotation with an overlap, one at a time, or none: `console_secrets` (`a_secret_is_rotated_with_an_overlap_and_once_at_a_time`).
//! E5 shown once: `a_secret_is_shown_when_it_is_made_and_when_it_is_asked_for_and_nowhere_else`.
//! E6 compared in constant time: `scripts/check-borders.sh` and its self-test, in `make lint`.
//! E7 tokens: `ten_thousand_made_up_tokens_are_all_refused_alike`, `console_isolation` (revoked and expired ones),
//!    `console_secrets` (the dump), `made_up_tokens_keep_nobody_out_who_was_in_at_the_same_address`.
//! E8, E9 companies and roles, route by route: `console_isolation`; at random: `console_fuzz`.
//! E13 redaction: `console_redaction`; of dispatchers: `secrets`.
//! E14 limits: `console_limits`, `console_unread` (answers that nobody reads), `console/src/server.rs` (how long a head and a request
//!    may take, how long a head may be, how long an answer waits for its reader).
//! E16 least privilege: `rights` (the broker), `console_database` (the database, and TLS to it), `tls` (to the broker).
//! E17 what comes out of a queue is not believed: the scenarios of the registry.
//! E18 dependencies: `deny.toml`, in `make lint`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::future::join_all;
use hookline_tests::console::{ADMIN_TOKEN, MASTER_KEY, console_scenario, database_scenario, setup};
use hookline_tests::eventually::eventually;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::SOON;

const OF_ACME: &str = "/v1/companies/acme/endpoints";

#[tokio::test]
async fn a_secret_is_shown_when_it_is_made_and_when_it_is_asked_for_and_nowhere_else() {
    console_scenario(async |console, _| {
        let (admin, acme) = (console.admin(), console.company("acme").await);
        let wanted = json!({"url": "https://example.com/", "headers": {"x-key": "header-v4lue"}});
        let created = acme.post(OF_ACME, &wanted).await.expect(201).json();
        let path = format!("{OF_ACME}/{}", created["id"].as_str().unwrap());
        let rotated = acme
            .post(&format!("{path}/rotate-secret"), &json!({}))
            .await
            .expect(200)
            .json();
        let file = "[[endpoint]]\nid = \"ep_file\"\ncompany = \"acme\"\nurl = \"https://example.com/\"\n\
                    secret = \"brought-along-secret\"\nprevious_secret = \"brought-before-that\"\n";
        let import = async |query: &str| {
            let path = format!("{OF_ACME}/import{query}");
            admin
                .send_bytes(Method::POST, &path, Some("application/toml"), file)
                .await
                .expect(200)
        };
        let secrets: Vec<&str> = [&created, &rotated]
            .map(|shown| shown["secret"].as_str().unwrap())
            .into();
        let never: Vec<&str> = secrets
            .iter()
            .copied()
            .chain([
                "header-v4lue",
                "brought-along-secret",
                "brought-before-that",
                "whsec_",
            ])
            .collect();
        let mut shown = vec![
            import("?dry_run=true").await,
            import("").await,
            acme.get(OF_ACME).await.expect(200),
            acme.get(&path).await.expect(200),
            acme.patch(&path, &json!({"headers": {"x-key": "***"}}))
                .await
                .expect(200),
            acme.post(&format!("{path}/rotate-secret/complete"), &json!({}))
                .await
                .expect(200),
        ];
        let lines = async || admin.get("/v1/companies/acme/audit?limit=200").await.expect(200);
        let before = lines().await.json()["data"].as_array().unwrap().len();
        assert_eq!(
            acme.get(&format!("{path}/secret")).await.expect(200).json()["secret"],
            rotated["secret"]
        );
        shown.push(lines().await);
        let audit = lines().await.json();
        assert_eq!(audit["data"].as_array().unwrap().len(), before + 1);
        assert_eq!(audit["data"][0]["action"], json!("endpoint.secret_revealed"));
        assert!(
            audit["data"][0]["actor"].as_str().unwrap().starts_with("token:"),
            "{audit}"
        );
        for reply in shown {
            for secret in &never {
                assert!(!reply.body.contains(secret), "{secret} in {reply:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn blobs_that_were_exchanged_or_changed_in_the_database_are_not_opened() {
    console_scenario(async |console, database| {
        for id in ["ep_a", "ep_b", "ep_c", "ep_d"] {
            console
                .register("acme", &json!({"url": "https://example.com/", "id": id}))
                .await;
        }
        let reveal = async |id: &str| console.admin().get(&format!("{OF_ACME}/{id}/secret")).await;
        let secret_of_c = reveal("ep_c").await.expect(200).json();
        for statement in [
            "UPDATE endpoints a SET secret = b.secret FROM endpoints b \
             WHERE (a.id, b.id) IN (('ep_a', 'ep_b'), ('ep_b', 'ep_a'))",
            "UPDATE endpoints SET secret = substr(secret, 1, 20) WHERE id = 'ep_d'",
        ] {
            database.execute(statement).await.unwrap();
        }
        for id in ["ep_a", "ep_b", "ep_d"] {
            assert_eq!(reveal(id).await.problem(500), "internal", "{id}");
        }
        assert_eq!(reveal("ep_c").await.expect(200).json(), secret_of_c);
        // Where the rest can be read it is shown, and a rotation at once makes the endpoint whole again.
        console.admin().get(&format!("{OF_ACME}/ep_a")).await.expect(200);
        let rotate = format!("{OF_ACME}/ep_a/rotate-secret");
        let mended = console
            .admin()
            .post(&rotate, &json!({"overlap": "0s"}))
            .await
            .expect(200)
            .json();
        assert_eq!(
            reveal("ep_a").await.expect(200).json()["secret"],
            mended["secret"]
        );
        console
            .process()
            .says("was changed, cut short or moved", SOON)
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_console_does_not_start_without_a_good_master_key() {
    database_scenario(async |world, database| {
        let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        for (key, told) in [
            ("", "HOOKLINE_MASTER_KEY"),
            ("AAECAwQFBgc=", "has 8 bytes"),
            (zero, "the same byte"),
            (&format!("{MASTER_KEY},{MASTER_KEY}"), "second time"),
        ] {
            let console = setup(world, database).set("HOOKLINE_MASTER_KEY", key).launch();
            assert_eq!(console.ends_within(SOON).await.code(), Some(2), "{key}");
            let log = console.says(told, SOON).await;
            assert!(key.is_empty() || !log.contains(key), "{log}");
        }
    })
    .await;
}

/// A token of the right shape that nobody was given; with a wrong checksum where it is not `plausible`.
fn made_up(number: u32, plausible: bool) -> String {
    let random = URL_SAFE_NO_PAD.encode(Sha256::digest(number.to_be_bytes()));
    let sum = Sha256::new()
        .chain_update(b"hookline token\0")
        .chain_update(&random)
        .finalize();
    let sum = URL_SAFE_NO_PAD.encode(sum);
    format!("hkl_{random}{}", if plausible { &sum[..8] } else { "AAAAAAAA" })
}

#[tokio::test]
async fn ten_thousand_made_up_tokens_are_all_refused_alike() {
    console_scenario(async |console, _| {
        let real = console
            .admin()
            .post("/v1/companies/acme/tokens", &json!({}))
            .await
            .expect(201)
            .json();
        let real = real["token"].as_str().unwrap();
        let known = console.stranger().get(OF_ACME).await;
        assert_eq!(known.problem(401), "unauthorized");
        // So many each address may try before it is told to wait: so these come from many.
        let (addresses, each) = (625, 16);
        for address in 0..addresses {
            let socket = TcpSocket::new_v4().unwrap();
            let [_, _, high, low] = u32::to_be_bytes(address);
            let from = Ipv4Addr::new(127, 77, high, low);
            socket.bind(SocketAddr::new(IpAddr::V4(from), 0)).unwrap();
            let console = SocketAddr::from(([127, 0, 0, 1], console.process().port()));
            let stream = socket.connect(console).await.unwrap();
            let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            let connection = tokio::spawn(connection);
            for number in 0..each {
                let token = match (address, number) {
                    // A real one but for its last letter, its case, or a letter more.
                    (0, 0) => format!(
                        "{}{}",
                        &real[..real.len() - 1],
                        if real.ends_with('A') { 'B' } else { 'A' }
                    ),
                    (0, 1) => real.to_uppercase(),
                    (0, 2) => format!("{real}A"),
                    (0, 3) => format!("{ADMIN_TOKEN}A"),
                    (0, 4) => ADMIN_TOKEN[1..].to_owned(),
                    _ => made_up(address * each + number, number % 2 == 0),
                };
                let request = Request::get(OF_ACME).header(HOST, "console");
                let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
                let response = client
                    .send_request(request.body(Empty::<Bytes>::new()).unwrap())
                    .await
                    .unwrap();
                let status = response.status().as_u16();
                let body = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(
                    (status, body.as_ref()),
                    (401, known.body.as_bytes()),
                    "{address} {number}: {token}"
                );
                client.ready().await.unwrap();
            }
            connection.abort();
        }
        console
            .stranger()
            .with_token(Some(real))
            .get(OF_ACME)
            .await
            .expect(200);
    })
    .await;
}

#[tokio::test]
async fn made_up_tokens_keep_nobody_out_who_was_in_at_the_same_address() {
    /// Of each connection: more than are looked up of it in the four seconds for which that is known.
    const MADE_UP: u32 = 2_000;
    /// As many as keep the database as busy as it can be made by them.
    const CONNECTIONS: u32 = 8;
    console_scenario(async |console, _| {
        let seen = console.company("acme").await;
        seen.get(OF_ACME).await.expect(200);
        let revoked = console
            .admin()
            .post("/v1/companies/acme/tokens", &json!({}))
            .await;
        let revoked = revoked.expect(201).json();
        let was_good = console.stranger().with_token(revoked["token"].as_str());
        was_good.get(OF_ACME).await.expect(200);
        // Until it has to be looked up again.
        sleep(Duration::from_secs(5)).await;
        let port = console.process().port();
        let flood = async |connection: u32| {
            let asks: String = (0..MADE_UP)
                .map(|number| {
                    let token = made_up(connection * MADE_UP + number, true);
                    format!("GET {OF_ACME} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n")
                })
                .collect();
            let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (mut answers, mut requests) = stream.into_split();
            // How it ends does not matter.
            let asking = async { while requests.write_all(asks.as_bytes()).await.is_ok() {} };
            let mut buffer = vec![0; 64 << 10];
            let reading = async { while answers.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
            tokio::join!(asking, reading);
        };
        let flooding = join_all((0..CONNECTIONS).map(flood));
        let looking = async {
            eventually(SOON, "no more are looked up", async || {
                // One that was looked up, and is good, would be known.
                let unseen = console.company("acme").await;
                (unseen.get(OF_ACME).await.status == 429).then_some(())
            })
            .await;
            seen.get(OF_ACME).await.expect(200);
            // It is looked up all the same: what was revoked is refused, and from then on like any other.
            let revoke = format!("/v1/companies/acme/tokens/{}", revoked["id"].as_str().unwrap());
            console.admin().delete(&revoke).await.expect(204);
            assert!(matches!(was_good.get(OF_ACME).await.status, 401 | 429));
            seen.get(OF_ACME).await.expect(200);
        };
        tokio::select! {
            () = looking => {}
            _ = flooding => panic!("the flood ends"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_query_has_only_what_is_known_and_a_body_is_an_object() {
    console_scenario(async |console, _| {
        // A slip of the pen must not turn a dry run into a real one.
        let mistyped = format!("{OF_ACME}/import?dryrun=true");
        let refused = console
            .admin()
            .send_bytes(Method::POST, &mistyped, Some("application/toml"), "")
            .await;
        assert_eq!(refused.problem(400), "invalid_request");
        assert_eq!(
            console
                .admin()
                .get(&format!("{OF_ACME}?limits=1"))
                .await
                .problem(400),
            "invalid_request"
        );
        // A list of values in their order is no object.
        let listed = json!([null, null]);
        let refused = console.admin().post("/v1/companies/acme/tokens", &listed).await;
        assert_eq!(refused.problem(400), "invalid_request");
        assert_eq!(
            console.admin().get(OF_ACME).await.expect(200).json()["data"],
            Value::Array(Vec::new())
        );
    })
    .await;
}
