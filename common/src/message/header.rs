//! Names of the headers that are ours, and of those that are the broker's.

pub(super) const COMPANY: &str = "company";
pub(super) const CREATED_AT: &str = "created-at";
pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";
pub(super) const ENDPOINT: &str = "endpoint";
pub(super) const ATTEMPT: &str = "attempt";
pub(super) const ORIGIN: &str = "origin";
pub(super) const PARKED: &str = "parked";
pub(super) const UNKNOWN_SINCE: &str = "unknown-since";
pub(super) const RETRIED_AT: &str = "retried-at";
pub(super) const CRASHES: &str = "crashes";
pub(super) const FAILED_AT: &str = "failed-at";
pub(super) const LAST_OUTCOME: &str = "last-outcome";
pub(super) const LAST_STATUS: &str = "last-status";
pub(super) const REASON: &str = "reason";
pub(super) const REJECTED_REASON: &str = "rejected-reason";
pub(super) const REJECTED_DETAIL: &str = "rejected-detail";
pub(super) const REJECTED_AT: &str = "rejected-at";

/// What the sender of a rejected message set where no message of ours may carry it.
pub(super) const SENT_EXCHANGE: &str = "sent-exchange";
pub(super) const SENT_ROUTING_KEY: &str = "sent-routing-key";
pub(super) const SENT_USER_ID: &str = "sent-user-id";
pub(super) const SENT_REPLY_TO: &str = "sent-reply-to";
pub(super) const SENT_EXPIRATION: &str = "sent-expiration";
pub(super) const SENT_DELIVERY_MODE: &str = "sent-delivery-mode";

/// Headers that the broker acts on, and the names under which a rejected message keeps them: it routes copies by `CC` and
/// `BCC`, and takes what it wrote about an earlier death for its own.
const RENAMED: [(&str, &str); 9] = [
    ("CC", "sent-CC"),
    ("BCC", "sent-BCC"),
    ("x-death", "sent-x-death"),
    ("x-first-death-exchange", "sent-x-first-death-exchange"),
    ("x-first-death-queue", "sent-x-first-death-queue"),
    ("x-first-death-reason", "sent-x-first-death-reason"),
    ("x-last-death-exchange", "sent-x-last-death-exchange"),
    ("x-last-death-queue", "sent-x-last-death-queue"),
    ("x-last-death-reason", "sent-x-last-death-reason"),
];

/// Whether an event may have the header when it is published.
pub(super) fn is_of_events(name: &str) -> bool {
    matches!(name, COMPANY | CREATED_AT | TRACEPARENT | TRACESTATE)
}

/// Whether the header has a meaning here.
pub(super) fn is_ours(name: &str) -> bool {
    is_of_events(name) || is_of_deliveries(name) || is_of_sender(name)
}

/// Whether only deliveries, dead letters and rejected messages have the header.
fn is_of_deliveries(name: &str) -> bool {
    matches!(
        name,
        ENDPOINT
            | ATTEMPT
            | ORIGIN
            | PARKED
            | UNKNOWN_SINCE
            | RETRIED_AT
            | CRASHES
            | FAILED_AT
            | LAST_OUTCOME
            | LAST_STATUS
            | REASON
            | REJECTED_REASON
            | REJECTED_DETAIL
            | REJECTED_AT
    )
}

/// Whether the header keeps what a sender set elsewhere.
pub(super) fn is_of_sender(name: &str) -> bool {
    // Nearly no header begins like this, so that the list need not be looked through.
    name.starts_with("sent-")
        && (matches!(
            name,
            SENT_EXCHANGE
                | SENT_ROUTING_KEY
                | SENT_USER_ID
                | SENT_REPLY_TO
                | SENT_EXPIRATION
                | SENT_DELIVERY_MODE
        ) || RENAMED.iter().any(|(_, kept)| *kept == name))
}

/// Whether the broker counts deliveries in it.
pub(super) fn is_count_of_broker(name: &str) -> bool {
    matches!(name, "x-delivery-count" | "x-acquired-count")
}

/// The name under which a rejected message keeps the header: its own, unless the broker acts on that.
pub(super) fn kept_as(name: &str) -> &str {
    let renamed = RENAMED.iter().find(|(acted_on, _)| *acted_on == name);
    renamed.map_or(name, |(_, kept)| kept)
}
