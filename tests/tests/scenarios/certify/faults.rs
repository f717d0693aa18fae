//! A receiver with a single fault, and the one check that finds it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hookline_tests::answer::Answer;
use hookline_tests::endpoint::SECRET;
use hookline_tests::hostile::Peer;
use hookline_tests::receiver::Received;
use hookline_tests::{Receiver, World, scenario, status};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{certify, meeva_holds, named, standard_holds, verifying};

/// The receiver is found out by this name alone; nothing else fails.
async fn is_found_out(world: &World, receiver: &Receiver, name: &str) -> Value {
    let (code, report) = certify(world, &receiver.url(), &["--secret", SECRET]).await;
    assert_eq!(named(&report, "failed"), [name], "{report}");
    assert_eq!((code, &report["passed"]), (Some(1), &Value::Bool(false)));
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap();
    assert!(check["advice"].is_string(), "{check}");
    check.clone()
}

#[tokio::test]
async fn a_signature_that_nobody_checks() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        let check = is_found_out(world, &receiver, "bad_signature").await;
        assert_eq!(check["exchanges"].as_array().map(Vec::len), Some(3));
    })
    .await;
}

#[tokio::test]
async fn a_signature_that_is_checked_only_where_there_is_one() {
    scenario(async |world| {
        let receiver = Receiver::scripted(|request| {
            let is_there = !request.header("webhook-signature").is_empty();
            let holds = standard_holds(request, &request.body, request.arrived_unix);
            status(if holds || !is_there { 200 } else { 401 })
        })
        .await;
        let check = is_found_out(world, &receiver, "bad_signature").await;
        assert_eq!(check["found"], "taken: without any signature");
    })
    .await;
}

#[tokio::test]
async fn an_old_timestamp_that_is_taken() {
    scenario(async |world| {
        let receiver = Receiver::scripted(|request| {
            let sent = request.header("webhook-timestamp").parse().unwrap();
            let holds = standard_holds(request, &request.body, sent);
            status(if holds { 200 } else { 401 })
        })
        .await;
        is_found_out(world, &receiver, "old_timestamp").await;
    })
    .await;
}

#[tokio::test]
async fn json_that_is_verified_after_it_was_written_again() {
    /// As a map of a language writes it whose members have no order.
    fn sorted(request: &Received) -> Vec<u8> {
        let value: Value = serde_json::from_slice(&request.body).unwrap();
        serde_json::to_vec(&value).unwrap()
    }
    scenario(async |world| {
        let receiver = Receiver::scripted(|request| {
            let holds = meeva_holds(request, &sorted(request));
            status(if holds { 200 } else { 401 })
        })
        .await;
        // It refuses everything that is signed rightly, which another secret would look like as well: the name tells them apart.
        let (code, report) = certify(world, &receiver.url(), &["--secret", SECRET]).await;
        assert_eq!(code, Some(1));
        assert_eq!(named(&report, "failed"), ["life", "raw_body"], "{report}");
        let found = report["checks"][2]["found"].as_str().unwrap();
        assert!(found.contains("parsed and written again"), "{report}");
    })
    .await;
}

#[tokio::test]
async fn another_secret() {
    scenario(async |world| {
        let receiver = verifying(|_| status(200)).await;
        let other = "whsec_OTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTBmZWRjYmE=";
        let (code, report) = certify(world, &receiver.url(), &["--secret", other]).await;
        assert_eq!(code, Some(1));
        assert_eq!(named(&report, "failed"), ["life"], "{report}");
        let advice = report["checks"][0]["advice"].as_str().unwrap();
        assert!(advice.contains("secret"), "{advice}");
        assert_eq!(named(&report, "skipped").len(), 9, "{report}");
    })
    .await;
}

#[tokio::test]
async fn a_duplicate_that_is_refused() {
    scenario(async |world| {
        let mut seen = BTreeSet::new();
        let receiver = verifying(move |request| {
            let is_new = seen.insert(request.id().to_owned());
            status(if is_new { 200 } else { 409 })
        })
        .await;
        is_found_out(world, &receiver, "duplicate").await;
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_has_to_be_known() {
    scenario(async |world| {
        let mut known = BTreeSet::new();
        let receiver = verifying(move |request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let text = |name: &str| {
                body["data"]["booking"][name]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            let is_known = match body["type"].as_str() {
                Some("booking.created") => known.insert(text("id")),
                Some("booking.rescheduled") => {
                    known.contains(&text("previousBookingId")) && known.insert(text("id"))
                }
                _ => known.contains(&text("id")),
            };
            // What comes twice is new only once, and is taken all the same.
            let is_created = body["type"] == "booking.created";
            status(if is_known || is_created { 200 } else { 404 })
        })
        .await;
        is_found_out(world, &receiver, "out_of_order").await;
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_is_too_small() {
    scenario(async |world| {
        let receiver = verifying(|request| status(if request.body.len() > 65_536 { 413 } else { 200 })).await;
        let check = is_found_out(world, &receiver, "largest").await;
        assert!(check["found"].as_str().unwrap().contains("413"), "{check}");
    })
    .await;
}

#[tokio::test]
async fn no_answer_in_time() {
    scenario(async |world| {
        let receiver = Receiver::answering(Answer::hang()).await;
        let more = ["--secret", SECRET, "--request-timeout", "1s"];
        let (code, report) = certify(world, &receiver.url(), &more).await;
        assert_eq!(code, Some(1));
        assert_eq!(named(&report, "failed"), ["life", "answer_time"], "{report}");
        assert_eq!(receiver.count(), 1, "nothing else was tried");
    })
    .await;
}

#[tokio::test]
async fn a_kept_connection_that_is_closed_on_the_next_request() {
    scenario(async |world| {
        let peer = Peer::start(|mut talk| async move {
            if talk.request().await.is_some() {
                talk.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK").await;
                // It reads the next request, and goes.
                talk.request().await;
            }
        })
        .await;
        let (code, report) = certify(world, &peer.url(), &["--format", "meetergo"]).await;
        assert_eq!(code, Some(1));
        assert_eq!(named(&report, "failed"), ["keep_alive"], "{report}");
    })
    .await;
}

/// As where a server closes what was idle for too long in the moment in which it is used again.
#[tokio::test]
async fn a_kept_connection_that_is_closed_only_once_is_no_fault() {
    scenario(async |world| {
        let is_first = Arc::new(AtomicBool::new(true));
        let peer = Peer::start(move |mut talk| {
            let is_first = Arc::clone(&is_first);
            async move {
                let mut answered = 0;
                while talk.request().await.is_some() {
                    if answered > 0 && is_first.swap(false, Ordering::Relaxed) {
                        return;
                    }
                    talk.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK").await;
                    answered += 1;
                }
            }
        })
        .await;
        let (code, report) = certify(world, &peer.url(), &["--format", "meetergo"]).await;
        assert_eq!(
            (code, &report["passed"]),
            (Some(0), &Value::Bool(true)),
            "{report}"
        );
        let checks = report["checks"].as_array().unwrap();
        let kept = checks.iter().find(|check| check["name"] == "keep_alive").unwrap();
        assert!(
            kept["found"].as_str().unwrap().contains("the second time"),
            "{kept}"
        );
        // All that was tried is shown: five requests, and five once more.
        assert_eq!(kept["exchanges"].as_array().map(Vec::len), Some(10), "{kept}");
    })
    .await;
}

/// One that judges by the pieces in which a request comes: `gives_up` is told what has come of one that is not whole.
async fn impatient(gives_up: fn(&[u8]) -> Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut come, mut piece) = (Vec::new(), vec![0; 65_536]);
                while let Ok(read @ 1..) = stream.read(&mut piece).await {
                    come.extend_from_slice(&piece[..read]);
                    let answer = match promised(&come) {
                        Some((head, body)) if come.len() >= head + body => {
                            come.clear();
                            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK"
                        }
                        _ => match gives_up(&come) {
                            // Whoever is refused is no longer listened to.
                            Some(answer) => return drop(stream.write_all(answer.as_bytes()).await),
                            None => continue,
                        },
                    };
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    url
}

/// The length of a request's head, and that of its body, once the head has ended.
fn promised(come: &[u8]) -> Option<(usize, usize)> {
    let head = come.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&come[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    Some((head, length.unwrap().trim().parse().unwrap()))
}

#[tokio::test]
async fn a_head_that_has_to_come_at_once() {
    scenario(async |world| {
        // As a firewall that takes a slow client for an attack.
        let url = impatient(|come| promised(come).is_none().then_some("")).await;
        let (code, report) = certify(world, &url, &["--format", "meetergo"]).await;
        assert_eq!(code, Some(1));
        assert_eq!(named(&report, "failed"), ["drips"], "{report}");
    })
    .await;
}

#[tokio::test]
async fn a_body_of_which_only_the_first_piece_is_read() {
    scenario(async |world| {
        // The largest comes to nobody in one piece.
        let url = impatient(|come| {
            let is_begun = promised(come).is_some_and(|(head, body)| body < 10_000 && come.len() > head);
            is_begun.then_some(
                "HTTP/1.1 400 Bad Request\r\ncontent-length: 8\r\nconnection: close\r\n\r\nno JSON!",
            )
        })
        .await;
        let (code, report) = certify(world, &url, &["--format", "meetergo"]).await;
        assert_eq!(code, Some(1));
        assert_eq!(named(&report, "failed"), ["drips"], "{report}");
        let checks = report["checks"].as_array().unwrap();
        let drips = checks.iter().find(|check| check["name"] == "drips").unwrap();
        assert!(drips["found"].as_str().unwrap().contains("400"), "{drips}");
        assert!(
            drips["advice"].as_str().unwrap().contains("Content-Length"),
            "{drips}"
        );
    })
    .await;
}

#[tokio::test]
async fn answers_of_somebody_else() {
    scenario(async |world| {
        for (wrong, part) in [(404, "404"), (302, "302"), (405, "405"), (500, "500")] {
            let answer = status(wrong).header("location", "https://example.com/");
            let receiver = Receiver::answering(answer).await;
            let check = is_found_out(world, &receiver, "life").await;
            assert!(check["found"].as_str().unwrap().contains(part), "{check}");
            assert_eq!(
                receiver.count(),
                1,
                "no redirect is followed, and nothing else tried"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_crowd_that_is_too_much() {
    scenario(async |world| {
        let mut taken = 0;
        let receiver = verifying(move |_| {
            taken += 1;
            // Eleven come one by one before the crowd.
            status(if (12..15).contains(&taken) { 503 } else { 200 })
        })
        .await;
        let (code, report) = certify(world, &receiver.url(), &["--secret", SECRET]).await;
        assert_eq!(code, Some(0), "nothing is lost: {report}");
        assert_eq!(named(&report, "advice"), ["at_once"], "{report}");
    })
    .await;
}
