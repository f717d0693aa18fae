//! The words themselves: a sentence and a next step for each outcome, and for what is often behind it.

use std::borrow::Cow;

/// An outcome in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What happened: one sentence.
    pub sentence: Cow<'static, str>,
    /// What the endpoint's owner can do.
    pub next_step: Cow<'static, str>,
}

impl Explanation {
    pub(super) const fn of(sentence: &'static str, next_step: &'static str) -> Self {
        Self {
            sentence: Cow::Borrowed(sentence),
            next_step: Cow::Borrowed(next_step),
        }
    }
}

/// Parts of what is said besides a cause, and what they mean. The first that is found counts.
pub(super) type Known = [(&'static str, Explanation)];

pub(super) const DELIVERED: Explanation = Explanation::of(
    "The endpoint took the event: it answered with a 2xx status.",
    "There is nothing to do.",
);

pub(super) const DELIVERED_CUT_OFF: Explanation = Explanation::of(
    "The endpoint took the event: it answered with a 2xx status, and then broke its answer's body off.",
    "There is nothing to do for the event; the server's log may say why it hung up.",
);

pub(super) const DNS: Explanation = Explanation::of(
    "The name in the endpoint's URL could not be looked up.",
    "Look whether the name is spelt right and still has an address: a domain or its record may have expired.",
);

pub(super) const BLOCKED: Explanation = Explanation::of(
    "Nothing was sent: the URL, or an address behind its name, is not one that events may go to.",
    "Give the endpoint an https URL whose name has public addresses only.",
);

pub(super) const DISCARDED: Explanation = Explanation::of(
    "Nothing was sent: the endpoint has been removed.",
    "There is nothing to do, unless it was removed by mistake; then add it again, and new events will reach it.",
);

/// Where nothing was attempted, as the endpoint was paused by a person or disabled by Hookline.
pub const ENDPOINT_DISABLED: Explanation = Explanation::of(
    "Nothing was sent: the endpoint was paused or disabled.",
    "Resume the endpoint, and retry what has failed meanwhile.",
);

/// Where attempts were made, and then the endpoint was disabled.
pub(super) const DISABLED_MEANWHILE: Explanation = Explanation::of(
    "The endpoint was paused or disabled before the next attempt, and nothing more was sent.",
    "Resume the endpoint, and retry what has failed meanwhile.",
);

/// Where nothing is known of the last attempt.
pub(super) const ALL_FAILED: Explanation = Explanation::of(
    "Every attempt failed, and how the last one ended was not noted.",
    "Retry it, and look at what the new attempt tells.",
);

pub(super) const NO_ANSWER: Explanation = Explanation::of(
    "The endpoint took the connection, and did not answer in time.",
    "Answer 2xx as soon as the event is stored, and do the work afterwards; look what the handler waits for.",
);

pub(super) const SILENT_ADDRESS: Explanation = Explanation::of(
    "No connection was made in time: nothing came back from the endpoint's address.",
    "Look whether the server runs, and whether a firewall drops what comes from us instead of refusing it.",
);

pub(super) const SILENT_PROXY: Explanation = Explanation::of(
    "The connection through the sender's proxy was not made in time.",
    "Look whether the server can be reached from outside; if it can, ask the platform about its proxy.",
);

pub(super) const PROXY: Explanation = Explanation::of(
    "The sender's proxy did not connect to the endpoint.",
    "Look whether the server can be reached from outside; if it can, ask the platform about its proxy.",
);

pub(super) const NO_CONNECTION: Explanation = Explanation::of(
    "No connection to the endpoint could be made.",
    "Look whether the server runs and can be reached from outside at the URL's name and port.",
);

/// What the system says of a connection that it did not make.
pub(super) const CONNECT_ERRORS: [(&str, Explanation); 6] = [
    (
        "connection refused",
        Explanation::of(
            "The endpoint's server refused the connection: nothing listens on that port.",
            "Start the server, or mend the port in the endpoint's URL.",
        ),
    ),
    (
        "unreachable",
        Explanation::of(
            "There is no way to the endpoint's address.",
            "Look whether the name has the right address, and whether the server's network is up.",
        ),
    ),
    ("connection reset", TURNED_AWAY),
    ("connection aborted", TURNED_AWAY),
    ("permission denied", TURNED_AWAY),
    ("timed out", SILENT_ADDRESS),
];

const TURNED_AWAY: Explanation = Explanation::of(
    "The connection was cut off as it was made.",
    "Look at the firewall or load balancer before the server: it seems to turn us away.",
);

pub(super) const NO_TLS: Explanation = Explanation::of(
    "No secure connection could be made; nothing of the event was sent.",
    "Try the URL with `curl -v` from another network, and mend what it complains of.",
);

pub(super) const NO_CERTIFICATE_NAME: Explanation = Explanation::of(
    "No certificate can be made out for the host in the endpoint's URL, so no secure connection is possible.",
    "Give the endpoint a URL with a name that a certificate can have.",
);

pub(super) const TLS_HUNG: Explanation = Explanation::of(
    "The connection was made, and the TLS handshake hung.",
    "Look whether that port speaks TLS at all, and whether something between swallows large packets.",
);

/// What the library says of a handshake that failed.
pub(super) const TLS_ERRORS: [(&str, Explanation); 9] = [
    (
        "not valid yet",
        Explanation::of(
            "The endpoint's certificate is not valid yet.",
            "Look at the clock of the machine that made it, or install one that is valid now.",
        ),
    ),
    (
        "not valid for",
        Explanation::of(
            "The endpoint's certificate belongs to another name.",
            "Install a certificate for the name in the URL, or use a name that the certificate has.",
        ),
    ),
    (
        "expired",
        Explanation::of(
            "The endpoint's certificate has expired.",
            "Renew the certificate and load it into the server; look why it was not renewed by itself.",
        ),
    ),
    (
        "UnknownIssuer",
        Explanation::of(
            "The endpoint's certificate comes from nobody whom we know, or the certificates between are missing.",
            "Install the whole chain, intermediate certificates too, from a public authority.",
        ),
    ),
    (
        "CaUsedAsEndEntity",
        Explanation::of(
            "The endpoint's certificate is one that issues others, as those are that one signs oneself.",
            "Install a server certificate from a public authority, with its whole chain.",
        ),
    ),
    (
        "eof",
        Explanation::of(
            "The endpoint's server hung up in the middle of the TLS handshake.",
            "Look whether that port speaks TLS, and whether the server has a certificate for the name in the URL.",
        ),
    ),
    (
        "received corrupt message",
        Explanation::of(
            "What answered on that port does not speak TLS.",
            "Look whether the URL's port is the one for https.",
        ),
    ),
    (
        "received fatal alert",
        Explanation::of(
            "The endpoint's server broke the TLS handshake off: it wants another version, name or a certificate of ours.",
            "Let the server take TLS 1.2 or 1.3 for the name in the URL, without a client certificate.",
        ),
    ),
    (
        "peer is incompatible",
        Explanation::of(
            "The endpoint's server knows none of the TLS versions or ciphers that are safe.",
            "Let the server take TLS 1.2 or 1.3 with a cipher of today.",
        ),
    ),
];

pub(super) const NO_HTTP: Explanation = Explanation::of(
    "The connection broke before there was an answer, so whether the event was taken is not known.",
    "Look at the server's log: it may have crashed, restarted, or closed the connection on its own.",
);

pub(super) const HEAD_TOO_LARGE: Explanation = Explanation::of(
    "The endpoint's answer has more headers than we take.",
    "Send fewer or shorter headers; cookies are the usual reason, and mean nothing here.",
);

pub(super) const NOT_HTTP: Explanation = Explanation::of(
    "What answered at the URL does not speak HTTP/1.1.",
    "Look whether the URL's port is that of the web server.",
);

pub(super) const SWITCHED_PROTOCOLS: Explanation = Explanation::of(
    "The endpoint answered as if a WebSocket had been asked for.",
    "Give the endpoint a URL that takes a plain POST.",
);

pub(super) const TOO_MANY_INTERIM: Explanation = Explanation::of(
    "The endpoint kept sending 1xx responses and never a final one.",
    "Look at the proxy before the server: it must send a final status.",
);

pub(super) const NO_HOST: Explanation = Explanation::of(
    "The endpoint's URL names no host, so nothing was sent.",
    "Give the endpoint a whole URL, like https://example.com/hooks.",
);
