//! Puts a queue with the right arguments in the place of one with others, and keeps its messages.
//!
//! A queue cannot be renamed, and its arguments cannot be changed. So its messages move into a temporary queue, the queue
//! is deleted and declared anew, and the messages move back.
//!
//! - A message is acknowledged in one queue after the other has confirmed it. Whatever ends this in between leaves no
//!   message in neither; those in hand may be in both.
//! - The broker deletes a quorum queue whether it is empty or not, and confirms what is on its way to it although nobody
//!   stores it. So nobody may publish to it in that moment, and it is deleted only after a time in which nothing came. Events
//!   that come by way of the exchange are led into the temporary queue before.
//! - Should something come all the same until it is deleted, it is handed to our consumer before that is told of the end, and
//!   stored in the temporary queue (`transfer.rs`).
//! - What other consumers hold would be lost with the queue. So there may be none.
//! - The name of the temporary queue is known. A run that is ended at any point leaves it behind, and the next run goes on
//!   from what it finds.

mod step; // what is told of it
mod carried; // a message, as it lies in a queue
mod transfer; // from queue to queue
mod place; // what stands on the broker

use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::place::{Place, Standing};
pub use self::step::{Migrated, MigrationError, MigrationStep};
use self::transfer::{Transfer, store};
use super::connect::{LinkSettings, Opened, open};
use super::error::{ACCESS_REFUSED, BrokerError, PRECONDITION_FAILED, RESOURCE_LOCKED};
use super::refusal::NOT_ALLOWED;
use crate::topology::{QueueSpec, Topology};

/// AMQP's codes for what comes again, whatever is tried.
const REFUSALS: [u16; 4] = [ACCESS_REFUSED, RESOURCE_LOCKED, PRECONDITION_FAILED, NOT_ALLOWED];
/// Between two tries after the broker did not answer or a connection was lost.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Tries in a row, each of which goes on where the last one ended, before the broker is given up.
const TRIES: u32 = 10;
/// So many messages are in hand while a queue is emptied: enough for full speed, and 25 MB if all are as long as they may be.
const MOVING_WINDOW: u16 = 200;
/// At the end the queue is as good as empty, and whatever is published until it is deleted must find room in our hands.
const LAST_WINDOW: u16 = u16::MAX;
/// The less there is in hand at the end, the less a kill in the wrong moment can cost. It is not waited for longer, because
/// the look at who consumes the queue grows old.
const LAST_REST: Duration = Duration::from_millis(200);
/// A queue that got nothing for so long has no publisher that is at work.
const UNPUBLISHED: Duration = Duration::from_secs(1);
/// Long enough to stop the dispatchers after this was started.
const PUBLISHED_FOR: Duration = Duration::from_secs(60);
/// What expired in the queue is on its way to another one, and counts nowhere until that confirms it. This is longer than
/// the broker gives such a move before it tries again, where it is set as docs/CLUSTER.md advises.
const EXPIRED_ON_THE_WAY: Duration = Duration::from_secs(5);

/// Migrates every queue of `topology` that exists with other arguments, and ends migrations that were begun. Queues that are
/// missing are left alone, and so is a stream, whose messages cannot be moved.
///
/// # Errors
/// [`MigrationError`] with the first queue that cannot be migrated.
pub async fn migrate(
    settings: &LinkSettings,
    topology: &Topology,
    tell: &(dyn Fn(MigrationStep<'_>) + Sync),
) -> Result<Vec<Migrated>, MigrationError> {
    let mut migrated = Vec::new();
    // First those whose messages leave by expiring: what expires while its target is replaced would be in neither.
    let (expiring, others): (Vec<_>, Vec<_>) = topology.queues.iter().partition(|spec| spec.lets_expire());
    let queues = expiring.into_iter().chain(others);
    let events = topology.queues.iter().find(|spec| spec.takes_events);
    for spec in queues.filter(|spec| !spec.is_stream()) {
        let migration = Migration {
            settings,
            spec,
            temporary: spec.temporary(),
            exchange: &topology.events_exchange,
            events: events.map(|spec| spec.name.as_str()),
            tell,
        };
        if let Some(messages) = migration.run().await? {
            migrated.push(Migrated {
                queue: spec.name.clone(),
                messages,
            });
        }
    }
    Ok(migrated)
}

/// The migration of one queue.
struct Migration<'a> {
    settings: &'a LinkSettings,
    spec: &'a QueueSpec,
    temporary: QueueSpec,
    exchange: &'a str,
    /// The queue that every dispatcher consumes from, whichever others it asks for one message at a time.
    events: Option<&'a str>,
    tell: &'a (dyn Fn(MigrationStep<'_>) + Sync),
}

impl Migration<'_> {
    /// How many messages came back; `None` where there was nothing to do.
    async fn run(&self) -> Result<Option<u64>, MigrationError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.attempt().await {
                Err(MigrationError::Broker(error))
                    if tries < TRIES && !error.is_final() && !is_refusal(&error) =>
                {
                    (self.tell)(MigrationStep::Again { error: &error });
                    sleep(RETRY_PAUSE).await;
                }
                ended => return ended,
            }
        }
    }

    /// Goes on from whatever stands on the broker.
    async fn attempt(&self) -> Result<Option<u64>, MigrationError> {
        let control = open(self.settings).await?;
        let place = Place {
            connection: &control.connection,
            spec: self.spec,
            temporary: &self.temporary,
            exchange: self.exchange,
        };
        let done = self.go_on(&place).await;
        // It holds the lock, which the next try or another run waits for.
        control.close().await;
        done
    }

    async fn go_on(&self, place: &Place<'_>) -> Result<Option<u64>, MigrationError> {
        let is_begun = place.has_temporary().await?;
        if !is_begun && !matches!(place.standing().await?, Standing::Differs) {
            return Ok(None);
        }
        // Held until the connection ends.
        place.lock().await?;
        if !place.has_temporary().await? && !matches!(place.standing().await?, Standing::Differs) {
            // Whoever held it before has done it.
            return Ok(None);
        }
        // Somebody else may declare the old one again in the moment in which there is none; then that one is emptied, too.
        while matches!(place.standing().await?, Standing::Differs) {
            if let Some(events) = self.events {
                place.is_unconsumed(events, 0).await?;
            }
            self.empty_and_delete(place).await?;
            place.declare_new().await?;
        }
        // A run that was ended may have left none.
        place.declare_new().await?;
        place.bind_new().await?;
        (self.tell)(MigrationStep::Replaced {
            queue: &self.spec.name,
        });
        Ok(Some(self.move_back(place).await?))
    }

    async fn empty_and_delete(&self, place: &Place<'_>) -> Result<(), MigrationError> {
        let (name, temporary) = (self.spec.name.as_str(), self.temporary.name.as_str());
        place.is_unconsumed(name, 0).await?;
        place.declare_temporary().await?;
        let there_before = place.ready(temporary).await?;
        (self.tell)(MigrationStep::Moving {
            from: name,
            to: temporary,
        });
        // Apart from each other, because a broker that is short of memory holds up whatever a publishing connection asks for.
        let incoming = open(self.settings).await?;
        let outgoing = open(self.settings).await?;
        self.empty_between(place, there_before, &incoming, &outgoing)
            .await?;
        incoming.close().await;
        outgoing.close().await;
        Ok(())
    }

    async fn empty_between(
        &self,
        place: &Place<'_>,
        there_before: u32,
        incoming: &Opened,
        outgoing: &Opened,
    ) -> Result<(), MigrationError> {
        let (name, temporary) = (self.spec.name.as_str(), self.temporary.name.as_str());
        let mut first =
            Transfer::begin(&incoming.connection, outgoing, name, temporary, MOVING_WINDOW).await?;
        first.catch_up(place.connection).await?;
        let moved = first.end().await?;
        (self.tell)(MigrationStep::Moved {
            messages: moved,
            to: temporary,
        });
        place.holds_at_least(u64::from(there_before) + moved).await?;
        let last = Transfer::begin(&incoming.connection, outgoing, name, temporary, LAST_WINDOW).await?;
        self.delete_behind(place, last).await
    }

    /// Deletes the queue while `last` receives whatever it still gets.
    async fn delete_behind(&self, place: &Place<'_>, mut last: Transfer) -> Result<(), MigrationError> {
        let name = self.spec.name.as_str();
        place.lead_events_aside().await?;
        if let Err(error) = self.come_to_rest(place, &mut last).await {
            // It stays as it was, and must get its events again.
            place.bind_new().await?;
            return Err(error);
        }
        let deleted = place.delete(name).await;
        match deleted {
            // A refusal in words: it stands, and has got back what we held of it.
            Err(error) if error.reply_code().is_some() => {
                place.bind_new().await?;
                return Err(error.into());
            }
            Ok(()) | Err(_) => {}
        }
        // From here on they are in no queue.
        let rest = last.into_rest().await;
        store(self.settings, &self.temporary.name, rest, self.tell).await;
        Ok(deleted?)
    }

    /// Waits until nothing comes to the queue any more, and nobody but `last` takes from it.
    async fn come_to_rest(&self, place: &Place<'_>, last: &mut Transfer) -> Result<(), MigrationError> {
        let quiet = if self.spec.lets_expire() {
            EXPIRED_ON_THE_WAY
        } else {
            UNPUBLISHED
        };
        self.wait_for_quiet(place, last, quiet).await?;
        place.is_unconsumed(&self.spec.name, 1).await?;
        last.rest_within(LAST_REST).await?;
        Ok(())
    }

    /// Waits, and moves what comes, until nothing has come for so long.
    async fn wait_for_quiet(
        &self,
        place: &Place<'_>,
        last: &mut Transfer,
        quiet: Duration,
    ) -> Result<(), MigrationError> {
        let since = Instant::now();
        let mut is_told = false;
        loop {
            last.catch_up(place.connection).await?;
            let before = last.moved();
            last.go_on_for(quiet).await?;
            if last.moved() == before {
                return Ok(());
            }
            if since.elapsed() >= PUBLISHED_FOR {
                return Err(place.still_published(PUBLISHED_FOR));
            }
            if !is_told {
                (self.tell)(MigrationStep::StillPublished {
                    queue: &self.spec.name,
                });
                is_told = true;
            }
        }
    }

    async fn move_back(&self, place: &Place<'_>) -> Result<u64, MigrationError> {
        let (name, temporary) = (self.spec.name.as_str(), self.temporary.name.as_str());
        if !place.has_temporary().await? {
            return Ok(0);
        }
        place.is_unconsumed(temporary, 0).await?;
        (self.tell)(MigrationStep::Moving {
            from: temporary,
            to: name,
        });
        // Fresh ones: on connections that knew the old queue, the new one's messages were seen to hide.
        let incoming = open(self.settings).await?;
        let outgoing = open(self.settings).await?;
        let moved = self.move_between(place, &incoming, &outgoing).await?;
        incoming.close().await;
        outgoing.close().await;
        (self.tell)(MigrationStep::Moved {
            messages: moved,
            to: name,
        });
        Ok(moved)
    }

    async fn move_between(
        &self,
        place: &Place<'_>,
        incoming: &Opened,
        outgoing: &Opened,
    ) -> Result<u64, MigrationError> {
        let (name, temporary) = (self.spec.name.as_str(), self.temporary.name.as_str());
        let mut transfer =
            Transfer::begin(&incoming.connection, outgoing, temporary, name, MOVING_WINDOW).await?;
        transfer.catch_up(place.connection).await?;
        if self.spec.takes_events {
            // Events that were routed to it just before it was unbound are still on their way.
            self.wait_for_quiet(place, &mut transfer, UNPUBLISHED).await?;
        }
        place.is_unconsumed(temporary, 1).await?;
        let moved = transfer.end().await?;
        // Nobody else publishes to it. So this holds, or something is wrong and the next try looks again.
        if place.ready(temporary).await? > 0 {
            return Err(BrokerError::Lost {
                what: "moving messages back",
                why: format!("{temporary:?} is not empty although all was moved"),
            }
            .into());
        }
        place.delete(temporary).await?;
        Ok(moved)
    }
}

/// Whether the broker says what it would say again, whatever is tried: no right, or a queue that is in the way.
fn is_refusal(error: &BrokerError) -> bool {
    let code = error.reply_code();
    code.is_some_and(|code| REFUSALS.contains(&code))
}
