//! One message of the failed or the rejected queue, as far as it can be read: no message is refused. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hookline_common::broker::Address;
use hookline_common::delivery::{DeadLetterCause, Delivery, PassThrough, Unrouted, Work};
use hookline_common::message::{
    Found, Message, Rejection, read_failed, read_rejection, read_work, write_work,
};
use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;
use hookline_common::topology::{Namespace, Queue};
use hookline_producer::Event;
use jiff::Timestamp;
use serde::Serialize;

use super::kind::Kind;
use super::sender;
use crate::text::json_line;

/// What could be read of a message. Ids and types are plain texts here, because invalid ones are shown too.
#[derive(Debug, Default)]
pub(crate) struct DeadLetter {
    pub(crate) event: Option<String>,
    pub(crate) company: Option<String>,
    pub(crate) event_type: Option<String>,
    pub(crate) endpoint: Option<String>,
    /// When it failed or was rejected.
    pub(crate) at: Option<Timestamp>,
    /// How it failed, if it is a dead letter that tells it.
    pub(crate) failure: Option<DeadLetterCause>,
    /// Why it was rejected: the stable name, and a sentence.
    pub(crate) rejected: Option<(String, String)>,
    /// Who sent it, where it was rejected.
    pub(crate) sender: Vec<(&'static str, String)>,
    pub(crate) bytes: usize,
    pub(crate) content: Content,
}

/// What the message asks for.
#[derive(Debug)]
pub(crate) enum Content {
    /// It can be read, and so be delivered again.
    Work(Box<Work>),
    /// It cannot, and this is why.
    Unreadable(Rejection),
}

impl Default for Content {
    fn default() -> Self {
        Self::Unreadable(Rejection::MessageId(Found::default()))
    }
}

impl DeadLetter {
    pub(crate) fn read(kind: Kind, message: &Message) -> Self {
        let header = |name| message.headers.text(name).ok().flatten().map(str::to_owned);
        let fields = Self {
            event: message.message_id.clone(),
            company: header("company"),
            event_type: message.message_type.clone(),
            endpoint: header("endpoint"),
            at: header("failed-at").and_then(|at| at.parse().ok()),
            bytes: message.body.len(),
            ..Self::default()
        };
        match kind {
            Kind::Failed => Self::failed(fields, message),
            Kind::Rejected => Self::rejected(fields, message),
        }
    }

    fn failed(fields: Self, message: &Message) -> Self {
        match read_failed(message) {
            Ok((delivery, failure)) => {
                let content = Content::Work(Box::new(Work::Deliver(delivery)));
                Self {
                    failure,
                    content,
                    ..fields
                }
            }
            Err(rejection) => Self {
                content: Content::Unreadable(rejection),
                ..fields
            },
        }
    }

    fn rejected(fields: Self, message: &Message) -> Self {
        let header = |name| message.headers.text(name).ok().flatten().map(str::to_owned);
        let (reason, at) = read_rejection(message);
        // Without a reason of ours it was the broker that gave the message up.
        let reason = reason
            .map(str::to_owned)
            .or_else(|| header("x-first-death-reason"));
        let reason = reason.unwrap_or_else(|| "unknown".to_owned());
        let detail = header("rejected-detail").unwrap_or_else(|| reason.replace('_', " "));
        let content = match read_work(message) {
            Ok(work) => Content::Work(Box::new(work)),
            Err(rejection) => Content::Unreadable(rejection),
        };
        Self {
            at,
            rejected: Some((reason, detail)),
            sender: sender::facts(message),
            content,
            ..fields
        }
    }

    /// The delivery that it is, if it is one.
    pub(crate) fn delivery(&self) -> Option<&Delivery> {
        match &self.content {
            Content::Work(work) => match &**work {
                Work::Deliver(delivery) => Some(delivery),
                Work::Route(_) => None,
            },
            Content::Unreadable(_) => None,
        }
    }

    /// The event that it tells of, if it can be read.
    pub(crate) fn readable_event(&self) -> Option<&Event> {
        match &self.content {
            Content::Work(work) => match &**work {
                Work::Deliver(delivery) => Some(&delivery.event),
                Work::Route(unrouted) => Some(&unrouted.event),
            },
            Content::Unreadable(_) => None,
        }
    }

    /// Why it is here, in few words.
    pub(crate) fn why(&self) -> String {
        match (&self.rejected, &self.failure, &self.content) {
            (Some((reason, _)), ..) => reason.clone(),
            (None, _, Content::Unreadable(rejection)) => format!("unreadable: {}", rejection.name()),
            (
                None,
                Some(DeadLetterCause {
                    last_outcome: Some(outcome),
                    last_status,
                    ..
                }),
                _,
            ) => match last_status {
                Some(status) if *outcome == Outcome::HttpStatus => format!("HTTP {status}"),
                _ => outcome.to_string(),
            },
            (None, Some(failure), _) => failure.reason.as_str().to_owned(),
            (None, None, _) => "unknown".to_owned(),
        }
    }

    /// The stable name of why it is here, and how its last attempt ended, where that is known besides.
    pub(crate) fn reason_and_last(&self) -> (String, Option<String>) {
        match &self.failure {
            Some(failure) if self.rejected.is_none() => {
                let last = failure.last_outcome.map(|_| self.why());
                (failure.reason.as_str().to_owned(), last)
            }
            _ => (self.why(), None),
        }
    }

    /// What it becomes when somebody wants it delivered again, and where that goes: a delivery to its
    /// endpoint from the first attempt on, or an event to be matched with endpoints. `None` if it cannot be
    /// read.
    pub(crate) fn again(
        self,
        namespace: &Namespace,
        now: Timestamp,
    ) -> Result<(Address, Message), Rejection> {
        let work = match self.content {
            Content::Work(work) => *work,
            Content::Unreadable(rejection) => return Err(rejection),
        };
        Ok(match work {
            Work::Deliver(delivery) => {
                let delivery = delivery.for_manual_retry(now);
                (
                    Address::queue(namespace, Queue::Deliveries),
                    write_work(&Work::Deliver(delivery)),
                )
            }
            Work::Route(Unrouted { event, pass_through }) => {
                let to = Address::events(namespace, event.event_type.as_str());
                let pass_through = PassThrough {
                    other: pass_through.other,
                    ..PassThrough::default()
                };
                (to, write_work(&Work::Route(Unrouted { event, pass_through })))
            }
        })
    }
}

/// A message as one JSON object. What is not known is left out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_detail: Option<&'a str>,
    /// Who sent it, where it was rejected.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sender: BTreeMap<&'static str, &'a str>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable_detail: Option<String>,
    bytes: usize,
    /// The data as a text that holds its exact bytes, as records have it: written as an object it could not be told which
    /// bytes were signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// The body where it is no data, with what is not UTF-8 replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<&'a AttemptRecord>>,
}

impl DeadLetter {
    /// The message as one line of JSON, with its body if there is one given.
    pub(crate) fn to_json(&self, body: Option<&[u8]>) -> String {
        json_line(&serde_json::to_string(&self.row(body)).unwrap_or_default())
    }

    /// The same with its body and the attempts that are known of it.
    pub(crate) fn to_json_with(&self, body: &[u8], attempts: Option<Vec<&AttemptRecord>>) -> String {
        let row = Row {
            attempts,
            ..self.row(Some(body))
        };
        json_line(&serde_json::to_string(&row).unwrap_or_default())
    }

    fn row(&self, body: Option<&[u8]>) -> Row<'_> {
        let time = |at: Timestamp| format!("{at:.3}");
        let (failed_at, rejected_at) = match &self.rejected {
            Some(_) => (None, self.at.map(time)),
            None => (self.at.map(time), None),
        };
        let (event, delivery, failure) = (self.readable_event(), self.delivery(), self.failure.as_ref());
        let unreadable = match &self.content {
            Content::Unreadable(rejection) => Some(rejection),
            Content::Work(_) => None,
        };
        let text = body.map(String::from_utf8_lossy);
        let (data, body) = match text.map(Cow::into_owned) {
            text if event.is_some() => (text, None),
            text => (None, text),
        };
        Row {
            event: self.event.as_deref(),
            endpoint: self.endpoint.as_deref(),
            company: self.company.as_deref(),
            event_type: self.event_type.as_deref(),
            created_at: event.map(|event| event.created_at.to_millis_text()),
            attempt: delivery.map(|delivery| delivery.attempt.get()),
            origin: delivery.map(|delivery| delivery.origin.as_str()),
            failed_at,
            reason: failure.map(|failure| failure.reason.as_str()),
            last_outcome: failure
                .and_then(|failure| failure.last_outcome)
                .map(Outcome::as_str),
            last_status: failure.and_then(|failure| failure.last_status),
            rejected_at,
            rejected_reason: self.rejected.as_ref().map(|(reason, _)| reason.as_str()),
            rejected_detail: self.rejected.as_ref().map(|(_, detail)| detail.as_str()),
            sender: self
                .sender
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect(),
            unreadable: unreadable.map(Rejection::name),
            unreadable_detail: unreadable.map(ToString::to_string),
            bytes: self.bytes,
            body,
            data,
            attempts: None,
        }
    }
}

#[cfg(test)]
mod tests;
