//! Into the table, within the caller's transaction.

use std::borrow::Cow;

use hookline_common::event::Event;
use hookline_common::trace_context::TraceContext;
use sqlx::PgConnection;

use super::error::OutboxError;

const ENQUEUE: &str = "\
    INSERT INTO hookline_outbox (company, event_id, type, created_at, data, traceparent, tracestate) \
    VALUES ($1, $2, $3, $4::text::timestamptz, $5, $6, $7)";

// In the order of the arrays, which the sequence follows.
const ENQUEUE_ALL: &str = "\
    INSERT INTO hookline_outbox (company, event_id, type, created_at, data, traceparent, tracestate) \
    SELECT e.company, e.id, e.type, e.created_at::timestamptz, e.data, e.traceparent, e.tracestate \
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY \
        AS e(company, id, type, created_at, data, traceparent, tracestate, number) \
    ORDER BY e.number";

/// Puts an event into the outbox, as a part of the transaction that `connection` is in: it is published if and only if that
/// commits. A `&mut Transaction<'_, Postgres>` can be given as it is. A connection that is in no transaction is taken as well, and
/// then this commits by itself: the event is published even where the change that it tells of fails.
///
/// Do it last, after the change that the event tells of: then events about the same thing come in the order of the changes.
/// An event without a trace gets that of the caller's OpenTelemetry span, if there is one.
///
/// # Errors
/// [`OutboxError`]; the transaction has failed then, and can only be rolled back.
pub async fn enqueue(connection: &mut PgConnection, event: &Event) -> Result<(), OutboxError> {
    let trace = trace_of(event);
    sqlx::query(ENQUEUE)
        .bind(event.company.as_str())
        .bind(event.id.as_str())
        .bind(event.event_type.as_str())
        .bind(event.created_at.to_millis_text())
        .bind(event.data.as_str())
        .bind(trace.traceparent())
        .bind(trace.tracestate())
        .execute(connection)
        .await?;
    Ok(())
}

/// As [`enqueue`] for several events, in their order, by one statement.
///
/// # Errors
/// As [`enqueue`]; none of them is enqueued then.
pub async fn enqueue_all(connection: &mut PgConnection, events: &[Event]) -> Result<(), OutboxError> {
    if events.is_empty() {
        return Ok(());
    }
    let traces: Vec<Cow<'_, TraceContext>> = events.iter().map(trace_of).collect();
    let texts = |text: fn(&Event) -> &str| events.iter().map(text).collect::<Vec<&str>>();
    let times = events.iter().map(|event| event.created_at.to_millis_text());
    sqlx::query(ENQUEUE_ALL)
        .bind(texts(|event| event.company.as_str()))
        .bind(texts(|event| event.id.as_str()))
        .bind(texts(|event| event.event_type.as_str()))
        .bind(times.collect::<Vec<String>>())
        .bind(texts(|event| event.data.as_str()))
        .bind(traces.iter().map(|trace| trace.traceparent()).collect::<Vec<_>>())
        .bind(traces.iter().map(|trace| trace.tracestate()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// The event's own trace, or else that which the caller is in.
fn trace_of(event: &Event) -> Cow<'_, TraceContext> {
    if event.trace.is_empty() {
        Cow::Owned(TraceContext::current())
    } else {
        Cow::Borrowed(&event.trace)
    }
}
