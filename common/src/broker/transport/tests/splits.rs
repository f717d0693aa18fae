//! All kinds of frames in a row, read in pieces of any size: what is handed on is what would be if all came at once.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_io::AsyncRead;
use futures_util::AsyncReadExt as _;

use super::super::super::heard::Heard;
use super::super::frames::Frames;
use super::super::stream::JudgedStream;
use super::{Random, made};

/// Bytes that come in pieces, with waits between them.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    longest: usize,
    random: Random,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.random.one_in(4) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let longest = self.longest;
        let count = 1 + self.random.below(longest);
        let count = count.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Poll::Ready(Ok(count))
    }
}

fn any_frame(random: &mut Random) -> Vec<u8> {
    let channel = u16::from(random.octet());
    match random.below(6) {
        0 => made::frame(8, 0, b""),
        1 => {
            let mut payload = made::method(random);
            made::not_utf8(&mut payload);
            made::frame(1, channel, &payload)
        }
        2 | 3 => {
            let payload = made::header(random);
            made::frame(2, channel, &made::broken(random, payload))
        }
        // A body that looks like a frame which would be mended, and one that is empty.
        4 => made::frame(3, channel, &made::frame(2, 1, &[0xff; 40])),
        _ => made::frame(3, channel, &vec![0xce; random.below(3000)]),
    }
}

/// Reads everything, into buffers of any size up to `longest`.
fn read(stream: &mut JudgedStream<Pieces>, longest: usize, random: &mut Random) -> Vec<u8> {
    let mut context = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    loop {
        let mut buffer = vec![0; 1 + random.below(longest)];
        match Pin::new(&mut *stream).poll_read(&mut context, &mut buffer) {
            Poll::Pending => {}
            Poll::Ready(Ok(0)) => return all,
            Poll::Ready(Ok(count)) => all.extend(&buffer[..count]),
            Poll::Ready(Err(error)) => panic!("{error}"),
        }
    }
}

#[test]
fn pieces_of_any_size_are_handed_on_as_the_whole_would_be() {
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let mut bytes = if random.one_in(10) {
            b"AMQP\0\0\x09\x01".to_vec()
        } else {
            Vec::new()
        };
        for _ in 0..random.below(30) {
            bytes.extend(any_frame(&mut random));
        }
        let mut whole = bytes.clone();
        // Some of the headers are longer than a frame may be, where there is a limit.
        let max_frame = if random.one_in(2) { 0 } else { 200 };
        let judged = Frames::heard_by(&Heard::default(), max_frame).judge(&mut whole);
        assert_eq!(judged, whole.len(), "they are whole frames");
        if random.one_in(3) {
            // The connection ends within a frame; or what comes is none.
            let more = if random.one_in(2) {
                &b"\x02\0\x01\0\0\0\x20\xff"[..]
            } else {
                b"HTTP/1.1 400\r\n"
            };
            bytes.extend(more);
            whole.extend(more);
        }
        let (piece, buffer) = (1 + random.below(5000), 1 + random.below(5000));
        let pieces = Pieces {
            bytes,
            at: 0,
            longest: piece,
            random: Random::new(seed + 1),
        };
        let mut stream = JudgedStream::new(pieces, Heard::default(), max_frame);
        let handed_on = read(&mut stream, buffer, &mut random);
        assert!(
            handed_on == whole,
            "seed {seed}: pieces up to {piece}, buffers up to {buffer}"
        );
    }
}

/// Bytes that come in these pieces, and how often they were read.
struct Cut {
    pieces: VecDeque<Vec<u8>>,
    reads: usize,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.reads += 1;
        let Some(piece) = self.pieces.front_mut() else {
            return Poll::Ready(Ok(0));
        };
        let count = piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&piece[..count]);
        piece.drain(..count);
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Poll::Ready(Ok(count))
    }
}

#[test]
fn a_frame_that_a_read_has_cut_costs_no_read_of_its_own() {
    let header = made::frame(2, 1, &[0; 14]);
    let frames = [&header[..], &made::frame(3, 1, &[b'x'; 100])]
        .concat()
        .repeat(50);
    // Cut in the head of a content header, behind it, and within a body.
    for cut in [header.len() + 108 + 3, header.len() + 108 + 9, header.len() + 40] {
        let pieces: VecDeque<Vec<u8>> = frames.chunks(cut).map(<[u8]>::to_vec).collect();
        let count = pieces.len();
        let mut stream = JudgedStream::new(Cut { pieces, reads: 0 }, Heard::default(), 0);
        let mut context = Context::from_waker(Waker::noop());
        let (mut buffer, mut all) = (vec![0_u8; 64 * 1024], Vec::<u8>::new());
        loop {
            let read = Pin::new(&mut stream).poll_read(&mut context, &mut buffer);
            match read {
                Poll::Ready(Ok(0)) => break,
                Poll::Ready(Ok(count)) => all.extend(&buffer[..count]),
                Poll::Ready(Err(_)) | Poll::Pending => panic!("there is more"),
            }
        }
        assert!(all == frames);
        assert_eq!(stream.inner.reads, count + 1, "each piece, and the end");
    }
}

#[test]
fn what_needs_no_rest_is_not_held_back() {
    // A body whose end has not come, behind a whole method.
    let method = made::frame(1, 1, b"\0\x3c\0\x50\0\0\0\0\0\0\0\x01\0");
    let body = made::frame(3, 1, &[b'x'; 100]);
    let mut bytes = [&method[..], &body[..50]].concat();
    assert_eq!(Frames::default().judge(&mut bytes), bytes.len());
    // The head of a body, and of a content header.
    assert_eq!(Frames::default().judge(&mut body.clone()[..7]), 7);
    assert_eq!(Frames::default().judge(&mut made::frame(2, 1, &[0; 14])[..7]), 0);
}

#[test]
fn after_a_frame_without_its_end_nothing_is_touched_as_the_client_library_reads_no_further() {
    let mut bytes = made::frame(2, 1, &[0xff; 20]);
    *bytes.last_mut().unwrap() = 0;
    bytes.extend(made::frame(2, 1, &[0xff; 20]));
    let before = bytes.clone();
    assert_eq!(Frames::default().judge(&mut bytes), bytes.len());
    assert_eq!(bytes, before);
}

/// The other end says nothing.
struct Silent;

impl AsyncRead for Silent {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn whoever_waits_for_a_silent_end_is_woken_when_we_hang_up() {
    let heard = Heard::default();
    let mut stream = JudgedStream::new(Silent, heard.clone(), 0);
    let mut buffer = [0; 8];
    let hanging_up = async {
        tokio::task::yield_now().await;
        heard.hang_up.now();
    };
    let (read, ()) = tokio::join!(stream.read(&mut buffer), hanging_up);
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn a_connection_of_which_much_is_unread_is_read_on_when_that_is_taken_out() {
    const BODY: usize = 100_000;
    let heard = Heard::default();
    heard.unread.bound();
    let length = u64::try_from(BODY).unwrap().to_be_bytes();
    let header = made::frame(2, 1, &[&[0, 60, 0, 0][..], &length, &[0; 2]].concat());
    let message = [header, made::frame(3, 1, &[b'x'; BODY])].concat();
    let pieces = std::iter::repeat_n(message.clone(), 100).collect();
    let mut stream = JudgedStream::new(Cut { pieces, reads: 0 }, heard.clone(), 0);
    let mut buffer = vec![0; 2 * BODY];
    let mut context = Context::from_waker(Waker::noop());
    let mut messages = 0;
    while let Poll::Ready(read) = Pin::new(&mut stream).poll_read(&mut context, &mut buffer) {
        assert_eq!(read.unwrap(), message.len());
        messages += 1;
    }
    assert!((40..50).contains(&messages), "{messages}");
    for _ in 0..messages {
        heard.unread.taken(BODY);
    }
    let mut rest = 0;
    while stream.read(&mut buffer).await.unwrap() > 0 {
        rest += 1;
        heard.unread.taken(BODY);
    }
    assert_eq!(messages + rest, 100);
}
