//! One connection: opened once, to whichever node of the broker lets us in, with a deadline for every call on it.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::time::Duration;

use lapin::types::ShortString;
use lapin::{Channel, Connection};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::connect_fault::{ConnectFailure, ConnectFault};
use super::error::BrokerError;
use super::handshake::shake_hands;
use super::hang_up::{GOODBYE, HangUpOnDrop, close_and_hang_up};
use super::heard::Heard;
pub(super) use super::link_settings::LinkSettings;
use super::node_url::NodeUrl;

/// How long any one call may take. A broker that fails over to another node answers within a few seconds.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one address may take while there is another to try.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens a connection: tries every node once, and every address of each. Where it begins is left to chance.
pub(super) async fn open(settings: &LinkSettings) -> Result<Opened, BrokerError> {
    open_from(settings, any_turn()).await
}

/// A connection, and the node that it leads to. Dropped, after an error or since nobody waits any more for what is done on it, it ends in
/// order where the broker answers, and is hung up on a second later in any case. A program that ends before does not get so far:
/// [`Opened::close`] waits for it.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// What is heard on it.
    pub(super) heard: Heard,
    /// Host and port as they were given, for people.
    pub(super) node: String,
    on_drop: HangUpOnDrop,
}

impl Opened {
    /// Says goodbye, and hangs up whether it is answered or not: within two seconds.
    pub(super) async fn close(self) {
        // The client library says none while it closes a channel that was dropped, which it does by itself. What is answered on
        // another one comes after that.
        let others_are_closed = async {
            let channel = self.connection.create_channel().await?;
            channel.close(200, "done".into()).await
        };
        if let Ok(Err(error)) = timeout(GOODBYE, others_are_closed).await {
            tracing::debug!(%error, "closing the channels");
        }
        close_and_hang_up(&self.connection, &self.heard.hang_up).await;
    }

    /// The connection, what is heard on it, and its node: for a link, which hangs up by itself.
    pub(super) fn into_parts(self) -> (Connection, Heard, String) {
        self.on_drop.disarm();
        (self.connection, self.heard, self.node)
    }
}

/// Where to begin where nobody began before, so that many programs do not all go to the first node.
pub(super) fn any_turn() -> usize {
    // The standard library seeds its hashers at random, which is random enough for this.
    RandomState::new().build_hasher().finish() as usize
}

/// Opens a connection: tries every node once, and every address of each. `turn` says with which to begin, so that who
/// counts it up begins with the next one each time.
pub(super) async fn open_from(settings: &LinkSettings, turn: usize) -> Result<Opened, BrokerError> {
    let mut failures = Vec::new();
    let mut nodes = in_turn(settings.url.nodes(), turn).peekable();
    while let Some(node) = nodes.next() {
        let place = place_of(node);
        let is_last_node = nodes.peek().is_none();
        let addresses = match addresses_of(node, limit(is_last_node)).await {
            Ok(addresses) => addresses,
            Err(fault) => {
                failures.push((place, fault));
                continue;
            }
        };
        let mut addresses = in_turn(&addresses, turn).peekable();
        while let Some(address) = addresses.next() {
            let limit = limit(is_last_node && addresses.peek().is_none());
            match shake_hands(settings, node, *address, limit).await {
                Ok((connection, heard)) => {
                    return Ok(Opened {
                        connection,
                        on_drop: heard.hang_up.on_drop(),
                        heard,
                        node: place,
                    });
                }
                Err(fault) => failures.push((told_apart(&place, *address), fault)),
            }
        }
    }
    Err(BrokerError::NotConnected(ConnectFailure::new(failures)))
}

/// One that hangs must not keep us from another that would answer; the last is given the time that any call has.
fn limit(is_last: bool) -> Duration {
    if is_last { CALL_TIMEOUT } else { ADDRESS_TIMEOUT }
}

/// All of `items`, beginning with the one whose turn it is.
fn in_turn<T>(items: &[T], turn: usize) -> impl Iterator<Item = &T> {
    let (before, from) = items.split_at(turn.checked_rem(items.len()).unwrap_or_default());
    from.iter().chain(before)
}

/// Host and port of a node.
fn place_of(node: &NodeUrl) -> String {
    let (host, port) = (node.host(), node.port());
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// A place and its address, where that says more than the place.
fn told_apart(place: &str, address: SocketAddr) -> String {
    let address = address.to_string();
    if place == address {
        address
    } else {
        format!("{place} ({address})")
    }
}

/// All addresses of a node's name.
async fn addresses_of(node: &NodeUrl, limit: Duration) -> Result<Vec<SocketAddr>, ConnectFault> {
    let no_address = |why: String| Err(ConnectFault::NoAddress(why));
    match timeout(limit, lookup_host((node.host(), node.port()))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<SocketAddr> = Vec::new();
            for address in found {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            if addresses.is_empty() {
                return no_address("it has none".to_owned());
            }
            Ok(addresses)
        }
        Ok(Err(error)) => no_address(error.to_string()),
        Err(_) => no_address(format!("no answer within {} s", limit.as_secs())),
    }
}

/// Gives a call to the broker [`CALL_TIMEOUT`].
pub(super) async fn in_time<T>(
    what: &'static str,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer.map_err(BrokerError::call(what)),
        Err(_) => Err(BrokerError::NoAnswer {
            what,
            seconds: CALL_TIMEOUT.as_secs(),
        }),
    }
}

/// Opens a channel.
pub(super) async fn open_channel(connection: &Connection) -> Result<Channel, BrokerError> {
    in_time("opening a channel", connection.create_channel()).await
}

/// Names of ours are shorter than AMQP's 255 bytes by construction.
pub(super) fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_is_tried_once_and_the_next_is_the_first_the_next_time() {
        let order = |turn| in_turn(&['a', 'b', 'c'], turn).collect::<String>();
        assert_eq!(
            [order(0), order(1), order(2), order(3), order(usize::MAX)],
            ["abc", "bca", "cab", "abc", "abc"]
        );
        assert_eq!(in_turn::<u8>(&[], 7).count(), 0);
    }

    #[test]
    fn only_the_last_one_is_given_long() {
        assert_eq!((limit(false), limit(true)), (ADDRESS_TIMEOUT, CALL_TIMEOUT));
    }
}
