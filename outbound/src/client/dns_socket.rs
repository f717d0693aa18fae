//! The sockets of name lookups. hickory forgets why it could not open one; this remembers.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::net::runtime::{RuntimeProvider, TokioRuntimeProvider};

use super::Shortage;

/// Opens sockets as hickory's own provider does. Clones share what they remember.
#[derive(Clone, Default)]
pub(super) struct DnsSockets {
    tokio: TokioRuntimeProvider,
    short: Arc<Mutex<Short>>,
}

/// How often a socket could not be opened because we ran out of something, and what that was lately.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Short {
    pub(super) count: u64,
    pub(super) last: Option<Shortage>,
}

type Opening<S> = Pin<Box<dyn Future<Output = io::Result<S>> + Send>>;

impl DnsSockets {
    pub(super) fn short(&self) -> Short {
        *self.short.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember<S: 'static>(&self, opening: Opening<S>) -> Opening<S> {
        let short = Arc::clone(&self.short);
        Box::pin(async move {
            let opened = opening.await;
            if let Some(shortage) = opened.as_ref().err().and_then(Shortage::of) {
                let mut short = short.lock().unwrap_or_else(PoisonError::into_inner);
                short.count += 1;
                short.last = Some(shortage);
            }
            opened
        })
    }
}

impl RuntimeProvider for DnsSockets {
    type Handle = <TokioRuntimeProvider as RuntimeProvider>::Handle;
    type Timer = <TokioRuntimeProvider as RuntimeProvider>::Timer;
    type Udp = <TokioRuntimeProvider as RuntimeProvider>::Udp;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        self.tokio.create_handle()
    }

    fn connect_tcp(
        &self,
        server_addr: SocketAddr,
        bind_addr: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Opening<Self::Tcp> {
        self.remember(self.tokio.connect_tcp(server_addr, bind_addr, timeout))
    }

    fn bind_udp(&self, local_addr: SocketAddr, server_addr: SocketAddr) -> Opening<Self::Udp> {
        self.remember(self.tokio.bind_udp(local_addr, server_addr))
    }
}
