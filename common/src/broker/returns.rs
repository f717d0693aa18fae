//! What the broker gives back because no queue takes it.
//!
//! It gives a message back before it confirms it, on the same channel. The client library hands what came back to whichever
//! message is confirmed next, which under load is often another one: that would count as not stored, and the one that came back
//! as stored. So both frames of a return are read here, before the library has them, and each message looks for itself.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lapin::BasicProperties;
use lapin::protocol::basic;

use super::address::Address;
use crate::headers::Headers;

/// Class and method of `basic.return`.
const RETURN: [u8; 4] = [0, 60, 0, 50];
/// What stands in a content header before the properties: class, weight and the length of the body.
const BEFORE_PROPERTIES: usize = 2 + 2 + 8;

/// What came back on one connection and nobody has looked for yet, by its channel.
#[derive(Debug, Clone, Default)]
pub(super) struct Returns(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_channel: Mutex<HashMap<u16, VecDeque<Returned>>>,
    /// How many there are: mostly none, which each confirmed message asks.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Returned {
    exchange: String,
    routing_key: String,
    properties: BasicProperties,
    body_bytes: u64,
}

impl Returns {
    /// Whether anything came back on the connection that nobody has looked for.
    pub(super) fn is_empty(&self) -> bool {
        self.0.count.load(Ordering::Acquire) == 0
    }

    /// Whether this message came back on the channel. It is to be asked once, when the message is confirmed.
    pub(super) fn take(&self, channel: u16, to: &Address, sent: &Original<'_>) -> bool {
        if self.is_empty() {
            return false;
        }
        self.change(|by_channel| {
            let Some(returned) = by_channel.get_mut(&channel) else {
                return false;
            };
            let own = returned.iter().position(|one| one.is(to, sent));
            own.and_then(|own| returned.remove(own)).is_some()
        })
    }

    /// Nothing is under way on the channel, or it is a new one: what came back is nobody's.
    pub(super) fn forget(&self, channel: u16) {
        if !self.is_empty() {
            self.change(|by_channel| drop(by_channel.remove(&channel)));
        }
    }

    fn add(&self, channel: u16, returned: Returned) {
        self.change(|by_channel| by_channel.entry(channel).or_default().push_back(returned));
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<u16, VecDeque<Returned>>) -> T) -> T {
        // Nothing in there can be left half done.
        let mut by_channel = self.0.by_channel.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut by_channel);
        let count = by_channel.values().map(VecDeque::len).sum();
        self.0.count.store(count, Ordering::Release);
        changed
    }
}

impl Returned {
    /// Whether it is the message that was sent. The broker may have added headers of its own, written over those that are its
    /// own, and set the time, as it can be told to. Of the body only the length is there; what we publish has an id, and what
    /// has the same id and the same headers is the same.
    fn is(&self, to: &Address, sent: &Original<'_>) -> bool {
        let Original {
            properties,
            body_bytes,
        } = sent;
        let found = self.properties.headers().as_ref().map(|table| table.inner());
        let all = properties.headers().as_ref().map(|table| table.inner());
        let has_headers = all.is_none_or(|all| {
            let mut kept = all.iter().filter(|(name, _)| !is_written_over(name.as_str()));
            kept.all(|(name, value)| {
                found.is_some_and(|found| found.get(name).is_some_and(|found| found == value))
            })
        });
        self.body_bytes == *body_bytes
            && self.exchange == to.exchange
            && self.routing_key == to.routing_key
            && self.properties.message_id() == properties.message_id()
            && self.properties.kind() == properties.kind()
            && has_headers
    }
}

/// A message as it was sent.
pub(super) struct Original<'a> {
    pub(super) properties: &'a BasicProperties,
    pub(super) body_bytes: u64,
}

/// Whether the broker may write over a header: its own, and the time at which it took a message, where it is told to.
fn is_written_over(name: &str) -> bool {
    name == "timestamp_in_ms" || Headers::is_written_by_broker(name)
}

/// The frames of one connection, as far as they give something back.
#[derive(Debug, Default)]
pub(super) struct Listener {
    returns: Returns,
    /// Methods whose content header comes next, by their channel.
    begun: HashMap<u16, basic::Return>,
}

impl Listener {
    pub(super) fn new(returns: Returns) -> Self {
        Self {
            returns,
            begun: HashMap::new(),
        }
    }

    /// The payload of a method frame, which the client library can read.
    pub(super) fn method(&mut self, channel: u16, payload: &[u8]) {
        let Some(fields) = payload.strip_prefix(&RETURN) else {
            return;
        };
        if let Ok((_, method)) = basic::parse_return(fields) {
            self.begun.insert(channel, method);
        }
    }

    /// The payload of a content header, which the client library can read.
    pub(super) fn header(&mut self, channel: u16, payload: &[u8]) {
        if self.begun.is_empty() {
            return;
        }
        let Some(method) = self.begun.remove(&channel) else {
            return;
        };
        let Some((before, properties)) = payload.split_first_chunk::<BEFORE_PROPERTIES>() else {
            return;
        };
        let [_, _, _, _, body_bytes @ ..] = *before;
        if let Ok((_, properties)) = basic::parse_properties(properties) {
            let returned = Returned {
                exchange: method.exchange.as_str().to_owned(),
                routing_key: method.routing_key.as_str().to_owned(),
                properties,
                body_bytes: u64::from_be_bytes(body_bytes),
            };
            self.returns.add(channel, returned);
        }
    }
}

#[cfg(test)]
mod tests {
    use lapin::types::{AMQPValue, FieldTable};

    use super::*;

    fn counted(text: &str) -> Vec<u8> {
        [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat()
    }

    fn comes_back(listener: &mut Listener, channel: u16, routing_key: &str, id: &str, body_bytes: u8) {
        let code = [&RETURN[..], &312_u16.to_be_bytes(), &counted("NO_ROUTE")].concat();
        listener.method(channel, &[code, counted(""), counted(routing_key)].concat());
        let flags = 1_u16 << 7;
        let header = [
            &[0, 60, 0, 0][..],
            &[0; 7],
            &[body_bytes],
            &flags.to_be_bytes(),
            &counted(id),
        ]
        .concat();
        listener.header(channel, &header);
    }

    fn to(routing_key: &str) -> Address {
        Address {
            exchange: String::new(),
            routing_key: routing_key.to_owned(),
        }
    }

    fn takes(returns: &Returns, channel: u16, routing_key: &str, id: &str, body_bytes: u64) -> bool {
        let properties = BasicProperties::default().with_message_id(id.into());
        let sent = Original {
            properties: &properties,
            body_bytes,
        };
        returns.take(channel, &to(routing_key), &sent)
    }

    #[test]
    fn each_message_finds_its_own_and_that_once() {
        let returns = Returns::default();
        let mut listener = Listener::new(returns.clone());
        for (channel, id) in [(1, "a"), (2, "b"), (1, "c"), (1, "c")] {
            comes_back(&mut listener, channel, "here", id, 7);
        }
        for (channel, key, id, bytes, is_there) in [
            (1, "here", "b", 7, false),
            (1, "there", "c", 7, false),
            (1, "here", "c", 8, false),
            (1, "here", "c", 7, true),
            (1, "here", "c", 7, true),
            (1, "here", "c", 7, false),
            (1, "here", "a", 7, true),
            (2, "here", "b", 7, true),
        ] {
            let taken = takes(&returns, channel, key, id, bytes);
            assert_eq!(taken, is_there, "{channel} {key} {id} {bytes}");
        }
        assert!(returns.is_empty());
    }

    #[test]
    fn headers_that_the_broker_writes_over_tell_nothing_and_all_others_do() {
        let table = |pairs: &[(&str, &str)]| {
            let mut table = FieldTable::default();
            for (name, value) in pairs {
                table.insert((*name).into(), AMQPValue::LongString((*value).into()));
            }
            BasicProperties::default().with_headers(table)
        };
        let returned = Returned {
            exchange: String::new(),
            routing_key: "here".to_owned(),
            properties: table(&[
                ("endpoint", "a"),
                ("timestamp_in_ms", "2"),
                ("x-routed-by", "b"),
                ("new", ""),
            ]),
            body_bytes: 0,
        };
        for (headers, is_own) in [
            (
                &[("endpoint", "a"), ("timestamp_in_ms", "1"), ("x-routed-by", "a")][..],
                true,
            ),
            (&[("endpoint", "a")][..], true),
            (&[("endpoint", "b")][..], false),
            (&[("endpoint", "a"), ("gone", "")][..], false),
        ] {
            let sent = Original {
                properties: &table(headers),
                body_bytes: 0,
            };
            assert_eq!(returned.is(&to("here"), &sent), is_own, "{headers:?}");
        }
    }

    #[test]
    fn what_is_nobodys_is_forgotten_with_its_channel() {
        let returns = Returns::default();
        let mut listener = Listener::new(returns.clone());
        comes_back(&mut listener, 1, "here", "a", 0);
        comes_back(&mut listener, 2, "here", "a", 0);
        returns.forget(1);
        assert!(!takes(&returns, 1, "here", "a", 0));
        assert!(takes(&returns, 2, "here", "a", 0));
    }
}
