//! What is at hand is stored together, and tried again until the database has it.

use std::time::Duration;

use hookline_common::shutdown::Shutdown;
use hookline_consume::Taken;
use hookline_store::{NewDeadLetter, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use super::letters::{DeadLetterInHand, read};
use crate::app::App;
use crate::meters;

/// Dead letters of a transaction at most.
const MAX_BATCH: usize = 500;
/// And bytes of them: a transaction takes no longer where payloads are large.
const MAX_BATCH_BYTES: usize = 4 << 20;
/// How long the first waits for others. Nobody waits for a dead letter to be filed, and a transaction for each takes longer.
const GATHER: Duration = Duration::from_millis(5);
/// The waits between two tries while the database does not take them.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Files what comes until shutdown. Nothing is acknowledged that is not stored.
pub(super) async fn file(app: App, mut receiver: mpsc::Receiver<Taken>, shutdown: Shutdown) {
    let mut rejecting = JoinSet::new();
    while let Some(batch) = gather(&mut receiver).await {
        let mut letters = Vec::with_capacity(batch.len());
        for read in batch.into_iter().filter_map(read) {
            match read {
                Ok(letter) => letters.push(letter),
                Err(no_dead_letter) => drop(rejecting.spawn(no_dead_letter.reject(app.clone()))),
            }
        }
        let mut parts = vec![letters];
        while let Some(part) = parts.pop() {
            let stored = tokio::select! {
                stored = store(&app, &part) => stored,
                // It goes back to its queue, and whoever files next has it.
                () = shutdown.requested() => return,
            };
            match stored {
                Ok(()) => settle(part),
                // Halved until what is refused stands alone: all else is stored.
                Err(why) => parts.extend(split(part, &why, &mut rejecting, &app)),
            }
        }
        while rejecting.try_join_next().is_some() {}
    }
    // Those of a broker that is away are given up with this set, and come again.
}

/// The first that comes, and what comes with it. Nothing where nothing comes any more.
async fn gather(receiver: &mut mpsc::Receiver<Taken>) -> Option<Vec<Taken>> {
    let first = receiver.recv().await?;
    let mut bytes = first.message.size();
    let mut batch = vec![first];
    let until = Instant::now() + GATHER;
    while batch.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
        match timeout_at(until, receiver.recv()).await {
            Ok(Some(taken)) => {
                bytes += taken.message.size();
                batch.push(taken);
            }
            Ok(None) | Err(_) => break,
        }
    }
    Some(batch)
}

fn settle(letters: Vec<DeadLetterInHand>) {
    meters::filed(letters.len());
    for letter in letters {
        letter.in_hand.settle();
    }
}

/// Stores them, for as long as that takes; an error is one of what they hold.
async fn store(app: &App, letters: &[DeadLetterInHand]) -> Result<(), String> {
    if letters.is_empty() {
        return Ok(());
    }
    let letters: Vec<&NewDeadLetter> = letters.iter().map(|letter| &letter.dead_letter).collect();
    let mut wait = FIRST_WAIT;
    loop {
        match app.background_store().file_dead_letters(&letters).await {
            Ok(()) => {
                if wait > FIRST_WAIT {
                    info!("dead letters are filed again");
                }
                return Ok(());
            }
            Err(error) if error.refuses_data() => return Err(error.to_string()),
            Err(error) => tell(&error, wait),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Once at the start of the trouble, and then once in a while.
fn tell(error: &StoreError, wait: Duration) {
    if wait == FIRST_WAIT || wait == LONGEST_WAIT {
        warn!(%error, "dead letters wait in their queue: the database does not take them; trying again");
    }
}

fn split(
    mut part: Vec<DeadLetterInHand>,
    why: &str,
    rejecting: &mut JoinSet<()>,
    app: &App,
) -> Vec<Vec<DeadLetterInHand>> {
    if part.len() > 1 {
        let other = part.split_off(part.len() / 2);
        return vec![other, part];
    }
    for letter in part {
        rejecting.spawn(letter.not_filed(why.to_owned()).reject(app.clone()));
    }
    Vec::new()
}
