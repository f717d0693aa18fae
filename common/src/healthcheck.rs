//! `healthcheck`: a program asks its own health port whether it is alive, as an image without a shell holds nothing else that could.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::settings::{Faults, Reader, SettingSource, Variable};

/// What the subcommand is called.
pub const NAME: &str = "healthcheck";

/// How long connecting, and each read and write, may take. A health port answers in a millisecond; whoever probes gives up after
/// some seconds, and shall be told why before.
const WITHIN: Duration = Duration::from_secs(2);
/// The start of an answer that is good. What follows is for people.
const GOOD: &[u8] = b"HTTP/1.1 200 ";

/// The subcommand.
#[must_use]
pub fn command() -> clap::Command {
    clap::Command::new(NAME)
        .about("Ask the one that runs here whether it is alive, and end: exit status 0 if it is, 1 if not")
}

/// Why a program counts as not alive.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// It is not known whom to ask.
    #[error("{0}")]
    Settings(#[from] Faults),
    /// Nobody answers.
    #[error(
        "http://{address}/healthz does not answer: {error}; is it running, with the same HOOKLINE_HTTP_ADDR?"
    )]
    Silent {
        /// Who was asked.
        address: SocketAddr,
        /// What happened.
        #[source]
        error: std::io::Error,
    },
    /// Somebody answers, and not with 200.
    #[error("http://{address}/healthz answers {answer:?}")]
    Wrong {
        /// Who was asked.
        address: SocketAddr,
        /// How the answer begins.
        answer: String,
    },
}

impl Unhealthy {
    /// The exit status: 2 for wrong settings, else 1.
    #[must_use]
    pub fn status(&self) -> u8 {
        if matches!(self, Self::Settings(_)) { 2 } else { 1 }
    }
}

/// Asks the program whose health port `variable` names.
///
/// # Errors
/// [`Unhealthy`], after some seconds at most.
pub fn run(source: &dyn SettingSource, variable: &Variable) -> Result<(), Unhealthy> {
    let mut reader = Reader::new(source);
    let address = reader.read(variable, |text| {
        text.parse()
            .map_err(|_| "must be an address and a port, like 0.0.0.0:9464")
    });
    let address = reachable(reader.finish(|| address)?);
    let answer = ask(address).map_err(|error| Unhealthy::Silent { address, error })?;
    if answer == GOOD {
        return Ok(());
    }
    let answer = String::from_utf8_lossy(&answer).trim_end().to_owned();
    Err(Unhealthy::Wrong { address, answer })
}

/// What listens on every address is asked on this machine's own.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

/// The first bytes of the answer, as many as are looked at.
fn ask(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect_timeout(&address, WITHIN)?;
    connection.set_read_timeout(Some(WITHIN))?;
    connection.set_write_timeout(Some(WITHIN))?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut answer = Vec::with_capacity(GOOD.len());
    let wanted = u64::try_from(GOOD.len()).unwrap_or(u64::MAX);
    connection.take(wanted).read_to_end(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    use crate::settings::{NotText, variables};

    struct At(String);

    impl SettingSource for At {
        fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
            Ok((name == variables::HTTP_ADDR.name).then(|| self.0.clone()))
        }
    }

    /// What is said of a server that answers like this.
    fn asked(answer: &'static [u8]) -> Result<(), Unhealthy> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let read = connection.read(&mut request).unwrap();
            connection.write_all(answer).unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        // As a service that listens everywhere has it.
        let told = run(&At(format!("0.0.0.0:{}", address.port())), &variables::HTTP_ADDR);
        assert!(
            server
                .join()
                .unwrap()
                .starts_with("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:")
        );
        told
    }

    #[test]
    fn only_a_200_is_good() {
        asked(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n").unwrap();
        for bad in [
            &b"HTTP/1.1 503 Service Unavailable\r\n\r\n"[..],
            b"HTTP/1.1 2000 ",
            b"SSH-2.0-server\r\n",
            b"HTTP/1.1 200",
            b"",
        ] {
            let told = asked(bad).unwrap_err();
            assert!(
                matches!(told, Unhealthy::Wrong { .. }) && told.status() == 1,
                "{told}"
            );
        }
    }

    #[test]
    fn nobody_there_is_told_with_the_address() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let told = run(&At(free.to_string()), &variables::HTTP_ADDR).unwrap_err();
        assert!(
            told.to_string().contains(&free.to_string()) && told.status() == 1,
            "{told}"
        );
        let told = run(&At("everywhere".to_owned()), &variables::HTTP_ADDR).unwrap_err();
        assert!(
            told.to_string().contains("HOOKLINE_HTTP_ADDR") && told.status() == 2,
            "{told}"
        );
    }

    #[test]
    fn every_address_is_asked_on_the_own_machine() {
        for (listening, asked) in [
            ("0.0.0.0:9464", "127.0.0.1:9464"),
            ("[::]:9464", "[::1]:9464"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            assert_eq!(reachable(listening.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
