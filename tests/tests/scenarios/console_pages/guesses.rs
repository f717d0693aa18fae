//! How often one may try sessions and links that are nobody's.

use std::time::Instant;

use futures_util::future::join_all;
use hookline_tests::console::console_scenario;

use super::browser;

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
