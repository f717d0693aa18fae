//! Keeps the topology as it must be while a connection lives: what somebody deleted is made again, and what cannot be is
//! reported.
//!
//! A binding cannot be asked for: publishing would tell whether it is there, and would store a message where it is. So it
//! is made again in each round, without a word, for making one that exists changes nothing. While a node of a cluster
//! hangs that can take half a minute. It runs on a channel of its own and its slowness is no failure.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::{Channel, Connection};
use tokio::time::sleep;
use tracing::{debug, warn};

use super::connect::{in_time, open_channel};
use super::declare::{Object, declare_call, declare_object, declare_tolerantly, objects};
use super::error::{ACCESS_REFUSED, BrokerError, NOT_FOUND};
use crate::topology::{QueueSpec, Topology};

/// How often everything is looked at: noticed within half a minute, even if one round is lost to a slow broker.
const ROUND_EVERY: Duration = Duration::from_secs(10);
const WHAT: &str = "looking after the topology";

/// What is not as it must be and cannot be mended by this program.
#[derive(Default)]
pub(super) struct Trouble(Mutex<Option<String>>);

impl Trouble {
    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells people when it changes.
    fn set(&self, found: Option<String>) {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *trouble == found {
            return;
        }
        match &found {
            Some(text) => warn!(
                trouble = text,
                "something on the broker is to be mended by a person"
            ),
            None => warn!("everything on the broker is as it must be again"),
        }
        *trouble = found;
    }
}

/// Looks after `topology` until the connection ends.
pub(super) async fn keep(connection: &Connection, topology: &Topology, trouble: &Trouble) {
    // Everything was made sure of when the connection was made.
    trouble.set(None);
    let mut keeper = Keeper {
        connection,
        channel: None,
        may_configure: true,
        may_bind: true,
        standing: Vec::new(),
    };
    loop {
        sleep(ROUND_EVERY).await;
        match keeper.round(topology).await {
            Ok(found) => trouble.set(found),
            // The broker is slow, or the connection is about to end.
            Err(error) => debug!(%error, "looking after the topology again later"),
        }
    }
}

struct Keeper<'a> {
    connection: &'a Connection,
    channel: Option<Channel>,
    /// False once the broker refused it: asked again and again it would log each time.
    may_configure: bool,
    may_bind: bool,
    /// Queues that are allowed to differ, as they were found: compared with what they are not, the broker would log each time.
    standing: Vec<QueueSpec>,
}

impl Keeper<'_> {
    /// Looks at everything once: what is wrong and stays so.
    async fn round(&mut self, topology: &Topology) -> Result<Option<String>, BrokerError> {
        let mut faults = Vec::new();
        for object in objects(topology) {
            let kept = match object {
                Object::Binding { .. } => self.bind(&object).await,
                Object::Exchange(_) | Object::Queue(_) => self.look_at(&object).await,
            };
            match kept {
                Ok(()) => {}
                Err(BrokerError::Mismatch(discrepancy)) => faults.push(discrepancy.to_string()),
                Err(error) if error.reply_code() == Some(ACCESS_REFUSED) => {
                    faults.push(format!(
                        "{object} is missing, and this account may not create it: {error}"
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((!faults.is_empty()).then(|| faults.join("; ")))
    }

    async fn look_at(&mut self, object: &Object<'_>) -> Result<(), BrokerError> {
        match self.call(object, true).await {
            Ok(()) => self.compare(object).await,
            Err(error) if error.reply_code() == Some(NOT_FOUND) => {
                declare_object(self.connection, object, WHAT).await?;
                warn!(%object, "somebody deleted it; it is made again, without what it held");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether what is there is of our making. Declaring what exists changes nothing and fails where it differs.
    async fn compare(&mut self, object: &Object<'_>) -> Result<(), BrokerError> {
        if !self.may_configure {
            return Ok(());
        }
        let known = match object {
            Object::Queue(spec) => self.standing.iter().find(|known| known.name == spec.name),
            Object::Exchange(_) | Object::Binding { .. } => None,
        };
        let known = known.map_or(*object, Object::Queue);
        match declare_tolerantly(self.connection, &known, WHAT).await {
            Err(error) if error.reply_code() == Some(ACCESS_REFUSED) => {
                self.may_configure = false;
                Ok(())
            }
            Ok(Some(standing)) => {
                self.standing.retain(|known| known.name != standing.name);
                self.standing.push(standing);
                Ok(())
            }
            compared => compared.map(drop),
        }
    }

    async fn bind(&mut self, object: &Object<'_>) -> Result<(), BrokerError> {
        if !self.may_bind {
            return Ok(());
        }
        match self.call(object, false).await {
            Err(error) if error.reply_code() == Some(ACCESS_REFUSED) => {
                self.may_bind = false;
                Ok(())
            }
            // Its queue or exchange is missing, which is told of that one.
            Err(error) if error.reply_code() == Some(NOT_FOUND) => Ok(()),
            bound => bound,
        }
    }

    async fn call(&mut self, object: &Object<'_>, passive: bool) -> Result<(), BrokerError> {
        let channel = match self.channel.take() {
            Some(channel) if channel.status().connected() => channel,
            _ => open_channel(self.connection).await?,
        };
        // A channel is not used again after an error, which closes it, nor after a call that is still unanswered.
        in_time(WHAT, declare_call(&channel, object, passive)).await?;
        self.channel = Some(channel);
        Ok(())
    }
}
