//! Who answers at an address where a broker was expected, told from the first bytes that it says.

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the question may take: it is asked only after a handshake failed, and a server on a network answers in
/// milliseconds.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);
/// AMQP's first eight bytes, and what ends the request line that an HTTP server waits for.
const QUESTION: &[u8] = b"AMQP\x00\x00\x09\x01\r\n\r\n";

/// What speaks at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// AMQP 0-9-1, as RabbitMQ does without TLS.
    Amqp,
    /// Another version of AMQP.
    OtherAmqp,
    /// HTTP: the management page, for one.
    Http,
    /// TLS.
    Tls,
    /// Something else.
    Unknown,
}

/// Asks, in plain text, who answers at `address`; `None` where nobody says anything.
#[expect(
    clippy::disallowed_methods,
    reason = "it is where the broker should be, which no customer names"
)]
pub(super) async fn who_answers(address: SocketAddr) -> Option<Peer> {
    let asked = async {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.writable().await.ok()?;
        // So few bytes go out in one.
        stream.try_write(QUESTION).ok()?;
        let mut answer = [0; 8];
        loop {
            stream.readable().await.ok()?;
            match stream.try_read(&mut answer) {
                Ok(read) => return classify(answer.get(..read)?),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
        }
    };
    timeout(ASK_TIMEOUT, asked).await.ok().flatten()
}

fn classify(answer: &[u8]) -> Option<Peer> {
    match answer {
        [] => None,
        // `connection.start`: a method frame on channel 0; or the version that a broker would rather speak.
        [1, 0, 0, ..] | [b'A', b'M', b'Q', b'P', 0, 0, 9, 1] => Some(Peer::Amqp),
        [b'A', b'M', b'Q', b'P', ..] => Some(Peer::OtherAmqp),
        [b'H', b'T', b'T', b'P', ..] => Some(Peer::Http),
        // An alert, in any version from SSL 3 on.
        [21, 3, ..] => Some(Peer::Tls),
        _ => Some(Peer::Unknown),
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amqp => "AMQP 0-9-1 without TLS",
            Self::OtherAmqp => "another version of AMQP than 0-9-1",
            Self::Http => "HTTP",
            Self::Tls => "TLS",
            Self::Unknown => "something that is not AMQP",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_who_speaks() {
        for (answer, peer) in [
            (&b""[..], None),
            (b"\x01\x00\x00\x00\x00\x01\xf4\x00", Some(Peer::Amqp)),
            (b"AMQP\x00\x00\x09\x01", Some(Peer::Amqp)),
            (b"AMQP\x03\x01\x00\x00", Some(Peer::OtherAmqp)),
            (b"AMQP\x00\x01\x00\x00", Some(Peer::OtherAmqp)),
            (b"HTTP/1.1", Some(Peer::Http)),
            (b"\x15\x03\x03\x00\x02\x02F", Some(Peer::Tls)),
            (b"220 mail", Some(Peer::Unknown)),
            (b"A", Some(Peer::Unknown)),
        ] {
            assert_eq!(classify(answer), peer, "{answer:?}");
        }
    }
}
