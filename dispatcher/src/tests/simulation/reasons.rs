//! Why something may be there twice. Each reason makes one copy more of one message, and of what follows from it: a process that
//! ended, or lost its subscription, while it had begun with the message; a confirm that never came. What had not begun may not be
//! doubled, whatever happens.

use std::collections::{BTreeMap, BTreeSet};

/// Which message this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) event: u32,
    /// None of an event that is not routed yet.
    pub(super) endpoint: Option<u16>,
    pub(super) attempt: u32,
}

impl Key {
    fn unrouted(self) -> Self {
        Self {
            endpoint: None,
            attempt: 1,
            ..self
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Reasons {
    counts: BTreeMap<Key, u32>,
    /// What each process has begun with.
    begun: BTreeSet<(u64, Key)>,
    /// What a process that is alone will recognise, as long as it lives.
    recognised: Vec<(u64, Key)>,
    /// What was taken away from a process that has not heard of it yet.
    unheard: Vec<Unheard>,
}

#[derive(Debug, Clone, Copy)]
struct Unheard {
    process: u64,
    channel: u64,
    key: Key,
    is_recognised: bool,
}

impl Reasons {
    /// A process does something for a message. A first attempt may be made for an event that was not routed before.
    pub(super) fn begins(&mut self, process: u64, key: Key) {
        self.begins_with(process, key);
        if key.attempt == 1 && key.endpoint.is_some() {
            self.begins_with(process, key.unrouted());
        }
    }

    fn begins_with(&mut self, process: u64, key: Key) {
        self.begun.insert((process, key));
        let is_it = |unheard: &Unheard| (unheard.process, unheard.key) == (process, key);
        while let Some(place) = self.unheard.iter().position(is_it) {
            let unheard = self.unheard.swap_remove(place);
            self.is_doubled(process, key, unheard.is_recognised);
        }
    }

    fn is_doubled(&mut self, process: u64, key: Key, is_recognised: bool) {
        if is_recognised {
            self.recognised.push((process, key));
        } else {
            self.add(key);
        }
    }

    /// There is one copy more.
    pub(super) fn add(&mut self, key: Key) {
        *self.counts.entry(key).or_default() += 1;
    }

    /// A process had these in its hand when it was killed, or when its subscription was lost. What it begins with before it hears
    /// of that is doubled as well.
    pub(super) fn taken_away(
        &mut self,
        process: u64,
        channel: u64,
        held: impl IntoIterator<Item = Key>,
        is_recognised: bool,
    ) {
        for key in held {
            if self.begun.contains(&(process, key)) {
                self.is_doubled(process, key, is_recognised);
            } else {
                self.unheard.push(Unheard {
                    process,
                    channel,
                    key,
                    is_recognised,
                });
            }
        }
    }

    /// The process has heard of the loss of this channel.
    pub(super) fn heard(&mut self, channel: u64) {
        self.unheard.retain(|unheard| unheard.channel != channel);
    }

    /// The process is gone, and with it what it would have recognised.
    pub(super) fn gone(&mut self, process: u64) {
        let (gone, kept) = std::mem::take(&mut self.recognised)
            .into_iter()
            .partition(|(of, _)| *of == process);
        self.recognised = kept;
        let gone: Vec<(u64, Key)> = gone;
        gone.into_iter().for_each(|(_, key)| self.add(key));
        self.unheard.retain(|unheard| unheard.process != process);
    }

    /// How many copies more there may be of an attempt.
    pub(super) fn for_attempt(&self, event: u32, endpoint: u16, attempt: u32) -> u32 {
        let is_it = |key: &Key| key.event == event && key.attempt <= attempt;
        let of_it = self
            .counts
            .iter()
            .filter(|(key, _)| is_it(key) && key.endpoint.is_none_or(|of| of == endpoint));
        of_it.map(|(_, count)| count).sum()
    }
}
