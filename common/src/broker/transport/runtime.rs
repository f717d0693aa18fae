//! The client library takes its streams from a runtime: this one is tokio, and its streams are judged.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use async_rs::TokioRuntime;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::Stream;
use futures_util::future::Either;

use super::super::heard::Heard;
use super::super::tls::MaybeTls;
use super::stream::JudgedStream;

/// A connection whose bytes are judged.
pub(in crate::broker) type Judged = JudgedStream<MaybeTls>;

/// Tokio, but for the type of its streams.
#[derive(Debug, Clone)]
pub(in crate::broker) struct JudgingRuntime {
    pub(super) tokio: TokioRuntime,
}

impl RuntimeKit for JudgingRuntime {}

impl Executor for JudgingRuntime {
    type Task<T: Send + 'static> = <TokioRuntime as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.tokio.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        self.tokio.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        call: F,
    ) -> Task<Self::Task<T>> {
        self.tokio.spawn_blocking(call)
    }
}

impl Reactor for JudgingRuntime {
    type TcpStream = Judged;
    type Sleep = <TokioRuntime as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.tokio.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.tokio.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connect = self.tokio.tcp_connect_addr(address);
        async {
            Ok(JudgedStream::new(
                Either::Left(connect.await?),
                Heard::default(),
                0,
            ))
        }
    }
}
