//! Keeps the topology as it must be while a connection lives: what somebody deleted is made again, and what cannot be is
//! reported.
//!
//! A binding cannot be asked for: publishing would tell whether it is there, and would store a message where it is. So it
//! is made again in each round, without a word, for making one that exists changes nothing. An account that may not bind can
//! neither mend nor see one that is missing, which is told once; unless an end of it was missing and was made again here, which
//! takes it along for certain. While a node of a cluster
//! hangs that can take half a minute. So it is done here and nowhere on the way of a message, on a channel of its own, and
//! its slowness is no failure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::{Channel, Connection};
use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::connect::{in_time, open_channel};
use super::declare::{declare_object, declare_tolerantly};
use super::error::{ACCESS_REFUSED, BrokerError, NOT_FOUND};
use super::object::{Object, declare_call, objects};
use crate::topology::{QueueSpec, Topology};

/// How often everything is looked at: noticed within half a minute, even if one round is lost to a slow broker.
const ROUND_EVERY: Duration = Duration::from_secs(10);
/// Everything is looked at again at most so often, however many messages miss something.
const MISSED_EVERY: Duration = Duration::from_secs(1);
const WHAT: &str = "looking after the topology";

/// What is not as it must be and cannot be mended by this program.
#[derive(Default)]
struct Trouble(Mutex<Option<String>>);

impl Trouble {
    fn get(&self) -> Option<String> {
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

/// What keeps the topology, over all connections of a publisher.
pub(super) struct Upkeep {
    topology: Option<Topology>,
    /// Whether it is looked at every ten seconds, or only when something is missed.
    is_keeper: bool,
    trouble: Trouble,
    missed: Notify,
    /// An end of the bindings was made again, and not all of them were since.
    is_unbound: AtomicBool,
    /// It was told that bindings cannot be looked after.
    is_told: AtomicBool,
}

impl Upkeep {
    pub(super) fn new(topology: Option<Topology>, is_keeper: bool) -> Self {
        Self {
            topology,
            is_keeper,
            trouble: Trouble::default(),
            missed: Notify::new(),
            is_unbound: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
        }
    }

    pub(super) fn topology(&self) -> Option<&Topology> {
        self.topology.as_ref()
    }

    /// What is wrong and cannot be mended by this program.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.get()
    }

    /// Something of the topology was found missing: no queue took a message, or there was nothing to consume.
    pub(super) fn miss(&self) {
        self.missed.notify_one();
    }

    /// Looks after the topology until the connection ends. Nobody waits for it: what is slow here holds up nothing.
    pub(super) async fn keep(&self, connection: &Connection) {
        let Some(topology) = &self.topology else {
            return std::future::pending().await;
        };
        let mut keeper = Keeper {
            upkeep: self,
            connection,
            channel: None,
            may_configure: true,
            may_bind: true,
            standing: Vec::new(),
        };
        keeper.bind_all(topology).await;
        loop {
            let is_missed = tokio::select! {
                () = self.missed.notified() => true,
                () = sleep(ROUND_EVERY), if self.is_keeper => false,
            };
            let found = keeper.round(topology, !is_missed).await;
            let unbound = keeper.bind_all(topology).await;
            match found {
                // A look that compares nothing finds no difference, which means nothing.
                Ok(None) if is_missed && unbound.is_none() => {}
                Ok(found) => {
                    let faults: Vec<_> = found.into_iter().chain(unbound).collect();
                    self.trouble.set((!faults.is_empty()).then(|| faults.join("; ")));
                }
                // The broker is slow, or the connection is about to end.
                Err(error) => debug!(%error, "looking after the topology again later"),
            }
            if is_missed {
                sleep(MISSED_EVERY).await;
            }
        }
    }
}

struct Keeper<'a> {
    upkeep: &'a Upkeep,
    connection: &'a Connection,
    channel: Option<Channel>,
    /// False once the broker refused it: asked again and again it would log each time.
    may_configure: bool,
    may_bind: bool,
    /// Queues that are allowed to differ, as they were found: compared with what they are not, the broker would log each time.
    standing: Vec<QueueSpec>,
}

impl Keeper<'_> {
    /// Looks at everything once, but the bindings: what is wrong and stays so. What is there is compared where `compares`.
    async fn round(&mut self, topology: &Topology, compares: bool) -> Result<Option<String>, BrokerError> {
        let mut faults = Vec::new();
        for object in objects(topology) {
            if let Object::Binding { .. } = object {
                continue;
            }
            match self.look_at(&object, compares).await {
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

    /// Makes every binding again, and returns what is wrong with them for certain. One that the broker is slow with is tried again the
    /// next time.
    async fn bind_all(&mut self, topology: &Topology) -> Option<String> {
        let (mut faults, mut are_bound) = (Vec::new(), true);
        for object in objects(topology) {
            let Object::Binding { queue, exchange } = object else {
                continue;
            };
            match self.bind(&object).await {
                Ok(is_bound) => are_bound &= is_bound,
                Err(error) if error.reply_code() == Some(ACCESS_REFUSED) => {
                    are_bound = false;
                    self.may_bind = false;
                    if self.upkeep.is_unbound.load(Ordering::Relaxed) {
                        faults.push(format!(
                            "{object} is missing, and this account may not bind it: {error}; allow it to write to {queue:?} and to \
                             read {exchange:?} (rabbitmqctl set_permissions)"
                        ));
                    } else if self.upkeep.is_keeper && !self.upkeep.is_told.swap(true, Ordering::Relaxed) {
                        warn!(
                            %error,
                            "this account may not bind: should it go missing that {object}, nobody here would see it or mend it, and \
                             events would come back to their publishers as unroutable; allow the account to write to {queue:?} and \
                             to read {exchange:?} (rabbitmqctl set_permissions)"
                        );
                    }
                }
                Err(error) => {
                    are_bound = false;
                    debug!(%object, %error, "binding again later");
                }
            }
        }
        if are_bound {
            self.upkeep.is_unbound.store(false, Ordering::Relaxed);
        }
        (!faults.is_empty()).then(|| faults.join("; "))
    }

    async fn look_at(&mut self, object: &Object<'_>, compares: bool) -> Result<(), BrokerError> {
        match self.call(object, true).await {
            Ok(()) if compares => self.compare(object).await,
            Ok(()) => Ok(()),
            // It comes back with its node, and who uses it tells of it.
            Err(error) if error.is_out_of_reach() => {
                debug!(%object, %error, "it cannot be looked after for now");
                Ok(())
            }
            Err(error) if error.is_missing() => {
                if let Object::Queue(spec) = object {
                    self.standing.retain(|known| known.name != spec.name);
                }
                declare_object(self.connection, object, WHAT).await?;
                if !matches!(object, Object::Queue(spec) if !spec.takes_events) {
                    self.upkeep.is_unbound.store(true, Ordering::Relaxed);
                }
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
        match declare_tolerantly(self.connection, object, known, WHAT).await {
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

    /// Whether it is bound now. Where that was refused it is asked for again only if the binding is known to be missing.
    async fn bind(&mut self, object: &Object<'_>) -> Result<bool, BrokerError> {
        if !self.may_bind && !self.upkeep.is_unbound.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match self.call(object, false).await {
            Ok(()) => Ok(true),
            // Its queue or exchange is missing, which is told of that one.
            Err(error) if error.reply_code() == Some(NOT_FOUND) => Ok(false),
            Err(error) => Err(error),
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
