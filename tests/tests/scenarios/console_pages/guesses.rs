//! How often one may try sessions and links that are nobody's.

use std::time::Instant;

use futures_util::future::join_all;
use hookline_tests::console::{ADMIN_TOKEN, console_scenario};

use super::{browser, member, operator};

#[tokio::test]
async fn whoever_makes_sessions_and_links_up_is_told_to_wait() {
    const AT_ONCE: usize = 16;
    const EACH: usize = 60;
    console_scenario(async |console, _| {
        let made_up = "x".repeat(43);
        for (cookie, path) in [
            (Some(format!("hookline_session={made_up}")), "/sign-in".to_owned()),
            (None, format!("/enter/{made_up}")),
        ] {
            let began = Instant::now();
            let guesses = (0..AT_ONCE).map(async |_| {
                let mut guessing = browser(console);
                guessing.cookie.clone_from(&cookie);
                let mut refused = 0;
                for _ in 0..EACH {
                    refused += usize::from(guessing.get(&path).await.status == 429);
                }
                refused
            });
            let refused: usize = join_all(guesses).await.into_iter().sum();
            // On a machine that is too busy to guess so often there is nothing to refuse.
            let may_be_looked_up = 400 + AT_ONCE + usize::try_from(began.elapsed().as_millis()).unwrap() / 5;
            assert!(
                refused + may_be_looked_up >= AT_ONCE * EACH,
                "{path}: {refused} in {:?}",
                began.elapsed()
            );
        }
    })
    .await;
}

/// Behind a proxy everybody has one address.
#[tokio::test]
async fn whoever_is_signed_in_or_has_the_token_does_not_wait_for_what_others_make_up() {
    const GUESSING: usize = 16;
    const EACH: usize = 100;
    console_scenario(async |console, _| {
        let (operator, acme) = (operator(console).await, member(console, "acme").await);
        let guesses = (0..GUESSING).map(async |_| {
            let mut stranger = browser(console);
            stranger.cookie = Some(format!("hookline_session={}", "x".repeat(43)));
            for _ in 0..EACH {
                stranger.get("/sign-in").await;
            }
        });
        let at_work = async {
            for _ in 0..20 {
                let new = browser(console);
                let answers = [
                    operator.get("/companies").await,
                    acme.get("/companies/acme/endpoints").await,
                    new.bare_post("/sign-in", &[("token", ADMIN_TOKEN)]).await,
                ];
                // A machine that is too busy for all of this may say so, which is another thing.
                assert!(answers.iter().all(|answer| answer.status != 429), "{answers:?}");
            }
        };
        // Where the machine is too busy to guess so often, nobody has to wait; guess_limits.rs has what holds anywhere.
        tokio::join!(join_all(guesses), at_work);
    })
    .await;
}
