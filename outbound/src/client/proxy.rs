//! The operator's own way out: where the egress proxy is, and who we are to it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hookline_common::text_file;
use hyper::http::uri::Authority;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::{info, warn};

/// How often the file with the credentials is looked at, at most, and only when a connection is made.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// No user and password are as long as that.
const MAX_FILE_BYTES: u64 = 4096;

/// A proxy through which every request to an endpoint leaves. Clones share the credentials.
#[derive(Clone)]
pub struct EgressProxy {
    host: String,
    port: u16,
    credentials: Option<Arc<ProxyCredentials>>,
}

impl EgressProxy {
    /// Reads `http://host:port`, with `credentials` where the proxy asks for some.
    ///
    /// # Errors
    /// [`InvalidProxy`], of which no text holds the value: a password may stand in it.
    pub fn parse(text: &str, credentials: Option<Arc<ProxyCredentials>>) -> Result<Self, InvalidProxy> {
        if text.contains('@') {
            return Err(InvalidProxy::Userinfo);
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidProxy::Grammar)?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(InvalidProxy::Scheme);
        }
        let authority: Authority = rest
            .strip_suffix('/')
            .unwrap_or(rest)
            .parse()
            .map_err(|_| InvalidProxy::Grammar)?;
        let host = authority.host().trim_matches(['[', ']']);
        match authority.port_u16() {
            Some(port) if port > 0 && !host.is_empty() => Ok(Self {
                host: host.to_owned(),
                port,
                credentials,
            }),
            _ => Err(InvalidProxy::Grammar),
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The value of `Proxy-Authorization`.
    pub(super) fn credentials(&self) -> Option<Arc<str>> {
        self.credentials.as_ref().map(ProxyCredentials::current)
    }
}

/// Without the credentials.
impl fmt::Debug for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "http://[{}]:{}", self.host, self.port),
            false => write!(f, "http://{}:{}", self.host, self.port),
        }
    }
}

/// Why a text is no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProxy {
    /// No scheme, host or port, or more than these.
    #[error("must be http://host:port, with a full name or an address, and without a path")]
    Grammar,
    /// Another scheme.
    #[error("must begin with http://; proxies that are spoken to by TLS or SOCKS are not supported")]
    Scheme,
    /// A user or a password.
    #[error(
        "must hold no user and no password; write user:password into the file of HOOKLINE_EGRESS_PROXY_AUTH_FILE"
    )]
    Userinfo,
}

/// User and password from a file, which is read again when it changes.
pub struct ProxyCredentials {
    path: PathBuf,
    /// The value of `Proxy-Authorization`.
    header: ArcSwap<Arc<str>>,
    looked: Mutex<Instant>,
    is_looking: AtomicBool,
    is_unusable: AtomicBool,
}

impl ProxyCredentials {
    /// Reads `user:password`, one line.
    ///
    /// # Errors
    /// What is wrong with the file, without anything of what it holds.
    pub fn read(path: &Path) -> Result<Arc<Self>, String> {
        let header = read(path)?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            header: ArcSwap::from_pointee(header),
            looked: Mutex::new(Instant::now()),
            is_looking: AtomicBool::new(false),
            is_unusable: AtomicBool::new(false),
        }))
    }

    /// What is known now. Has the file looked at where that is due, on a thread that nobody waits for: a disk may hang.
    fn current(self: &Arc<Self>) -> Arc<str> {
        if self.is_due(Instant::now()) && !self.is_looking.swap(true, Ordering::AcqRel) {
            let this = Arc::clone(self);
            drop(spawn_blocking(move || {
                this.look();
                this.is_looking.store(false, Ordering::Release);
            }));
        }
        Arc::clone(&self.header.load())
    }

    fn is_due(&self, now: Instant) -> bool {
        let Ok(mut looked) = self.looked.lock() else {
            return false;
        };
        let is_due = now.saturating_duration_since(*looked) >= LOOK_INTERVAL;
        if is_due {
            *looked = now;
        }
        is_due
    }

    /// Takes what the file holds now. One that cannot be used is told once, and changes nothing.
    fn look(&self) {
        match read(&self.path) {
            Ok(header) => {
                self.is_unusable.store(false, Ordering::Relaxed);
                if **self.header.load() != header {
                    self.header.store(Arc::new(header));
                    info!("the egress proxy's credentials have changed");
                }
            }
            Err(problem) => {
                if !self.is_unusable.swap(true, Ordering::Relaxed) {
                    warn!(
                        "HOOKLINE_EGRESS_PROXY_AUTH_FILE: {problem}; the credentials that it held before are used"
                    );
                }
            }
        }
    }
}

impl fmt::Debug for ProxyCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyCredentials(***)")
    }
}

fn read(path: &Path) -> Result<Arc<str>, String> {
    let text = text_file::read(path, MAX_FILE_BYTES).map_err(|error| {
        format!(
            "cannot be used: {}; it must be a file that holds user:password",
            error.without_path()
        )
    })?;
    // Editors and `echo` end a file with a line break.
    let line = text.trim_end_matches(['\r', '\n']);
    if !line.contains(':') || line.chars().any(char::is_control) {
        return Err("must hold user:password on its first and only line".to_owned());
    }
    Ok(format!("Basic {}", BASE64.encode(line)).into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_proxy_is_a_host_and_a_port_and_nothing_else() {
        for (text, host, port) in [
            ("http://proxy.example.net:3128", "proxy.example.net", 3128),
            ("HTTP://127.0.0.1:80/", "127.0.0.1", 80),
            ("http://[::1]:3128", "::1", 3128),
            ("http://squid:1", "squid", 1),
        ] {
            let proxy = EgressProxy::parse(text, None).unwrap();
            assert_eq!((proxy.host(), proxy.port()), (host, port), "{text}");
            let again = EgressProxy::parse(&proxy.to_string(), None).unwrap();
            assert_eq!((again.host(), again.port()), (host, port), "{text}");
        }
        for (text, fault) in [
            ("proxy:3128", InvalidProxy::Grammar),
            ("http://proxy", InvalidProxy::Grammar),
            ("http://proxy:0", InvalidProxy::Grammar),
            ("http://proxy:70000", InvalidProxy::Grammar),
            ("http://:3128", InvalidProxy::Grammar),
            ("http://proxy:3128/path", InvalidProxy::Grammar),
            ("http://proxy:3128?a", InvalidProxy::Grammar),
            ("http://", InvalidProxy::Grammar),
            ("https://proxy:3128", InvalidProxy::Scheme),
            ("socks5://proxy:1080", InvalidProxy::Scheme),
            ("http://user:word@proxy:3128", InvalidProxy::Userinfo),
        ] {
            assert_eq!(EgressProxy::parse(text, None).unwrap_err(), fault, "{text}");
        }
    }

    #[test]
    fn credentials_are_one_line_and_are_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth");
        for (text, header) in [
            ("user:pass word\n", "Basic dXNlcjpwYXNzIHdvcmQ="),
            ("u:", "Basic dTo="),
            ("u:a:b\r\n", "Basic dTphOmI="),
        ] {
            fs::write(&path, text).unwrap();
            let credentials = ProxyCredentials::read(&path).unwrap();
            assert_eq!(&***credentials.header.load(), header, "{text:?}");
            let proxy = EgressProxy::parse("http://proxy:3128", Some(credentials)).unwrap();
            assert_eq!(
                format!("{proxy:?} {proxy}"),
                "http://proxy:3128 http://proxy:3128"
            );
        }
        for text in ["", "user", "s3cret:a\ns3cret:b", "s3cret:\0"] {
            fs::write(&path, text).unwrap();
            let problem = ProxyCredentials::read(&path).unwrap_err();
            assert!(
                problem.contains("user:password") && !problem.contains("s3cret"),
                "{problem}"
            );
        }
    }

    #[test]
    fn changed_credentials_are_taken_and_unusable_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth");
        fs::write(&path, "u:1").unwrap();
        let credentials = ProxyCredentials::read(&path).unwrap();
        fs::write(&path, "u:2").unwrap();
        credentials.look();
        assert_eq!(&***credentials.header.load(), "Basic dToy");
        for break_it in [
            |path: &Path| fs::write(path, "").unwrap(),
            |path: &Path| fs::remove_file(path).unwrap(),
        ] {
            break_it(&path);
            credentials.look();
            assert_eq!(&***credentials.header.load(), "Basic dToy");
        }
    }
}
