//! The spill, looked into again and again by somebody who takes nothing out of it.

use lapin::Channel;

use super::browse::Browser;
use super::connect::{LinkSettings, Opened, open};
use super::depth::depths_on;
use super::error::BrokerError;
use crate::message::Message;

const WHAT: &str = "looking into the spill";

/// Looks into the spill, which most of the time is empty. It holds nothing between two looks, and is simply dropped.
pub struct SpillWatch {
    opened: Opened,
    asking: Option<Channel>,
    settings: LinkSettings,
    queue: String,
}

impl SpillWatch {
    /// Connects.
    pub(super) async fn open(settings: &LinkSettings, queue: &str) -> Result<Self, BrokerError> {
        Ok(Self {
            opened: open(settings).await?,
            asking: None,
            settings: settings.clone(),
            queue: queue.to_owned(),
        })
    }

    /// Hands the batches that are there now to `take`, as long as it says that it takes more. They are held meanwhile, so
    /// that nobody else sees them, and given back.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection is lost or the spill cannot be read.
    pub async fn look(&mut self, take: impl FnMut(&Message) -> bool) -> Result<(), BrokerError> {
        if !self.opened.connection.status().connected() {
            return Err(BrokerError::Lost {
                what: WHAT,
                why: "the connection has ended".to_owned(),
            });
        }
        let queues = std::slice::from_ref(&self.queue);
        let depths = depths_on(&self.opened.connection, &mut self.asking, queues).await;
        if depths.iter().flatten().all(|depth| depth.ready == 0) {
            return Ok(());
        }
        read_queue(&self.settings, &self.queue, take).await
    }
}

/// Hands the messages of `queue` to `take`, as long as it says that it takes more, and gives all of them back.
pub(super) async fn read_queue(
    settings: &LinkSettings,
    queue: &str,
    mut take: impl FnMut(&Message) -> bool,
) -> Result<(), BrokerError> {
    let Some(mut browser) = Browser::open(settings, queue).await? else {
        return Ok(());
    };
    while let Some(held) = browser.next().await? {
        if !take(&held.message) {
            break;
        }
    }
    Ok(browser.close().await?)
}
