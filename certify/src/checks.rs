//! What is asked of a receiver, in the order in which it is played: names, questions, and what a good receiver answers.

/// One thing that is asked.
pub(crate) struct Question {
    /// Its name in reports; scripts rely on it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What a good receiver answers.
    pub(crate) good: &'static str,
}

pub(crate) const LIFE: Question = Question {
    name: "life",
    title: "A booking's life: made, moved, cancelled",
    good: "2xx to each",
};

pub(crate) const BAD_SIGNATURE: Question = Question {
    name: "bad_signature",
    title: "Signed by somebody else, changed on the way, not signed at all",
    good: "401 to each, and nothing is done",
};

pub(crate) const RAW_BODY: Question = Question {
    name: "raw_body",
    title: "JSON in another spelling, and signatures over what a parser would make of it",
    good: "2xx to what is signed over the bytes that were sent, 401 to all else",
};

pub(crate) const OLD_TIMESTAMP: Question = Question {
    name: "old_timestamp",
    title: "A rightly signed request that is an hour old",
    good: "401: webhook-timestamp may lie five minutes from your clock",
};

pub(crate) const DUPLICATE: Question = Question {
    name: "duplicate",
    title: "The same event twice, as a retry and as a second publication",
    good: "2xx to each; the work is done once, for webhook-id is the same",
};

pub(crate) const OUT_OF_ORDER: Question = Question {
    name: "out_of_order",
    title: "Cancelled before it was moved, moved before it was made",
    good: "2xx to each; retries change the order, so the newest state counts",
};

pub(crate) const LARGEST: Question = Question {
    name: "largest",
    title: "As much data as an event may have",
    good: "2xx: a body may have 102,400 bytes",
};

pub(crate) const AT_ONCE: Question = Question {
    name: "at_once",
    title: "Ten events at the same time",
    good: "2xx to each",
};

pub(crate) const DRIPS: Question = Question {
    name: "drips",
    title: "A request that comes in drips: head and body a few bytes at a time, over two seconds",
    good: "2xx, once Content-Length bytes are there",
};

pub(crate) const KEEP_ALIVE: Question = Question {
    name: "keep_alive",
    title: "One connection for several requests, with a rest between them",
    good: "2xx to each, on the same connection or on a new one",
};

pub(crate) const ANSWER_TIME: Question = Question {
    name: "answer_time",
    title: "How long the answers took",
    good: "an answer within a second or two; after 30 seconds it counts as none",
};
