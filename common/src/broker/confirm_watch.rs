//! Tells a broker that is slow from one that is gone. The slow one is waited for: what was sent to it is stored sooner or
//! later, and sending it again would only double it.

use std::time::Duration;

use lapin::Connection;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::connect::CALL_TIMEOUT;
use super::established::Established;
use super::in_flight::InFlight;
use super::publish_channel::PublishChannels;
use super::unanswered::CONFIRM_TIMEOUT;

/// How often the answers are looked at. One timer for all messages, because one for each would cost more than it tells.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The slowest link, in bytes a second, on which the bytes that were sent before a question do not count as silence.
const SLOWEST_LINK: u64 = 256 * 1024;

/// Looks after the answers on one connection, and gives it up when the broker is silent.
pub(super) async fn watch_confirms(established: &Established<PublishChannels>, in_flight: &InFlight) {
    loop {
        sleep(LOOK_EVERY).await;
        if established.is_blocked() {
            // Nothing is sent and nothing confirmed until the broker's alarm clears.
            in_flight.unanswered().is_blocked(Instant::now());
            continue;
        }
        let is_silent = in_flight.unanswered().is_silent(Instant::now());
        if is_silent {
            let unconfirmed = in_flight.stats().unconfirmed_bytes();
            let within = CALL_TIMEOUT + Duration::from_secs(unconfirmed / SLOWEST_LINK);
            let is_alive = timeout(within, answers(&established.connection)).await;
            // An answer to anything else will do, and a broker that is blocked meanwhile need not answer.
            let is_alive = is_alive.unwrap_or(false)
                || established.is_blocked()
                || !in_flight.unanswered().is_silent(Instant::now());
            if !is_alive {
                let seconds = (CONFIRM_TIMEOUT + within).as_secs();
                let awaited = in_flight.unanswered().awaited().join(", ");
                established.give_up(format!(
                    "the broker neither confirmed what was published (to {awaited}) nor answered anything else for {seconds} s"
                ));
                return std::future::pending().await;
            }
            in_flight.unanswered().is_alive(Instant::now());
        }
        in_flight.set_stalled_aside(Instant::now());
    }
}

/// Whether the broker answers a question that has nothing to do with what is published. It is read behind all that was
/// sent before it, so its answer may take as long as that.
async fn answers(connection: &Connection) -> bool {
    match connection.create_channel().await {
        Ok(channel) => {
            if let Err(error) = channel.close(200, "done".into()).await {
                debug!(%error, "closing the channel of a question");
            }
            true
        }
        Err(error) => {
            debug!(%error, "the broker does not answer");
            false
        }
    }
}
