//! A request as people read it: what came, from which event, and whether its signatures hold. Pure.

use axum::http::{HeaderMap, Method, Uri};
use hookline_common::secret::Secret;
use hookline_common::signature::{VerifyError, verify_meeva, verify_standard};
use jiff::Timestamp;
use serde::Deserialize;

use crate::out::{Colour, Terminal};
use crate::text::{Bounds, escape, fit, indent};

/// Characters of a header or a path that are printed: longer than any that Hookline sends.
const MAX_VALUE: usize = 120;
/// Characters of a body's line that are printed unless `--full` is given: three lines of an ordinary terminal.
const MAX_LINE: usize = 240;

/// Characters of a header that are printed where all are asked for.
const MAX_HEADER: usize = 4000;

/// How much of a request is printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// All headers, and not those alone that Hookline's receivers need.
    pub(super) headers: bool,
    /// Lines of the body.
    pub(super) max_lines: usize,
}

/// A request that was read to its end.
pub(super) struct Received<'a> {
    pub(super) at: Timestamp,
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// Where the four formats name the event's type.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    plain: Option<String>,
    event: Option<String>,
    #[serde(rename = "webhookType")]
    webhook_type: Option<String>,
}

/// The whole report of one request, over several lines.
pub(super) fn text(received: &Received<'_>, secrets: &[Secret], shown: Shown, terminal: Terminal) -> String {
    let Received {
        at,
        method,
        uri,
        body,
        ..
    } = received;
    let dash = || "–".to_owned();
    let id = received.header("webhook-id").unwrap_or_else(dash);
    let attempt = received.header("webhook-attempt").unwrap_or_else(dash);
    let event_type = event_type(body).unwrap_or_else(dash);
    let head = format!("{method} {}  {event_type}  {id}", path(uri));
    let mut lines = vec![
        format!("{at:.3}  {}", terminal.paint(Colour::Bold, &head)),
        format!("  attempt {attempt}, {} bytes, {}", body.len(), received.agent()),
        format!("  Meeva-Signature    {}", received.meeva(secrets).paint(terminal)),
        format!(
            "  webhook-signature  {}",
            received.standard(secrets).paint(terminal)
        ),
    ];
    if shown.headers {
        lines.extend(received.header_lines(terminal));
    }
    lines.extend(
        body_lines(body, shown.max_lines)
            .into_iter()
            .map(|line| format!("  {line}")),
    );
    lines.join("\n")
}

/// What came of passing a request on.
pub(super) fn forwarded(name: &str, came_of_it: &Result<String, String>, terminal: Terminal) -> String {
    match came_of_it {
        Ok(answer) => format!(
            "  {name}  {}: {answer}",
            terminal.paint(Colour::Good, "forwarded")
        ),
        Err(why) => format!(
            "  {name}  {}: {why}",
            terminal.paint(Colour::Bad, "NOT FORWARDED")
        ),
    }
}

/// The path that was asked for, harmless and not too long.
pub(super) fn path(uri: &Uri) -> String {
    escape(&fit(uri.path(), MAX_VALUE))
}

/// Whether one signature holds.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Valid,
    Invalid(VerifyError),
    Absent,
    /// No secret was given to check it with.
    Unchecked,
}

impl Verdict {
    fn of(secrets: &[Secret], is_there: bool, verify: impl FnOnce() -> Result<(), VerifyError>) -> Self {
        match (is_there, secrets) {
            (false, _) => Self::Absent,
            (true, []) => Self::Unchecked,
            (true, _) => verify().map_or_else(Self::Invalid, |()| Self::Valid),
        }
    }

    fn paint(&self, terminal: Terminal) -> String {
        match self {
            Self::Valid => terminal.paint(Colour::Good, "valid"),
            Self::Invalid(why) => format!("{}: {why}", terminal.paint(Colour::Bad, "INVALID")),
            Self::Absent => terminal.paint(Colour::Faint, "absent"),
            Self::Unchecked => terminal.paint(Colour::Faint, "not checked: give --secret"),
        }
    }
}

impl Received<'_> {
    /// A header as text; strangers may put any bytes there.
    fn raw(&self, name: &str) -> Option<String> {
        self.headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    fn header(&self, name: &str) -> Option<String> {
        self.raw(name).map(|value| escape(&fit(&value, MAX_VALUE)))
    }

    /// What tells it from others that are printed beside it: the event's id, or the path.
    pub(super) fn name(&self) -> String {
        self.header("webhook-id").unwrap_or_else(|| path(self.uri))
    }

    /// All headers in their order, a line each.
    fn header_lines(&self, terminal: Terminal) -> impl Iterator<Item = String> {
        self.headers.iter().map(move |(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            let name = terminal.paint(Colour::Faint, &format!("{name}:"));
            format!("  {name} {}", escape(&fit(&value, MAX_HEADER)))
        })
    }

    fn agent(&self) -> String {
        self.header("user-agent")
            .unwrap_or_else(|| "no user-agent".to_owned())
    }

    fn meeva(&self, secrets: &[Secret]) -> Verdict {
        let header = self.raw("meeva-signature");
        let value = header.as_deref().unwrap_or_default();
        Verdict::of(secrets, header.is_some(), || {
            verify_meeva(secrets, value, self.body)
        })
    }

    fn standard(&self, secrets: &[Secret]) -> Verdict {
        let [id, timestamp, signature] =
            ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| self.raw(name));
        let is_there = signature.is_some();
        let [id, timestamp, signature] = [id, timestamp, signature].map(Option::unwrap_or_default);
        let now = self.at.as_second();
        Verdict::of(secrets, is_there, || {
            verify_standard(secrets, &id, &timestamp, &signature, self.body, now)
        })
    }
}

fn event_type(body: &[u8]) -> Option<String> {
    let envelope: Envelope = serde_json::from_slice(body).ok()?;
    let name = envelope.plain.or(envelope.event).or(envelope.webhook_type)?;
    Some(escape(&fit(&name, MAX_VALUE)))
}

fn body_lines(body: &[u8], max_lines: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    let width = if max_lines == usize::MAX {
        usize::MAX
    } else {
        MAX_LINE
    };
    match &*text {
        "" => Vec::new(),
        json if is_json => indent(
            json,
            Bounds {
                width,
                ..Bounds::lines(max_lines)
            },
        ),
        text => {
            let lines = text.lines().take(max_lines);
            let mut lines: Vec<String> = lines.map(|line| fit(&escape(line), width)).collect();
            if text.lines().nth(max_lines).is_some() {
                lines.push("…".to_owned());
            }
            lines
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::http::HeaderValue;
    use hookline_common::ids::EventId;
    use hookline_common::signature::SigningKeys;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &str =
        r#"{"id":"evt_1","type":"booking.created","createdAt":"2030-01-01T00:00:00Z","data":{"a":1}}"#;
    const PLAIN: Terminal = Terminal {
        width: None,
        has_colour: false,
    };

    fn report(headers: &HeaderMap, body: &[u8], secrets: &[Secret], now: i64) -> String {
        let (method, uri) = (Method::POST, Uri::from_static("/hooks"));
        let at = Timestamp::from_second(now).unwrap();
        text(
            &Received {
                at,
                method: &method,
                uri: &uri,
                headers,
                body,
            },
            secrets,
            Shown {
                headers: true,
                max_lines: 40,
            },
            PLAIN,
        )
    }

    fn signed() -> (HeaderMap, Vec<Secret>) {
        let secret = Secret::parse(SECRET).unwrap();
        let keys = SigningKeys::new(&secret, None);
        let id = EventId::parse("evt_1").unwrap();
        let mut headers = HeaderMap::new();
        let mut set = |name, value: &str| headers.insert(name, HeaderValue::from_str(value).unwrap());
        set("webhook-id", "evt_1");
        set("webhook-timestamp", "1700000000");
        set("webhook-attempt", "2");
        set(
            "webhook-signature",
            &keys.standard(&id, 1_700_000_000, BODY.as_bytes()).unwrap(),
        );
        set("meeva-signature", &keys.meeva(BODY.as_bytes()));
        (headers, vec![secret])
    }

    #[test]
    fn a_signed_request_is_told_in_full() {
        let (headers, secrets) = signed();
        let text = report(&headers, BODY.as_bytes(), &secrets, 1_700_000_000);
        for part in [
            "POST /hooks  booking.created  evt_1",
            "attempt 2, 89 bytes",
            "Meeva-Signature    valid",
            "webhook-signature  valid",
            "    \"data\": {",
            "  webhook-attempt: 2",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn each_scheme_has_a_verdict_of_its_own() {
        let (mut headers, secrets) = signed();
        let late = report(&headers, BODY.as_bytes(), &secrets, 1_700_000_301);
        assert!(
            late.contains("webhook-signature  INVALID: the timestamp is 301 s old"),
            "{late}"
        );
        assert!(late.contains("Meeva-Signature    valid"), "{late}");
        headers.remove("meeva-signature");
        let other = report(&headers, b"{}", &secrets, 1_700_000_000);
        assert!(
            other.contains("Meeva-Signature    absent") && other.contains("webhook-signature  INVALID"),
            "{other}"
        );
        let unchecked = report(&headers, b"{}", &[], 1_700_000_000);
        assert!(
            unchecked.contains("webhook-signature  not checked: give --secret"),
            "{unchecked}"
        );
    }

    #[test]
    fn no_stranger_moves_the_cursor() {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", HeaderValue::from_bytes(b"\x9b31m\xffx").unwrap());
        headers.insert(
            "user-agent",
            HeaderValue::from_bytes("a\u{9b}b".as_bytes()).unwrap(),
        );
        for body in [
            &b"{\"type\":\"\\u001b[2J\"}"[..],
            b"\x1b[2J\r\nx",
            "\u{202e}".as_bytes(),
            b"\xff\x00",
        ] {
            let text = report(&headers, body, &[], 0);
            assert!(
                !text.contains(['\x1b', '\r', '\u{9b}', '\u{202e}', '\0']),
                "{text:?}"
            );
        }
    }

    #[test]
    fn long_bodies_are_cut() {
        let text = report(&HeaderMap::new(), "x\n".repeat(1000).as_bytes(), &[], 0);
        assert!(text.lines().count() < 50 && text.ends_with('…'), "{text}");
        let text = report(&HeaderMap::new(), "x".repeat(100_000).as_bytes(), &[], 0);
        assert!(text.len() < 1000);
    }
}
