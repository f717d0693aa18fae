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
use super::link_settings::LinkSettings;
use super::node_url::NodeUrl;
use super::peer::{Peer, who_answers};
use super::refusal::Refusal;
use super::{tls, transport};

/// Connects to `address` and is let in, within `limit`.
pub(super) async fn shake_hands(
    settings: &LinkSettings,
    node: &NodeUrl,
    address: SocketAddr,
    limit: Duration,
) -> Result<Connection, ConnectFault> {
    let socket = Socket::default();
    let fault = match timeout(limit, connect(settings, node, address, limit, &socket)).await {
        Ok(Ok(connection)) => {
            socket.leave();
            return Ok(connection);
        }
        Ok(Err(error)) => fault_of(&error, node),
        Err(_) => {
            // Or a thread of the client library would wait for the answer for as long as the other side says nothing.
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
) -> lapin::Result<Connection> {
    let mut uri = node.to_uri();
    if let Some(max_frame) = settings.max_frame {
        uri.query.frame_max = Some(max_frame);
    }
    let properties = ConnectionProperties::default().with_connection_name(settings.name.as_str().into());
    let (is_tls, ca_pem) = (node.is_tls(), settings.ca_pem.clone());
    let tokio = lapin::runtime::default_runtime()?;
    let runtime = transport::runtime(tokio.clone());
    let (socket, host) = (socket.clone(), node.host().to_owned());
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
                return Ok(transport::judged(Either::Left(stream)));
            }
            let encrypted = tls::encrypt(stream, &host, ca_pem.as_deref()).await;
            let encrypted = encrypted.map_err(|error| Stage::Encrypting.failed(&error))?;
            Ok(transport::judged(encrypted))
        },
        properties,
    )
    .await
}

/// The socket of a handshake, for as long as that goes on.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Option<std::net::TcpStream>>>);

impl Socket {
    fn keep(&self, stream: std::net::TcpStream) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    fn leave(&self) -> Option<std::net::TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn shut_down(&self) {
        if let Some(stream) = self.leave() {
            // The other side may have been quicker.
            drop(stream.shutdown(Shutdown::Both));
        }
    }
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
