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
mod tests;
