//! Who is at the other end of a connection.

use std::net::IpAddr;

/// The address that a request came from, put beside it by the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);
