//! The end of a connection from our side, whatever the other one does. The client library waits for the answer to its goodbye, and
//! where a broker or a network is silent, a thread of it and the socket would stay for a quarter of an hour.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use lapin::Connection;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

/// How long the broker may take to say goodbye. A program that ends waits for it.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// Ends the connection whose stream asks it.
#[derive(Debug, Clone, Default)]
pub(super) struct HangUp(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_over: AtomicBool,
    reader: AtomicWaker,
}

impl HangUp {
    /// Nothing is read or written from now on.
    pub(super) fn now(&self) {
        self.0.is_over.store(true, Ordering::Release);
        self.0.reader.wake();
    }

    /// What hangs up when it is dropped.
    pub(super) fn on_drop(&self) -> HangUpOnDrop {
        HangUpOnDrop(Some(self.clone()))
    }

    /// To be asked before each read: an error once it is over, and whoever reads is woken for it.
    pub(super) fn before_read(&self, context: &Context<'_>) -> io::Result<()> {
        self.0.reader.register(context.waker());
        self.before_write()
    }

    /// To be asked before each write.
    pub(super) fn before_write(&self) -> io::Result<()> {
        if self.0.is_over.load(Ordering::Acquire) {
            Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "we have hung up",
            ))
        } else {
            Ok(())
        }
    }
}

/// Hangs up some time after it was dropped. Whoever drops it cannot wait, and the client library says goodbye by itself
/// meanwhile, after all that was sent before: a broker that answers sees an orderly end.
#[derive(Debug)]
#[must_use]
pub(super) struct HangUpOnDrop(Option<HangUp>);

impl HangUpOnDrop {
    /// Leaves it to somebody else to hang up.
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for HangUpOnDrop {
    fn drop(&mut self) {
        let Some(hang_up) = self.0.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    sleep(GOODBYE).await;
                    hang_up.now();
                });
            }
            Err(_) => hang_up.now(),
        }
    }
}

/// Closes politely, for a while, and hangs up whether that was answered or not; a connection that is dead already cannot answer.
pub(super) async fn close_and_hang_up(connection: &Connection, hang_up: &HangUp) {
    if connection.status().connected() {
        let polite = connection.close(200, "done".into());
        if let Ok(Err(error)) = timeout(GOODBYE, polite).await {
            tracing::debug!(%error, "closing the broker connection");
        }
    }
    hang_up.now();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Notify;
    use tokio::time::timeout;

    use crate::broker::connect::{LinkSettings, Opened, open};
    use crate::broker::depth::{SurveyedQueue, survey};
    use crate::broker::error::BrokerError;
    use crate::broker::established::Prepare;
    use crate::broker::link::Link;
    use crate::broker::url::BrokerUrl;

    /// A broker that lets everybody in, and says nothing from then on.
    struct Silent(TcpListener);

    impl Silent {
        async fn start() -> (Self, LinkSettings) {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let url = BrokerUrl::parse(&format!("amqp://guest:guest@{address}/%2f?heartbeat=0")).unwrap();
            (Self(listener), LinkSettings::new(url, "hookline-tests"))
        }

        async fn lets_in(&self) -> TcpStream {
            let (mut stream, _) = self.0.accept().await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            let start = b"\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US";
            say(&mut stream, 10, start).await;
            hear(&mut stream).await;
            say(&mut stream, 30, &[7, 255, 0, 2, 0, 0, 0, 0]).await;
            hear(&mut stream).await;
            hear(&mut stream).await;
            say(&mut stream, 41, &[0]).await;
            stream
        }
    }

    /// Calls a method of the connection.
    async fn say(stream: &mut TcpStream, method: u8, arguments: &[u8]) {
        let payload = [&[0, 10, 0, method][..], arguments].concat();
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let frame = [&[1_u8, 0, 0][..], &length, &payload, &[0xce]].concat();
        stream.write_all(&frame).await.unwrap();
    }

    /// Reads one frame.
    async fn hear(stream: &mut TcpStream) {
        let mut head = [0; 7];
        stream.read_exact(&mut head).await.unwrap();
        let [_, _, _, length @ ..] = head;
        let mut rest = vec![0; u32::from_be_bytes(length) as usize + 1];
        stream.read_exact(&mut rest).await.unwrap();
    }

    /// The end comes, whatever was said before it.
    async fn is_hung_up_on(mut stream: TcpStream) {
        let mut last_words = Vec::new();
        let end = stream.read_to_end(&mut last_words);
        let ended = timeout(Duration::from_secs(60), end).await;
        assert!(ended.is_ok(), "its socket stays");
    }

    #[tokio::test]
    async fn a_silent_broker_is_hung_up_on_by_whoever_drops_or_closes_a_connection() {
        let (broker, settings) = Silent::start().await;
        let (dropped, stream) = tokio::join!(open(&settings), broker.lets_in());
        drop(dropped.unwrap());
        is_hung_up_on(stream).await;
        let (closed, stream) = tokio::join!(open(&settings), broker.lets_in());
        closed.unwrap().close().await;
        is_hung_up_on(stream).await;
    }

    #[tokio::test]
    async fn a_silent_broker_is_hung_up_on_when_nobody_waits_for_its_answer_any_more() {
        let (broker, settings) = Silent::start().await;
        let queues = [SurveyedQueue {
            name: "events".to_owned(),
            is_stream: false,
        }];
        let asked = async {
            let mut stream = broker.lets_in().await;
            hear(&mut stream).await;
            stream
        };
        let stream = tokio::select! {
            _ = survey(&settings, &queues) => panic!("nobody answers it"),
            stream = asked => stream,
        };
        is_hung_up_on(stream).await;
    }

    /// Tells that it has begun, and never ends.
    struct Preparing(Arc<Notify>);

    impl Prepare for Preparing {
        type Ready = ();

        async fn prepare(&self, _: &Opened) -> Result<(), BrokerError> {
            self.0.notify_one();
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_silent_broker_is_hung_up_on_by_a_link_that_is_closed_while_it_is_prepared() {
        let (broker, settings) = Silent::start().await;
        let begun = Arc::new(Notify::new());
        let link = Link::start(settings, Preparing(Arc::clone(&begun)));
        let (stream, ()) = tokio::join!(broker.lets_in(), begun.notified());
        link.close().await;
        is_hung_up_on(stream).await;
    }
}
