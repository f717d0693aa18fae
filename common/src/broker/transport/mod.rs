//! What any publisher may have written, judged before the client library parses it.
//!
//! Its parser recurses as deep as headers are nested, and gives the whole connection up at a name or a property that is not
//! UTF-8: one message of any publisher could end the process, or stop a queue. Here frames are followed as they are read,
//! and what could not be parsed is mended where it stands, so that no frame behind it moves:
//!
//! - a byte of a short string that is no UTF-8 becomes `?`;
//! - a table or an array that is nested too deep, holds too many values or does not add up becomes a text of the same
//!   bytes, by its type alone;
//! - what does not add up in the headers themselves becomes one header, whose name says that it was not read;
//! - of headers that are longer than a frame may be for us, the longest values are left out, and how long they were stands there;
//!   where that is not enough, the rest is cut off like what does not add up. The broker passes on what it let in: up to 8 bytes more
//!   than its own limit, or any length where it has none. What is missing becomes heartbeats.
//!
//! So each message arrives, and the rules of the message format decide what becomes of it.

mod cursor; // a payload, read step by checked step
mod table; // headers, whatever is nested in them
mod header; // a message's properties
mod method; // what the broker says, as far as it quotes others
mod frames; // both found in a stream
mod stream; // the stream
mod runtime; // how the client library gets it

use async_rs::{Runtime, TokioRuntime};
use lapin::AsyncTcpStream;

use runtime::{Judged, JudgingRuntime};
use stream::JudgedStream;

use super::heard::Heard;
use super::tls::MaybeTls;

/// A runtime for connections whose streams are judged.
pub(super) fn runtime(tokio: TokioRuntime) -> Runtime<JudgingRuntime> {
    Runtime::new(JudgingRuntime { tokio })
}

/// A stream as that runtime has them, of one that is open; `heard` is told of everything that is read.
/// The client library has asked for frames of `max_frame` bytes at most.
pub(super) fn judged(stream: MaybeTls, heard: Heard, max_frame: u32) -> AsyncTcpStream<Judged> {
    AsyncTcpStream::Plain(JudgedStream::new(stream, heard, max_frame))
}

#[cfg(test)]
mod tests;
