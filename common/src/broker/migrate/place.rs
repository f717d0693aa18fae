//! What stands on the broker in the place of one queue, looked at and changed step by step.

use std::time::Duration;

use lapin::Connection;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use tokio::time::{Instant, sleep};

use super::super::connect::{in_time, open_channel, short};
use super::super::declare::{bind, declare_object, is_there, unbind};
use super::super::depth::depth_on;
use super::super::discrepancy::DiscrepancyKind;
use super::super::error::{BrokerError, NOT_FOUND, RESOURCE_LOCKED};
use super::super::object::Object;
use super::step::MigrationError;
use crate::topology::QueueSpec;

/// Tools that look through a queue hang up after a moment.
const HANGING_UP: Duration = Duration::from_secs(10);
/// A run that was killed a moment ago still holds the lock until the broker notices.
const LOCKED: Duration = Duration::from_secs(20);
/// A count may lag behind a confirm for a moment.
const COUNTED: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// How the queue stands.
pub(super) enum Standing {
    Missing,
    AsWanted,
    Differs,
}

/// A queue, its replacement, and what keeps the messages meanwhile.
pub(super) struct Place<'a> {
    pub(super) connection: &'a Connection,
    pub(super) spec: &'a QueueSpec,
    pub(super) temporary: &'a QueueSpec,
    pub(super) exchange: &'a str,
}

impl Place<'_> {
    pub(super) async fn standing(&self) -> Result<Standing, MigrationError> {
        let queue = Object::Queue(self.spec);
        if !is_there(self.connection, &queue).await? {
            return Ok(Standing::Missing);
        }
        match declare_object(self.connection, &queue, "comparing the topology").await {
            Ok(()) => Ok(Standing::AsWanted),
            Err(BrokerError::Mismatch(found)) => match &found.kind {
                DiscrepancyKind::Differs { argument, found, .. }
                    if argument == "x-queue-type" && found.as_deref() == Some("stream") =>
                {
                    Err(self.refused(
                        "a stream stands in its place, and its messages cannot be moved; delete it by hand",
                    ))
                }
                _ => Ok(Standing::Differs),
            },
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn has_temporary(&self) -> Result<bool, BrokerError> {
        is_there(self.connection, &Object::Queue(self.temporary)).await
    }

    /// Keeps other runs from this queue until the connection ends.
    pub(super) async fn lock(&self) -> Result<(), MigrationError> {
        let since = Instant::now();
        loop {
            let channel = open_channel(self.connection).await?;
            let options = QueueDeclareOptions {
                exclusive: true,
                ..QueueDeclareOptions::default()
            };
            let name = format!("{}.lock", self.temporary.name);
            let lock = channel.queue_declare(short(&name), options, FieldTable::default());
            match in_time("locking the migration", lock).await {
                Ok(_) => return Ok(()),
                Err(error) if error.reply_code() == Some(RESOURCE_LOCKED) => {
                    if since.elapsed() >= LOCKED {
                        return Err(self.refused(
                            "another `hookline topology apply --migrate` is at it; wait for its end",
                        ));
                    }
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes sure that nobody but we, with `ours` consumers, takes from `queue`: what consumers hold goes with it.
    pub(super) async fn is_unconsumed(&self, queue: &str, ours: u32) -> Result<(), MigrationError> {
        let since = Instant::now();
        loop {
            let depth = depth_on(self.connection, queue).await?;
            let others = depth.map_or(0, |depth| depth.consumers.saturating_sub(ours));
            if others == 0 {
                return Ok(());
            }
            if since.elapsed() >= HANGING_UP {
                let why = format!(
                    "{queue} is consumed by {others}, and what they hold would be lost with it; stop the dispatchers (publishers \
                     may go on) and whatever else reads it, and start this again"
                );
                return Err(self.refused(&why));
            }
            sleep(PAUSE).await;
        }
    }

    pub(super) async fn ready(&self, queue: &str) -> Result<u32, BrokerError> {
        let depth = depth_on(self.connection, queue).await?;
        Ok(depth.map_or(0, |depth| depth.ready))
    }

    /// Makes sure that nothing took away what was confirmed, as a policy with a length limit or a TTL does.
    pub(super) async fn holds_at_least(&self, messages: u64) -> Result<(), MigrationError> {
        let since = Instant::now();
        loop {
            let ready = self.ready(&self.temporary.name).await?;
            if u64::from(ready) >= messages {
                return Ok(());
            }
            if since.elapsed() >= COUNTED {
                let why = format!(
                    "{messages} messages were moved into {}, and it holds {ready}: somebody takes from it, or a policy drops messages \
                     (`hookline topology check` with HOOKLINE_MANAGEMENT_URL names it); end that and start this again",
                    self.temporary.name
                );
                return Err(self.refused(&why));
            }
            sleep(PAUSE).await;
        }
    }

    pub(super) async fn declare_temporary(&self) -> Result<(), BrokerError> {
        let temporary = Object::Queue(self.temporary);
        declare_object(self.connection, &temporary, "declaring").await
    }

    /// Declares the queue as it must be; one that differs once more is for the caller to find.
    pub(super) async fn declare_new(&self) -> Result<(), BrokerError> {
        match declare_object(self.connection, &Object::Queue(self.spec), "declaring").await {
            Ok(()) | Err(BrokerError::Mismatch(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Has the temporary queue take the exchange's events instead of the queue. Those of one moment come into both: an event
    /// twice is better than none, which publishers that do not ask for returned messages would not even notice.
    pub(super) async fn lead_events_aside(&self) -> Result<(), BrokerError> {
        if self.spec.takes_events {
            bind(self.connection, &self.temporary.name, self.exchange).await?;
            unbind(self.connection, &self.spec.name, self.exchange).await?;
        }
        Ok(())
    }

    pub(super) async fn bind_new(&self) -> Result<(), BrokerError> {
        if self.spec.takes_events {
            bind(self.connection, &self.spec.name, self.exchange).await?;
            unbind(self.connection, &self.temporary.name, self.exchange).await?;
        }
        Ok(())
    }

    pub(super) async fn delete(&self, queue: &str) -> Result<(), BrokerError> {
        let channel = open_channel(self.connection).await?;
        // Neither `if-unused` nor `if-empty`: quorum queues know neither, and answer with the end of the connection.
        let delete = channel.queue_delete(short(queue), QueueDeleteOptions::default());
        match in_time("deleting a queue", delete).await {
            Err(error) if error.reply_code() == Some(NOT_FOUND) => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    pub(super) fn still_published(&self, waited: Duration) -> MigrationError {
        self.refused(&format!(
            "messages still arrive in it after {} s, and those on their way in the moment in which it is deleted would be lost, \
             although the broker confirms them; stop the dispatchers (producers may go on) and start this again",
            waited.as_secs()
        ))
    }

    fn refused(&self, why: &str) -> MigrationError {
        MigrationError::Refused {
            queue: format!("queue {:?}", self.spec.name),
            why: why.to_owned(),
        }
    }
}
