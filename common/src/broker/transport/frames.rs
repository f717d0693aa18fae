//! The frames of a connection, followed through reads that begin and end anywhere. Whole content headers and methods are
//! mended; bodies pass unseen.

use super::super::heard::Heard;
use super::super::returns::Listener;
use super::super::unread::Bodies;
use super::{header, method};

/// Type, channel and length of the payload.
const HEAD: usize = 1 + 2 + 4;
/// The octet that ends every frame.
const END: u8 = 0xce;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
/// A frame without a payload.
const EMPTY_FRAME: usize = HEAD + 1;
/// What the broker answers, instead of a frame, to a version that it does not speak: `AMQP` and four octets.
const PROTOCOL: u8 = b'A';
const PROTOCOL_LEN: usize = 8;

/// Where in the stream of frames the bytes stand that come next.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// How many bytes remain of what passes unseen.
    passing: usize,
    /// What came was no frame, so everything passes: the client library refuses it at the same place.
    is_lost: bool,
    /// How many frames were mended.
    pub(super) mended: u64,
    /// Told of methods and content headers.
    listener: Listener,
    bodies: Bodies,
    /// The client library takes no frame that is longer, in bytes with head and end; 0 where it takes any.
    max_frame: usize,
}

/// What the first bytes of a frame say.
enum Frame {
    /// So many bytes pass as they are.
    Passes(usize),
    /// So many bytes, head and end included, are looked at when all are there.
    Judged(usize),
    /// The head itself is not whole.
    Cut,
    /// No frame begins like this.
    Unknown,
}

fn frame(bytes: &[u8]) -> Frame {
    let kind = match bytes.first() {
        None => return Frame::Cut,
        Some(&PROTOCOL) => return Frame::Passes(PROTOCOL_LEN),
        Some(kind @ &(METHOD | HEADER | BODY | HEARTBEAT)) => *kind,
        Some(_) => return Frame::Unknown,
    };
    let Some([_, _, _, length @ ..]) = bytes.first_chunk::<HEAD>() else {
        return Frame::Cut;
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let length = length.saturating_add(HEAD + 1);
    match kind {
        METHOD | HEADER => Frame::Judged(length),
        _ => Frame::Passes(length),
    }
}

impl Frames {
    /// Frames of a connection, on which the broker may give something back.
    pub(super) fn heard_by(heard: &Heard, max_frame: u32) -> Self {
        Self {
            listener: Listener::new(heard.returns.clone()),
            bodies: Bodies::new(heard.unread.clone()),
            max_frame: bytes(max_frame),
            ..Self::default()
        }
    }

    /// Follows `bytes`, which come next, and mends what is whole of them. Returns how many may be handed on; the rest is the
    /// beginning of a frame that must be whole first, and is to be given again with more behind it.
    pub(super) fn judge(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        loop {
            let rest = bytes.get_mut(at..).unwrap_or_default();
            if self.is_lost {
                return at + rest.len();
            }
            let passes = self.passing.min(rest.len());
            if passes > 0 {
                self.passing -= passes;
                at += passes;
                continue;
            }
            match frame(rest) {
                Frame::Passes(length) => self.passing = length,
                Frame::Judged(length) => {
                    let Some(whole) = rest.get_mut(..length) else {
                        return at;
                    };
                    self.mend(whole);
                    at += length;
                }
                Frame::Cut => return at,
                Frame::Unknown => self.is_lost = true,
            }
        }
    }

    /// How many more bytes are needed at least of a frame that begins with `bytes` and could not be judged.
    pub(super) fn missing(bytes: &[u8]) -> usize {
        let length = match frame(bytes) {
            Frame::Judged(length) => length,
            Frame::Passes(_) | Frame::Cut | Frame::Unknown => HEAD,
        };
        length.saturating_sub(bytes.len()).max(1)
    }

    fn mend(&mut self, frame: &mut [u8]) {
        let (kind, length) = (frame.first().copied(), frame.len());
        let Some(([_, rest @ ..], payload, [end])) = split(frame) else {
            return;
        };
        if *end != END {
            self.is_lost = true;
            return;
        }
        let [channel @ .., _, _, _, _] = rest;
        let channel = u16::from_be_bytes(*channel);
        let is_mended = match kind {
            Some(HEADER) => {
                let is_mended = header::mend(payload);
                self.listener.header(channel, payload);
                self.bodies.header(channel, payload);
                self.shorten(frame) || is_mended
            }
            _ => {
                let is_mended = method::mend(payload);
                self.listener.method(channel, payload);
                self.tuned(method::max_frame(payload));
                is_mended
            }
        };
        if is_mended {
            self.mended += 1;
            tracing::debug!(channel, length, "mended what could not have been read");
        }
    }

    /// The broker has named the longest frame that it lets pass. The lower limit counts.
    fn tuned(&mut self, max_frame: Option<u32>) {
        let limits = [max_frame.map_or(0, bytes), self.max_frame];
        self.max_frame = limits.into_iter().filter(|limit| *limit > 0).min().unwrap_or(0);
    }

    /// Leaves values out of headers whose frame is longer than the client library takes, or cuts them where that is not enough; puts
    /// heartbeats where the rest stood, and says whether it did.
    fn shorten(&self, frame: &mut [u8]) -> bool {
        let too_long = match self.max_frame {
            0 => 0,
            max_frame => frame.len().saturating_sub(max_frame),
        };
        if too_long == 0 {
            return false;
        }
        let Some((_, payload, _)) = split(frame) else {
            return false;
        };
        // Nothing remains that would make no heartbeat.
        let shortened = header::leave_values_out(payload, too_long, EMPTY_FRAME)
            .or_else(|| header::cut(payload, too_long.next_multiple_of(EMPTY_FRAME)));
        let Some(kept) = shortened else {
            return false;
        };
        let (header, rest) = frame.split_at_mut(HEAD + kept + 1);
        write_frame(header, None);
        // A heartbeat has nothing in it, and what is in one is skipped. All are multiples of the shortest.
        let longest = self.max_frame / EMPTY_FRAME * EMPTY_FRAME;
        for heartbeat in rest.chunks_mut(longest.max(EMPTY_FRAME)) {
            write_frame(heartbeat, Some(HEARTBEAT));
        }
        true
    }
}

/// Makes one frame of all these bytes, at least [`EMPTY_FRAME`]: of its own kind and channel, or of another kind and none.
fn write_frame(frame: &mut [u8], kind: Option<u8>) {
    let Some(([own_kind, rest @ ..], payload, [end])) = split(frame) else {
        return;
    };
    let [channel @ .., a, b, c, d] = rest;
    [*a, *b, *c, *d] = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    *end = END;
    if let Some(kind) = kind {
        (*own_kind, *channel) = (kind, [0; 2]);
    }
}

fn bytes(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Head, payload and end of a whole frame.
fn split(frame: &mut [u8]) -> Option<(&mut [u8; HEAD], &mut [u8], &mut [u8; 1])> {
    let (head, rest) = frame.split_first_chunk_mut::<HEAD>()?;
    let (payload, end) = rest.split_last_chunk_mut::<1>()?;
    Some((head, payload, end))
}
