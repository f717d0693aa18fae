//! Names of the headers that are ours.

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

pub(super) const OF_EVENTS: [&str; 4] = [COMPANY, CREATED_AT, TRACEPARENT, TRACESTATE];

pub(super) const OURS: [&str; 18] = [
    COMPANY,
    CREATED_AT,
    TRACEPARENT,
    TRACESTATE,
    ENDPOINT,
    ATTEMPT,
    ORIGIN,
    PARKED,
    UNKNOWN_SINCE,
    RETRIED_AT,
    CRASHES,
    FAILED_AT,
    LAST_OUTCOME,
    LAST_STATUS,
    REASON,
    REJECTED_REASON,
    REJECTED_DETAIL,
    REJECTED_AT,
];
