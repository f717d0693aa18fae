//! The broker, as the generator and the floors speak to it: directly, through the client library.
//!
//! The product has one door to the broker, in `hookline-common`. The benchmark does not use it: a floor is what is left
//! without all that this door promises, and the generator plays a booking service of somebody else's.

use std::time::Duration;

use hookline_common::broker::{BrokerUrl, LinkSettings, declare};
use hookline_common::topology::Topology;
use lapin::options::QueueDeclareOptions;
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::timeout;

use crate::error::{Context as _, Fault, Result};

/// How long any one answer of the broker may take.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(20);

/// Connects and opens a channel. The connection lives as long as it is held.
///
/// # Errors
/// The broker does not answer.
pub(crate) async fn connect(url: &str, name: &str) -> Result<(Connection, Channel)> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let opened = timeout(ANSWER_TIME, async {
        let connection = Connection::connect(url, properties).await?;
        let channel = connection.create_channel().await?;
        Ok::<_, lapin::Error>((connection, channel))
    });
    opened
        .await
        .map_err(|_| Fault::new("the broker does not answer"))?
        .context("connecting to the broker")
}

/// A name as the protocol wants it; ours are short enough.
pub(crate) fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}

/// How many messages of `queue` wait for somebody to take them.
///
/// # Errors
/// There is no such queue.
pub(crate) async fn waiting(channel: &Channel, queue: &str) -> Result<u32> {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare(short(queue), options, FieldTable::default());
    let declared = timeout(ANSWER_TIME, declared).await;
    let declared = declared.map_err(|_| Fault::new("the broker does not answer"))?;
    Ok(declared.context(queue)?.message_count())
}

/// Makes the queues stand as the product wants them, for whoever is measured.
///
/// # Errors
/// The broker does not answer, or refuses.
pub(crate) async fn set_up(url: &str, topology: &Topology) -> Result<()> {
    let url = BrokerUrl::parse(url).context("HOOKLINE_AMQP_URL")?;
    let link = LinkSettings::new(url, "hookline-bench set-up");
    declare(&link, topology).await.context("declaring the queues")
}
