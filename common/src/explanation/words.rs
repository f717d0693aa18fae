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

/// Parts of the dispatcher's texts, and what they mean. The first that is found counts.
pub(super) type Known = [(&'static str, Explanation)];

pub(super) const DELIVERED: Explanation = Explanation::of(
    "The endpoint took the event: it answered with a 2xx status.",
    "There is nothing to do.",
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

/// Where nothing was attempted, as the endpoint was disabled.
pub const ENDPOINT_DISABLED: Explanation = Explanation::of(
    "Nothing was sent: the endpoint is disabled.",
    "Enable the endpoint, and retry what has failed meanwhile.",
);

pub(super) const NO_ANSWER: Explanation = Explanation::of(
    "The endpoint took the connection, and did not answer in time.",
    "Answer 2xx as soon as the event is stored, and do the work afterwards; look what the handler waits for.",
);

pub(super) const TIMEOUTS: [(&str, Explanation); 2] = [
    (
        "no connection within",
        Explanation::of(
            "No connection was made in time: nothing came back from the endpoint's address.",
            "Look whether the server runs, and whether a firewall drops what comes from us instead of refusing it.",
        ),
    ),
    (
        "egress proxy",
        Explanation::of(
            "The connection through the sender's proxy was not made in time.",
            "Look whether the server can be reached from outside; if it can, ask the platform about its proxy.",
        ),
    ),
];

pub(super) const NO_CONNECTION: Explanation = Explanation::of(
    "No connection to the endpoint could be made.",
    "Look whether the server runs and can be reached from outside at the URL's name and port.",
);

pub(super) const CONNECT_ERRORS: [(&str, Explanation); 4] = [
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
    (
        "connection reset",
        Explanation::of(
            "The connection was cut off as it was made.",
            "Look at the firewall or load balancer before the server: it seems to turn us away.",
        ),
    ),
    (
        "egress proxy",
        Explanation::of(
            "The sender's proxy did not connect to the endpoint.",
            "Look whether the server can be reached from outside; if it can, ask the platform about its proxy.",
        ),
    ),
];

pub(super) const NO_TLS: Explanation = Explanation::of(
    "No secure connection could be made; nothing of the event was sent.",
    "Try the URL with `curl -v` from another network, and mend what it complains of.",
);

pub(super) const TLS_ERRORS: [(&str, Explanation); 8] = [
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
        "did not finish",
        Explanation::of(
            "The connection was made, and the TLS handshake hung.",
            "Look whether that port speaks TLS at all, and whether something between swallows large packets.",
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

pub(super) const PROTOCOL_ERRORS: [(&str, Explanation); 4] = [
    (
        "head is too large",
        Explanation::of(
            "The endpoint's answer has more headers than we take.",
            "Send fewer or shorter headers; cookies are the usual reason, and mean nothing here.",
        ),
    ),
    (
        "not HTTP/1.1",
        Explanation::of(
            "What answered at the URL does not speak HTTP/1.1.",
            "Look whether the URL's port is that of the web server.",
        ),
    ),
    (
        "101 Switching Protocols",
        Explanation::of(
            "The endpoint answered as if a WebSocket had been asked for.",
            "Give the endpoint a URL that takes a plain POST.",
        ),
    ),
    (
        "interim responses",
        Explanation::of(
            "The endpoint kept sending 1xx responses and never a final one.",
            "Look at the proxy before the server: it must send a final status.",
        ),
    ),
];

/// Statuses with a meaning of their own to whoever mends a receiver.
pub(super) const STATUSES: [(u16, Explanation); 12] = [
    (
        400,
        Explanation::of(
            "The endpoint found the request faulty (400).",
            "Look at the response: the handler may expect another format than the endpoint is set to.",
        ),
    ),
    (
        401,
        Explanation::of(
            "The endpoint wants to know who asks (401).",
            "Look whether the secret that it verifies with is the endpoint's own, and whether it verifies the raw body.",
        ),
    ),
    (
        403,
        Explanation::of(
            "The endpoint does not allow the request (403).",
            "Look at its firewall and its check of signatures: a wrong secret, or a bot filter that knows no webhooks.",
        ),
    ),
    (
        404,
        Explanation::of(
            "There is nothing at the URL's path (404).",
            "Mend the path in the endpoint's URL, or deploy the handler there.",
        ),
    ),
    (
        405,
        Explanation::of(
            "The URL's path takes no POST (405).",
            "Let the handler take POST, or mend the path: a slash at its end can make the difference.",
        ),
    ),
    (
        408,
        Explanation::of(
            "The endpoint's server gave up waiting for the request (408).",
            "Look at its load: it accepted the connection and did not read in time.",
        ),
    ),
    (
        410,
        Explanation::of(
            "The endpoint says that it is gone for good (410).",
            "Remove the endpoint, or give it the new URL.",
        ),
    ),
    (
        413,
        Explanation::of(
            "The event is larger than the endpoint takes (413).",
            "Let the server and what stands before it take bodies of 100 KiB.",
        ),
    ),
    (
        415,
        Explanation::of(
            "The endpoint takes no application/json (415).",
            "Let the handler read a JSON body.",
        ),
    ),
    (
        422,
        Explanation::of(
            "The endpoint understood the event, and refused what is in it (422).",
            "Look at the response, and let the handler ignore types and members that it does not know.",
        ),
    ),
    (
        429,
        Explanation::of(
            "The endpoint has too much to do and asked for fewer requests (429).",
            "Set a rate for the endpoint, or raise the limit of its server; what waits is sent slower meanwhile.",
        ),
    ),
    (
        503,
        Explanation::of(
            "The endpoint is not available for now (503).",
            "Look whether it is being deployed or overloaded; it is tried again by itself while retries are left.",
        ),
    ),
];
