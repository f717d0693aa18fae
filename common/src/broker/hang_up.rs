//! The end of a connection from our side, whatever the other one does. The client library waits for the answer to its goodbye, and
//! where a broker or a network is silent, a thread of it and the socket would stay for a quarter of an hour.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;

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
