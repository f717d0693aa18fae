//! Which headers of a message must keep to the limits, and what becomes of those that do not.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::found::quoted;
use super::header;
use super::rejection::Rejection;
use crate::headers::{Extent, HeaderValue, Headers};

/// One of our own headers at most, in bytes: more than any value takes that it may have.
const MAX_OWN_BYTES: usize = 2048;
/// All that is held by those of our own headers that are kept, in values: more than all of them hold that we write, with the deaths that
/// the broker wrote down. Whoever reads the message again is given all that was kept, and what says why it was set aside.
const MAX_OWN_VALUES: usize = 128;
/// Headers that are named as left out.
const NAMED: usize = 8;

/// Looks whether those headers of a message whose names count keep to the limits.
pub(super) fn check(headers: &Headers, counts: impl Fn(&str) -> bool) -> Result<(), Rejection> {
    // What is missing may be what makes it a delivery to one endpoint, and not an event for all.
    let is_whole = headers.get(Headers::UNREAD).is_none();
    let has_all = headers.iter().all(|(_, value)| value.left_out().is_none());
    // Nearly always all of them do, and then it does not matter which count.
    if is_whole && has_all && headers.extent(|_| true).is_allowed() {
        return Ok(());
    }
    // Nobody knows what would be carried along, or was said here, where a value was left out when it was read.
    let is_missing =
        |name: &str, value: &HeaderValue| value.left_out().is_some() && !Headers::is_steering(name);
    let counted = || {
        let counted = headers
            .iter()
            .filter(|(name, value)| counts(name) || is_missing(name, value));
        counted.map(|(name, value)| (name, extent_of(name, value)))
    };
    let extent = counted().fold(Extent::default(), |sum, (_, extent)| sum.with(extent));
    if extent.depth > Extent::MAX_DEPTH {
        let deepest = counted().max_by_key(|(_, extent)| extent.depth);
        return Err(Rejection::HeadersTooDeep(quoted_name(
            deepest.map(|(name, _)| name),
        )));
    }
    if extent.bytes > Extent::MAX_BYTES || headers.iter().any(|(name, value)| is_missing(name, value)) {
        let largest = counted().max_by_key(|(_, extent)| extent.bytes);
        return Err(Rejection::HeadersTooLarge {
            bytes: extent.bytes,
            largest: quoted_name(largest.map(|(name, _)| name)),
        });
    }
    if extent.values > Extent::MAX_VALUES {
        return Err(Rejection::TooManyValues(extent.values));
    }
    if extent.entries > Extent::MAX_ENTRIES {
        return Err(Rejection::TooManyHeaders(extent.entries));
    }
    if is_whole {
        Ok(())
    } else {
        Err(Rejection::HeadersUnread)
    }
}

/// How much room a header takes; one whose value was left out when it was read, as much as it took then.
fn extent_of(name: &str, value: &HeaderValue) -> Extent {
    let extent = Headers::extent_of(name, value);
    let Some(length) = value.left_out() else {
        return extent;
    };
    let stands_there = value.as_bytes().map_or(0, <[u8]>::len);
    Extent {
        bytes: extent.bytes - stands_there + length,
        ..extent
    }
}

fn quoted_name(name: Option<&str>) -> String {
    quoted(name.unwrap_or_default())
}

/// The headers of an event that count: all but what the broker itself has written on it.
pub(super) fn counts_on_events(name: &str) -> bool {
    !Headers::is_written_by_broker(name)
}

/// The headers that count of an event that is set aside: those that it has when it is published again. What is written on it
/// here, and what means nothing on an event, is bounded each by what it may hold.
pub(super) fn counts_on_kept_events(name: &str) -> bool {
    header::is_of_events(name) || !header::is_ours(name) && !Headers::is_written_by_broker(name)
}

/// The same of a delivery. The time and the trace do not count: where its event came without them, they were written here.
pub(super) fn counts_on_kept_deliveries(name: &str) -> bool {
    let may_be_ours = matches!(
        name,
        header::CREATED_AT | header::TRACEPARENT | header::TRACESTATE
    );
    !may_be_ours && counts_on_kept_events(name)
}

/// The headers of a delivery that count: those that are carried along. Our own are bounded each by what it may hold.
pub(super) fn counts_on_deliveries(name: &str) -> bool {
    !header::is_ours(name) && !Headers::is_steering(name)
}

/// Takes out of the headers what is beyond the limits, and says what that was: what is nested too deep, then the largest of
/// those that count, for as long as it takes. What an event consists of goes last.
pub(super) fn fit(headers: &mut Headers, counts: impl Fn(&str) -> bool) -> Option<String> {
    let (mut left_out, mut is_cut, mut own_values) = (LeftOut::default(), false, 0);
    headers.retain(|name, value| {
        let extent = extent_of(name, value);
        let fits = value.left_out().is_none()
            && extent.depth <= Extent::MAX_DEPTH
            && (counts(name)
                || extent.bytes <= MAX_OWN_BYTES && own_values + extent.values <= MAX_OWN_VALUES);
        if fits && !counts(name) {
            own_values += extent.values;
        }
        // That is not to be lost: what is missing may be what makes it a delivery to one endpoint, or is.
        is_cut |= name == Headers::UNREAD || !fits && name == header::ENDPOINT;
        if !fits || name == Headers::UNREAD {
            left_out.note(name, extent);
        }
        fits && name != Headers::UNREAD
    });
    let mut all = headers.extent(&counts);
    if !all.is_allowed() {
        let mut gone = BTreeSet::new();
        for (name, extent) in largest_first(headers, &counts) {
            if all.is_allowed() {
                break;
            }
            all.bytes -= extent.bytes;
            all.values -= extent.values;
            all.entries -= 1;
            left_out.note(&name, extent);
            gone.insert(name);
        }
        headers.retain(|name, _| !gone.contains(name));
    }
    if is_cut {
        headers.set_text(Headers::UNREAD, "");
    }
    left_out.in_words()
}

fn largest_first(headers: &Headers, counts: impl Fn(&str) -> bool) -> Vec<(String, Extent)> {
    let mut all: Vec<(String, Extent)> = headers
        .iter()
        .filter(|(name, _)| counts(name))
        .map(|(name, value)| (name.to_owned(), Headers::extent_of(name, value)))
        .collect();
    all.sort_by_key(|(name, extent)| (header::is_of_events(name), Reverse(extent.bytes)));
    all
}

/// What was taken out of the headers of a message.
#[derive(Default)]
struct LeftOut {
    named: Vec<String>,
    unnamed: usize,
    unnamed_bytes: usize,
}

impl LeftOut {
    fn note(&mut self, name: &str, extent: Extent) {
        if self.named.len() < NAMED {
            let depth = if extent.depth > Extent::MAX_DEPTH {
                ", nested too deep"
            } else {
                ""
            };
            self.named
                .push(format!("{} ({} bytes{depth})", quoted(name), extent.bytes));
        } else {
            self.unnamed += 1;
            self.unnamed_bytes += extent.bytes;
        }
    }

    fn in_words(self) -> Option<String> {
        if self.named.is_empty() {
            return None;
        }
        let mut words = format!("left out here: {}", self.named.join(", "));
        if self.unnamed > 0 {
            let (unnamed, bytes) = (self.unnamed, self.unnamed_bytes);
            words.push_str(&format!(" and {unnamed} more ({bytes} bytes)"));
        }
        Some(words)
    }
}
