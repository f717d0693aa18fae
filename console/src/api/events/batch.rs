//! Many events in one request: each is published by itself, some of them at once, and has its line in the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hookline_common::ids::CompanyId;
use hookline_common::trace_context::TraceContext;
use hookline_store::Actor;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout_at};

use super::lines::{Lines, MAX_EVENTS, MAX_LINES_BYTES};
use super::one::{self, AcceptedEvent};
use crate::app::App;
use crate::auth::Tenant;
use crate::problem::Problem;
use crate::publishing::{NotStored, PUBLISH_WITHIN};

/// Events that wait for the broker's answer at once, enough to keep it busy; fewer where there is no room.
const AT_ONCE: usize = 64;
/// How long the request may take before what is left of it is answered without being tried: well below what a request may
/// take in all, after which nobody would learn what became of any.
const ANSWERED_WITHIN: Duration = Duration::from_secs(45);

/// Who publishes, and how far it has come.
#[derive(Clone)]
struct Batch {
    app: App,
    company: CompanyId,
    /// The token's id, where it has a rate.
    token: Option<String>,
    trace: TraceContext,
    deadline: Instant,
    /// Whether one could not be published: the rest is not tried then, as each would take as long.
    has_failed: Arc<AtomicBool>,
}

/// A line, or why it is none, and the room that it takes.
type Read = (Result<Bytes, Problem>, Option<OwnedSemaphorePermit>);

/// Publishes the events of the body, and returns a result a line.
pub(super) async fn publish(
    app: App,
    tenant: Tenant,
    trace: TraceContext,
    request: Request,
) -> Result<Vec<u8>, Problem> {
    // What says itself that it is too long need not be sent at all.
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|text| text.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_LINES_BYTES) {
        return Err(Problem::too_large(MAX_LINES_BYTES));
    }
    let batch = Batch {
        app,
        company: tenant.company,
        token: match tenant.actor {
            Actor::Token(id) => Some(id),
            Actor::Admin | Actor::Hookline | Actor::Portal(_) => None,
        },
        trace,
        deadline: Instant::now() + ANSWERED_WITHIN,
        has_failed: Arc::default(),
    };
    let lines = Lines::new(request.into_body(), batch.deadline);
    let reading = batch.clone();
    let results = stream::unfold((lines, 0_usize), move |(lines, count)| {
        reading.clone().read(lines, count)
    })
    .map(move |(line, room)| batch.clone().result(line, room))
    .buffered(AT_ONCE)
    .collect::<Vec<_>>()
    .await;
    if results.is_empty() {
        return Err(Problem::invalid("there is no event in the body; send one a line"));
    }
    Ok(results.concat())
}

impl Batch {
    /// The next line, with room for it, and what is behind it.
    async fn read(self, mut lines: Lines, count: usize) -> Option<(Read, (Lines, usize))> {
        let mut line = lines.next().await?;
        if count == MAX_EVENTS {
            lines.skip_rest().await;
            line = Err(too_many());
        }
        // The first was counted with the request.
        if line.is_ok()
            && count > 0
            && let Err(problem) = self.has_turn().await
        {
            line = Err(problem);
        }
        let room = match &line {
            Ok(line) => {
                let room = self.app.publishing().room(line.len());
                timeout_at(self.deadline, room).await.ok().flatten()
            }
            Err(_) => None,
        };
        Some(((line, room), (lines, count + 1)))
    }

    /// Returns when the token's rate allows another event: who sends many in one request sends no more than who sends each in
    /// its own. Nothing more is read meanwhile.
    async fn has_turn(&self) -> Result<(), Problem> {
        let Some(token) = &self.token else { return Ok(()) };
        while let Err(wait) = self.app.rates().token(token) {
            if Instant::now() + wait >= self.deadline {
                return Err(Problem::too_many(wait));
            }
            sleep(wait).await;
        }
        Ok(())
    }

    /// What became of a line, as a line. Its room is free then.
    async fn result(self, line: Result<Bytes, Problem>, _room: Option<OwnedSemaphorePermit>) -> Vec<u8> {
        match self.published(line).await {
            Ok(accepted) => as_line(&accepted),
            Err(problem) => as_line(&problem.body()),
        }
    }

    async fn published(self, line: Result<Bytes, Problem>) -> Result<AcceptedEvent, Problem> {
        let line = line?;
        if self.has_failed.load(Ordering::Relaxed) || Instant::now() >= self.deadline {
            return Err(untried());
        }
        let deadline = self.deadline.min(Instant::now() + PUBLISH_WITHIN);
        let published = one::publish(&self.app, &self.company, &self.trace, &line, deadline).await;
        if let Err(problem) = &published
            && problem.status() == StatusCode::SERVICE_UNAVAILABLE
        {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        published
    }
}

fn as_line(result: &impl Serialize) -> Vec<u8> {
    // Texts and numbers can always be written.
    let mut line = serde_json::to_vec(result).unwrap_or_default();
    line.push(b'\n');
    line
}

fn too_many() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_many_events",
        "Too many events",
        format!(
            "the first {MAX_EVENTS} lines are answered above; send this one and what follows in another request"
        ),
    )
}

fn untried() -> Problem {
    NotStored {
        maybe_stored: false,
        is_of_the_message: false,
        why: "it was not tried, as the broker had not taken another one of the same request in time"
            .to_owned(),
    }
    .into()
}
