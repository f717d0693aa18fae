//! What a dispatcher counts, in the order of an event's way.

use super::declaration::Kind::{Counter, Gauge, Histogram};
use super::declaration::{Label, declare};

/// Upper bounds for an attempt's duration, in seconds: from what a receiver in the same house takes to the longest that an
/// attempt may.
const ATTEMPT_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Upper bounds for what may wait, in seconds: fine where promises are about it, and up to an hour and a half, in which the
/// default schedule has ended.
const WAIT_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 5400.0,
];

const QUEUE: Label = Label {
    name: "queue",
    values: "`events`, `deliveries`, `due`, `quarantine`",
};

const OUTCOME: Label = Label {
    name: "outcome",
    values: "`delivered`, `http_status`, `timeout`, `dns_error`, `connect_error`, `tls_error`, `protocol_error`, `blocked`, `discarded`",
};

const LOAD_OUTCOME: Label = Label {
    name: "outcome",
    values: "`loaded`, `failed`",
};

const FAILED_REASON: Label = Label {
    name: "reason",
    values: "`retries_exhausted`, `endpoint_disabled`",
};

const REJECTED_REASON: Label = Label {
    name: "reason",
    values: "the message's `rejected-reason`, 21 of them",
};

const STATE: Label = Label {
    name: "state",
    values: "`proven` (answers, and quickly), `limited` (new, or slow), `silent` (does not answer)",
};

const SHORT_OF: Label = Label {
    name: "of",
    values: "`descriptors`, `connections`, `system_descriptors`, `buffers`, `ports`, `memory`, `watches`; what cannot be got past: `proxy`, `proxy_credentials`",
};

declare! {
    MESSAGES_RECEIVED = Counter, "hookline.messages.received", "{message}", [QUEUE],
        "Messages taken from the working queues";
    QUEUE_CONSUMING = Gauge, "hookline.queue.consuming", "", [QUEUE],
        "1 while the queue is consumed, else 0; the quarantine begins some seconds after the others";
    EVENT_QUEUE_TIME = Histogram(WAIT_BOUNDS), "hookline.event.queue_time", "s", [],
        "How long after it happened an event was taken from the queue of events, by its own time; one that was replayed counts from when it first happened";
    EVENTS_UNMATCHED = Counter, "hookline.events.unmatched", "{event}", [],
        "Events that no endpoint wants";
    MESSAGES_IN_HAND = Gauge, "hookline.messages.in_hand", "{message}", [QUEUE],
        "Messages that were taken and are not acknowledged";
    IN_HAND_BYTES = Gauge, "hookline.in_hand", "By", [QUEUE],
        "What these take";
    OLDEST_UNSETTLED = Gauge, "hookline.oldest_unsettled", "s", [QUEUE],
        "For how long the oldest message that is not settled has been in hand: rises where something is stuck";
    DELIVERIES_WAITING = Gauge, "hookline.deliveries.waiting", "{delivery}", [],
        "Deliveries in hand that wait for their endpoint's turn";
    DELIVERIES_PARKED = Counter, "hookline.deliveries.parked", "{delivery}", [],
        "Deliveries and events set aside on the broker for some seconds, without an attempt spent";
    ENDPOINTS_ACTIVE = Gauge, "hookline.endpoints.active", "{endpoint}", [STATE],
        "Endpoints that have anything in hand, or had within the last five seconds, or are held, by how they answer";
    ENDPOINTS_HELD = Gauge, "hookline.endpoints.held", "{endpoint}", [],
        "Of these, endpoints that asked for time (429, 503 and their like) and get nothing until it is over";
    ENDPOINTS_SLOTS = Gauge, "hookline.endpoints.slots", "{request}", [],
        "Requests that may be in flight to these endpoints at once: each one's limit follows what it bears";
    ATTEMPTS_IN_FLIGHT = Gauge, "hookline.attempts.in_flight", "{attempt}", [],
        "Attempts under way";
    ATTEMPTS = Counter, "hookline.attempts", "{attempt}", [OUTCOME],
        "Attempts by how they ended; `discarded` had no endpoint any more";
    ATTEMPT_DURATION = Histogram(ATTEMPT_BOUNDS), "hookline.attempt.duration", "s", [],
        "How long attempts took, from name lookup to the end of the answer";
    TIME_TO_FIRST_ATTEMPT = Histogram(WAIT_BOUNDS), "hookline.delivery.time_to_first_attempt", "s", [],
        "How long after its event happened a delivery's first attempt began, by the event's own time; without test events and manual retries";
    DELIVERY_DURATION = Histogram(WAIT_BOUNDS), "hookline.delivery.duration", "s", [],
        "How long after its event happened a delivery was answered 2xx, retries included, by the event's own time; without test events and manual retries";
    RETRIES_SCHEDULED = Counter, "hookline.retries.scheduled", "{retry}", [],
        "Failed attempts that another one will follow";
    DELIVERIES_FAILED = Counter, "hookline.deliveries.failed", "{delivery}", [FAILED_REASON],
        "Deliveries that became dead letters";
    MESSAGES_REJECTED = Counter, "hookline.messages.rejected", "{message}", [REJECTED_REASON],
        "Messages that went to the rejected ones, as they cannot be understood or crash their consumer";
    MESSAGES_QUARANTINED = Counter, "hookline.messages.quarantined", "{message}", [],
        "Messages that came back too often and went to where they are handled one at a time";
    PUBLISH_CONFIRMED = Counter, "hookline.publish.confirmed", "{message}", [],
        "Messages that the broker has confirmed: retries, fan-outs, what is parked or failed, batches of records";
    PUBLISH_REFUSED = Counter, "hookline.publish.refused", "{message}", [],
        "Publishes that the broker refused, as a queue was full or had no quorum; each try counts";
    UNCONFIRMED = Gauge, "hookline.unconfirmed", "By", [],
        "What was published and not confirmed yet: high where the broker is slow";
    RECONNECTS = Counter, "hookline.reconnects", "{connection}", [],
        "Connections to the broker that were made after the first of each kind";
    RECORDS_WRITTEN = Counter, "hookline.records.written", "{record}", [],
        "Records of attempts that the broker has, in the stream or the spill";
    RECORDS_BATCHES = Counter, "hookline.records.batches", "{batch}", [],
        "Batches in which these were";
    RECORDS_SENT = Counter, "hookline.records.sent", "By", [],
        "What these batches took, compressed";
    RECORDS_BATCH_DURATION = Histogram(ATTEMPT_BOUNDS), "hookline.records.batch.duration", "s", [],
        "How long the broker took to confirm a batch";
    RECORDS_SPILLED = Counter, "hookline.records.spilled", "{record}", [],
        "Records that went to the spill, because the stream of attempts did not confirm";
    RECORDS_LOST = Counter, "hookline.records.lost", "{record}", [],
        "Records left out of the log: the broker takes them in no size, or the spill is full";
    STREAM_SILENT = Gauge, "hookline.attempts.stream_silent", "", [],
        "1 while the stream of attempts does not confirm, else 0";
    SHORTAGES = Counter, "hookline.shortages", "{request}", [SHORT_OF],
        "Requests that were not made because this process or machine had run out of something; no attempt is spent";
    REGISTRY_UP = Gauge, "hookline.registry.up", "", [],
        "1 while the registry's database answers and tells of changes, else 0; where endpoints come from it, as all of its metrics";
    REGISTRY_COMPANIES = Gauge, "hookline.registry.companies", "{company}", [],
        "Companies whose endpoints are in memory, those without endpoints included";
    REGISTRY_UNOPENED = Gauge, "hookline.registry.unopened", "{endpoint}", [],
        "Endpoints that cannot be sent to, because their secrets cannot be opened with the keys at hand";
    REGISTRY_LOADS = Counter, "hookline.registry.loads", "{query}", [LOAD_OUTCOME],
        "Queries for companies' endpoints; all that is known is loaded again once a minute";
    REGISTRY_AWAITED = Counter, "hookline.registry.awaited", "{message}", [],
        "Messages that waited for a query, as their company or endpoint was not in memory";
}
