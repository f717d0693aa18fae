//! What this process or its machine has run out of, or cannot get past: none of it is the receiver's doing.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::Instant;
use tracing::warn;

/// How often a shortage is warned of: it comes with thousands of requests, and one line says all there is to do.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Something of ours that a connection needs and that has run out, or is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// The process may open no more files (EMFILE).
    #[error(
        "this process has no file descriptor left; raise its hard limit (ulimit -Hn, LimitNOFILE= in systemd, \
         --ulimit nofile= in Docker)"
    )]
    Descriptors,
    /// All connections that the limit of open files allows are in use, or all sockets for name lookups.
    #[error(
        "all connections, or sockets for name lookups, that the limit of open files allows are in use; raise its hard limit \
         (ulimit -Hn, LimitNOFILE= in systemd, --ulimit nofile= in Docker) or run more replicas"
    )]
    Connections,
    /// The machine may open no more files (ENFILE).
    #[error("the machine has no file descriptor left; raise the sysctl fs.file-max")]
    SystemDescriptors,
    /// The kernel has no room for more sockets (ENOBUFS).
    #[error(
        "the kernel has no buffers left for sockets; see the sysctls net.ipv4.tcp_mem and net.core.*mem_max"
    )]
    Buffers,
    /// No local port is left for connections to this address (EADDRNOTAVAIL).
    #[error(
        "no local port is left for connections to one address; widen the sysctl net.ipv4.ip_local_port_range or \
         run replicas on more machines"
    )]
    Ports,
    /// The kernel has no memory for more sockets (ENOMEM).
    #[error("the kernel has no memory left for sockets; give the machine or the container more")]
    Memory,
    /// The kernel watches as many sockets for this user as it may (ENOSPC from `epoll_ctl`).
    #[error("the kernel may watch no more sockets for this user; raise the sysctl fs.epoll.max_user_watches")]
    Watches,
    /// Nobody accepts connections where the egress proxy should be.
    #[error(
        "the egress proxy cannot be reached; see whether HOOKLINE_EGRESS_PROXY names a host that can be looked up, and \
         whether it runs and lets this machine in"
    )]
    Proxy,
    /// The egress proxy does not let us through as who we say we are (407).
    #[error(
        "the egress proxy refuses our credentials (407); write its user:password into the file of \
         HOOKLINE_EGRESS_PROXY_AUTH_FILE, which is read again when it changes"
    )]
    ProxyCredentials,
}

impl Shortage {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 9] = [
        Self::Descriptors,
        Self::Connections,
        Self::SystemDescriptors,
        Self::Buffers,
        Self::Ports,
        Self::Memory,
        Self::Watches,
        Self::Proxy,
        Self::ProxyCredentials,
    ];

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Descriptors => "descriptors",
            Self::Connections => "connections",
            Self::SystemDescriptors => "system_descriptors",
            Self::Buffers => "buffers",
            Self::Ports => "ports",
            Self::Memory => "memory",
            Self::Watches => "watches",
            Self::Proxy => "proxy",
            Self::ProxyCredentials => "proxy_credentials",
        }
    }

    /// Whether no request gets out while it lasts, whatever its receiver and its connection.
    #[must_use]
    pub const fn keeps_everything_in(self) -> bool {
        matches!(self, Self::Proxy | Self::ProxyCredentials)
    }

    /// Whether an idle connection that is closed leaves room for one that is needed.
    pub(super) const fn is_eased_by_closing(self) -> bool {
        match self {
            Self::Descriptors | Self::SystemDescriptors | Self::Buffers | Self::Memory | Self::Watches => {
                true
            }
            // The pool has closed what it could before it said so.
            Self::Connections => false,
            // A closed connection keeps its port for a minute more.
            Self::Ports => false,
            Self::Proxy | Self::ProxyCredentials => false,
        }
    }

    /// What `error` says has run out, where it says so.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        Some(match Errno::from_io_error(error)? {
            Errno::MFILE => Self::Descriptors,
            Errno::NFILE => Self::SystemDescriptors,
            Errno::NOBUFS => Self::Buffers,
            Errno::ADDRNOTAVAIL => Self::Ports,
            Errno::NOMEM => Self::Memory,
            Errno::NOSPC => Self::Watches,
            _ => return None,
        })
    }

    /// The same of an error on a socket that is connected: it has its port, so that EADDRNOTAVAIL says something else there.
    pub(super) fn once_connected(error: &io::Error) -> Option<Self> {
        Self::of(error).filter(|shortage| *shortage != Self::Ports)
    }
}

/// How often each thing has run out since the start.
#[derive(Default)]
pub(super) struct Shortages {
    counts: [AtomicU64; Shortage::ALL.len()],
    warned: Mutex<[Option<Instant>; Shortage::ALL.len()]>,
}

impl Shortages {
    /// Counts one, and warns of it where nobody did so lately.
    pub(super) fn note(&self, shortage: Shortage, now: Instant) {
        let count = self.counts[shortage as usize].fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_warning_due(shortage, now) {
            let kind = shortage.as_str();
            warn!(kind, count, "deliveries wait, no attempt is spent: {shortage}");
        }
    }

    fn is_warning_due(&self, shortage: Shortage, now: Instant) -> bool {
        let Ok(mut warned) = self.warned.lock() else {
            return false;
        };
        let last = &mut warned[shortage as usize];
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= WARNING_INTERVAL);
        if is_due {
            *last = Some(now);
        }
        is_due
    }

    pub(super) fn count(&self, shortage: Shortage) -> u64 {
        self.counts[shortage as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_lacks_is_ours_and_nothing_else_is() {
        for (errno, shortage) in [
            (Errno::MFILE, Some(Shortage::Descriptors)),
            (Errno::NFILE, Some(Shortage::SystemDescriptors)),
            (Errno::NOBUFS, Some(Shortage::Buffers)),
            (Errno::ADDRNOTAVAIL, Some(Shortage::Ports)),
            (Errno::NOMEM, Some(Shortage::Memory)),
            (Errno::NOSPC, Some(Shortage::Watches)),
            (Errno::CONNREFUSED, None),
            (Errno::CONNRESET, None),
            (Errno::HOSTUNREACH, None),
            (Errno::NETUNREACH, None),
            (Errno::TIMEDOUT, None),
        ] {
            assert_eq!(Shortage::of(&errno.into()), shortage, "{errno:?}");
            let connected = shortage.filter(|_| errno != Errno::ADDRNOTAVAIL);
            assert_eq!(Shortage::once_connected(&errno.into()), connected, "{errno:?}");
        }
        assert_eq!(Shortage::of(&io::Error::other("no number")), None);
    }

    #[test]
    fn the_order_of_all_is_that_of_the_discriminants() {
        for (index, shortage) in Shortage::ALL.into_iter().enumerate() {
            assert_eq!(shortage as usize, index);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_shortage_is_warned_of_once_a_minute_and_always_counted() {
        let (shortages, begun) = (Shortages::default(), Instant::now());
        assert!(shortages.is_warning_due(Shortage::Ports, begun));
        assert!(!shortages.is_warning_due(Shortage::Ports, begun + WARNING_INTERVAL / 2));
        assert!(shortages.is_warning_due(Shortage::Memory, begun));
        assert!(shortages.is_warning_due(Shortage::Ports, begun + WARNING_INTERVAL));
        for _ in 0..3 {
            shortages.note(Shortage::Ports, begun);
        }
        assert_eq!(shortages.count(Shortage::Ports), 3);
        assert_eq!(shortages.count(Shortage::Memory), 0);
    }
}
