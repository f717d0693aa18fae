//! Asking a proxy for a tunnel: CONNECT (RFC 9110 §9.3.6), for http and https alike, so that requests are the same with a
//! proxy and without, and no byte of them is the proxy's to read where TLS is spoken.

use std::io;

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::Shortage;

/// What a proxy may say before the tunnel is there: fifty times what they do say.
const MAX_HEAD: usize = 16 * 1024;

/// Why there is no tunnel: what the proxy did. Its endpoint's owner reads it, so it names no setting of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TunnelError {
    /// It wants a user and a password, or others.
    #[error("wants other credentials")]
    Credentials,
    #[error("refused to connect there: it answered {0}")]
    Refused(StatusCode),
    #[error("hung up before it answered: {0}")]
    Lost(io::ErrorKind),
    #[error("does not speak HTTP/1.1")]
    NoHttp,
    #[error("answered with more than 16 KiB")]
    TooLong,
    /// It did nothing: something of ours has run out.
    #[error("{0}")]
    Shortage(Shortage),
}

impl From<io::Error> for TunnelError {
    fn from(error: io::Error) -> Self {
        Shortage::once_connected(&error).map_or_else(|| Self::Lost(error.kind()), Self::Shortage)
    }
}

/// Makes `stream`, which leads to a proxy, lead to `destination`, a host and a port. `credentials` are the value of
/// `Proxy-Authorization`.
pub(super) async fn open<S>(
    mut stream: S,
    destination: &str,
    credentials: Option<&str>,
) -> Result<S, TunnelError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let version = env!("CARGO_PKG_VERSION");
    let mut request = format!(
        "CONNECT {destination} HTTP/1.1\r\nHost: {destination}\r\nUser-Agent: Hookline/{version}\r\n"
    );
    if let Some(credentials) = credentials {
        request.extend(["Proxy-Authorization: ", credentials, "\r\n"]);
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;

    let mut heard = Vec::new();
    loop {
        if let Some((head, length)) = read_head(&heard)? {
            if head.status.is_informational() {
                heard.drain(..length);
                continue;
            }
            // Whoever is at the other end of a tunnel speaks only when spoken to: what comes at once is no tunnel's.
            return match head.status.is_success() {
                true if heard.len() == length => Ok(stream),
                true => Err(TunnelError::NoHttp),
                false if head.wants_credentials => Err(TunnelError::Credentials),
                false => Err(TunnelError::Refused(head.status)),
            };
        }
        if heard.len() >= MAX_HEAD {
            return Err(TunnelError::TooLong);
        }
        if stream.read_buf(&mut heard).await? == 0 {
            return Err(TunnelError::Lost(io::ErrorKind::UnexpectedEof));
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: StatusCode,
    /// Whether it says 407 and how to answer that. Some proxies say 407 of a destination that they do not like, without
    /// asking for anything: that is a refusal, and stays one whatever our credentials are.
    wants_credentials: bool,
}

/// The first head of `heard` and its length, once it is all there.
fn read_head(heard: &[u8]) -> Result<Option<(Head, usize)>, TunnelError> {
    let beginning = b"HTTP/1.";
    let compared = heard.len().min(beginning.len());
    if heard[..compared] != beginning[..compared] {
        return Err(TunnelError::NoHttp);
    }
    let Some(length) = head_length(heard) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&heard[..length]);
    let mut lines = text.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .filter(|code| code.len() == 3)
        .and_then(|code| code.parse().ok())
        .ok_or(TunnelError::NoHttp)?;
    let is_challenge = |line: &str| {
        line.split_once(':')
            .is_some_and(|(name, _)| name.trim_end().eq_ignore_ascii_case("proxy-authenticate"))
    };
    let wants_credentials = status == StatusCode::PROXY_AUTHENTICATION_REQUIRED && lines.any(is_challenge);
    let head = Head {
        status,
        wants_credentials,
    };
    Ok(Some((head, length)))
}

/// Up to the empty line, whichever line breaks are used.
fn head_length(heard: &[u8]) -> Option<usize> {
    let is_end = |at: usize| {
        let rest = heard.get(at..).unwrap_or_default();
        if rest.starts_with(b"\n\r\n") {
            Some(at + 3)
        } else if rest.starts_with(b"\n\n") {
            Some(at + 2)
        } else {
            None
        }
    };
    (0..heard.len()).find_map(is_end)
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What is made of a proxy that says this, and what it was asked.
    async fn answered(answer: &[u8]) -> (Result<(), TunnelError>, String) {
        let (ours, mut theirs) = duplex(64 * 1024);
        let proxy = async {
            let mut asked = Vec::new();
            while head_length(&asked).is_none() {
                theirs.read_buf(&mut asked).await.unwrap();
            }
            // In two pieces, wherever they break.
            let (one, other) = answer.split_at(answer.len() / 2);
            theirs.write_all(one).await.unwrap();
            theirs.write_all(other).await.unwrap();
            drop(theirs);
            String::from_utf8(asked).unwrap()
        };
        let opening = open(ours, "hooks.example.com:443", Some("Basic dTpw"));
        let (opened, asked) = tokio::join!(opening, proxy);
        (opened.map(drop), asked)
    }

    #[tokio::test]
    async fn it_is_asked_for_the_host_and_the_port_and_nothing_else() {
        let (opened, asked) = answered(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
        assert_eq!(opened, Ok(()));
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            asked,
            format!(
                "CONNECT hooks.example.com:443 HTTP/1.1\r\nHost: hooks.example.com:443\r\nUser-Agent: Hookline/{version}\r\n\
                 Proxy-Authorization: Basic dTpw\r\n\r\n"
            )
        );
    }

    #[test]
    fn what_we_have_run_out_of_is_not_the_proxys_doing() {
        use rustix::io::Errno;
        let told = |errno: Errno| TunnelError::from(io::Error::from(errno));
        assert_eq!(told(Errno::NOBUFS), TunnelError::Shortage(Shortage::Buffers));
        assert_eq!(
            told(Errno::CONNRESET),
            TunnelError::Lost(io::ErrorKind::ConnectionReset)
        );
    }

    #[tokio::test]
    async fn every_answer_is_told_as_what_it_is() {
        let refused = |code| Err(TunnelError::Refused(StatusCode::from_u16(code).unwrap()));
        for (answer, end) in [
            ("HTTP/1.0 200 OK\r\n\r\n", Ok(())),
            ("HTTP/1.1 200\n\n", Ok(())),
            ("HTTP/1.1 299 OK\r\nContent-Length: 5\r\n\r\n", Ok(())),
            ("HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Ok(())),
            (
                "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nwhy",
                refused(502),
            ),
            ("HTTP/1.1 403 No\r\n\r\n", refused(403)),
            (
                "HTTP/1.1 301 Elsewhere\r\nLocation: http://a/\r\n\r\n",
                refused(301),
            ),
            (
                "HTTP/1.1 407 Who\r\nproxy-AUTHENTICATE: Basic realm=\"x\"\r\n\r\n",
                Err(TunnelError::Credentials),
            ),
            ("HTTP/1.1 407 Request rejected by proxy\r\n\r\n", refused(407)),
            (
                "HTTP/1.1 403 No\r\nProxy-Authenticate: Basic\r\n\r\n",
                refused(403),
            ),
            ("HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x\r\n", Err(TunnelError::NoHttp)),
            ("HTTP/1.1 20 OK\r\n\r\n", Err(TunnelError::NoHttp)),
            ("HTTP/1.1 OK\r\n\r\n", Err(TunnelError::NoHttp)),
            ("SSH-2.0-OpenSSH_9.2\r\n", Err(TunnelError::NoHttp)),
            ("\u{5}\u{1}", Err(TunnelError::NoHttp)),
            (
                "HTTP/1.1 200 OK\r\n",
                Err(TunnelError::Lost(io::ErrorKind::UnexpectedEof)),
            ),
            ("", Err(TunnelError::Lost(io::ErrorKind::UnexpectedEof))),
        ] {
            assert_eq!(answered(answer.as_bytes()).await.0, end, "{answer:?}");
        }
        let endless = ["HTTP/1.1 200 OK\r\n", &"x-a: a\r\n".repeat(3000)].concat();
        assert_eq!(answered(endless.as_bytes()).await.0, Err(TunnelError::TooLong));
    }
}
