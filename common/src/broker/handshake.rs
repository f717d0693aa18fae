//! The handshake with one address of a node: the one place where a connection of the client library is made, and where it is
//! told why there is none.

use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{error, fmt, io};

use async_rs::traits::Reactor as _;
use futures_util::future::Either;
use lapin::{Connection, ConnectionProperties, ErrorKind};
use tokio::time::timeout;

use super::connect_fault::ConnectFault;
use super::heard::Heard;
use super::link_settings::LinkSettings;
use super::node_url::NodeUrl;
use super::peer::{Peer, who_answers};
use super::refusal::Refusal;
use super::{tls, transport};

/// The longest frame, in bytes, that is asked for where nobody says otherwise: what RabbitMQ lets pass where nobody told it otherwise.
/// The client library is told before it connects: the memory that it takes for frames in advance is used as far as frames fill it, and
/// what it takes when the broker has named its limit is all used at once, 8 MB for each connection. Where the broker's limit is
/// higher, headers may be longer, and long values are left out (see [`transport`]).
const USUAL_FRAME: u32 = 128 * 1024;

/// Connects to `address` and is let in, within `limit`. Gives back the connection, and what is heard on it.
pub(super) async fn shake_hands(
    settings: &LinkSettings,
    node: &NodeUrl,
    address: SocketAddr,
    limit: Duration,
) -> Result<(Connection, Heard), ConnectFault> {
    let handshake = Handshake::default();
    let (socket, heard) = (&handshake.0, Heard::default());
    let connecting = connect(settings, node, address, limit, socket, &heard);
    let fault = match timeout(limit, connecting).await {
        Ok(Ok(connection)) => {
            socket.leave();
            return Ok((connection, heard));
        }
        Ok(Err(error)) => fault_of(&error, node),
        Err(_) => {
            socket.shut_down();
            ConnectFault::Silent {
                seconds: limit.as_secs(),
            }
        }
    };
    if !matches!(
        fault,
        ConnectFault::Closed(_)
            | ConnectFault::Silent { .. }
            | ConnectFault::Tls(_)
            | ConnectFault::Foreign { .. }
    ) {
        return Err(fault);
    }
    let is_tls = node.is_tls();
    let expected = if is_tls { Peer::Tls } else { Peer::Amqp };
    Err(match who_answers(address).await {
        Some(peer) if peer != expected => ConnectFault::Foreign { peer, is_tls },
        _ => fault,
    })
}

/// The client library's connection, over a stream of ours.
async fn connect(
    settings: &LinkSettings,
    node: &NodeUrl,
    address: SocketAddr,
    limit: Duration,
    socket: &Socket,
    heard: &Heard,
) -> lapin::Result<Connection> {
    let mut uri = node.to_uri();
    // A URL's may be longer. Shorter ones have no room for the headers that a message may have, and 0, which stands for no limit, would
    // have the client library take memory for frames of 4 GB.
    let of_url = uri.query.frame_max.unwrap_or(USUAL_FRAME).max(USUAL_FRAME);
    let max_frame = settings.max_frame.unwrap_or(of_url);
    uri.query.frame_max = Some(max_frame);
    let properties = ConnectionProperties::default().with_connection_name(settings.name.as_str().into());
    let (is_tls, ca_pem) = (node.is_tls(), settings.ca_pem.clone());
    let tokio = lapin::runtime::default_runtime()?;
    let runtime = transport::runtime(tokio.clone());
    let (socket, heard, host) = (socket.clone(), heard.clone(), node.host().to_owned());
    Connection::connector(
        uri,
        runtime,
        async move |_, _| {
            let connecting = tokio.tcp_connect_addr(address);
            let connected = timeout(limit, connecting).await.unwrap_or_else(|_| {
                let seconds = limit.as_secs();
                let late = format!("no answer within {seconds} s");
                Err(io::Error::new(io::ErrorKind::TimedOut, late))
            });
            let stream = connected.map_err(|error| Stage::Reaching.failed(&error))?;
            socket.keep(stream.get_ref().as_fd().try_clone_to_owned()?.into());
            if !is_tls {
                return Ok(transport::judged(Either::Left(stream), heard.clone(), max_frame));
            }
            let encrypted = tls::encrypt(stream, &host, ca_pem.as_deref()).await;
            let encrypted = encrypted.map_err(|error| Stage::Encrypting.failed(&error))?;
            Ok(transport::judged(encrypted, heard.clone(), max_frame))
        },
        properties,
    )
    .await
}

/// A handshake that goes on. Dropped, whether it failed or nobody waits for it any more, its socket is shut down: a thread of
/// the client library would wait for the answer for as long as the other side says nothing.
#[derive(Default)]
struct Handshake(Socket);

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

/// The socket of a handshake.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Held>>);

#[derive(Default)]
enum Held {
    /// It is not connected yet.
    #[default]
    None,
    Stream(std::net::TcpStream),
    /// The handshake is over, and the socket is the connection's, or of no use to anyone.
    Over,
}

impl Socket {
    /// Holds the socket that was connected; one that comes too late is shut down.
    fn keep(&self, stream: std::net::TcpStream) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *held {
            Held::None | Held::Stream(_) => *held = Held::Stream(stream),
            Held::Over => shut_down(&stream),
        }
    }

    fn leave(&self) -> Held {
        std::mem::replace(
            &mut self.0.lock().unwrap_or_else(PoisonError::into_inner),
            Held::Over,
        )
    }

    fn shut_down(&self) {
        if let Held::Stream(stream) = self.leave() {
            shut_down(&stream);
        }
    }
}

fn shut_down(stream: &std::net::TcpStream) {
    // The other side may have been quicker.
    drop(stream.shutdown(Shutdown::Both));
}

/// What was being done when an I/O error came, before AMQP is spoken.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Reaching,
    Encrypting,
}

/// An I/O error, and when it came.
#[derive(Debug)]
struct StageError(Stage, String);

impl Stage {
    fn failed(self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), StageError(self, error.to_string()))
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

impl error::Error for StageError {}

fn fault_of(error: &lapin::Error, node: &NodeUrl) -> ConnectFault {
    if let Some(refusal) = Refusal::of(error) {
        return ConnectFault::Refused {
            refusal,
            vhost: node.vhost().to_owned(),
        };
    }
    match error.kind() {
        // Nothing is known but that it is no AMQP.
        ErrorKind::ParsingError(_) => ConnectFault::Foreign {
            peer: Peer::Unknown,
            is_tls: node.is_tls(),
        },
        ErrorKind::InvalidProtocolVersion(_) => ConnectFault::Foreign {
            peer: Peer::OtherAmqp,
            is_tls: node.is_tls(),
        },
        ErrorKind::IOError(io) => match io.get_ref().and_then(|it| it.downcast_ref()) {
            Some(StageError(Stage::Reaching, why)) => ConnectFault::Unreachable(why.clone()),
            Some(StageError(Stage::Encrypting, why)) => ConnectFault::Tls(why.clone()),
            None => ConnectFault::Closed(io.to_string()),
        },
        _ => ConnectFault::Closed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::broker::url::BrokerUrl;

    #[tokio::test]
    async fn a_handshake_that_nobody_waits_for_any_more_leaves_no_socket() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let url = BrokerUrl::parse(&format!("amqp://guest:guest@{address}/%2f")).unwrap();
        let settings = LinkSettings::new(url, "hookline-tests");
        let [node] = settings.url.nodes() else {
            panic!("one node")
        };
        let limit = Duration::from_secs(600);
        let accepted = async {
            let (mut other_side, _) = silent.accept().await.unwrap();
            // The client library is at work when it has said what it speaks.
            let mut greeting = [0; 8];
            other_side.read_exact(&mut greeting).await.unwrap();
            other_side
        };
        let mut other_side = tokio::select! {
            _ = shake_hands(&settings, node, address, limit) => panic!("nobody answers it"),
            other_side = accepted => other_side,
        };
        let read = timeout(Duration::from_secs(60), other_side.read_u8()).await;
        assert!(read.expect("it is closed").is_err());
    }

    #[test]
    fn a_socket_that_comes_when_all_is_over_is_shut_down() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let late = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (other_side, _) = listener.accept().unwrap();
        let handshake = Handshake::default();
        let socket = handshake.0.clone();
        drop(handshake);
        socket.keep(late);
        other_side
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        assert_eq!(io::Read::read(&mut &other_side, &mut [0]).unwrap(), 0);
    }
}
