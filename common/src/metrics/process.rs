//! What dispatcher and console have in common.

use super::declaration::Kind::{Counter, Gauge};
use super::declaration::declare;

declare! {
    BROKER_UP = Gauge, "hookline.broker.up", "", [],
        "1 while the connection on which this process publishes stands, else 0";
    BROKER_BLOCKED = Gauge, "hookline.broker.blocked", "", [],
        "1 while the broker takes nothing that is published, because it is short of memory or disk, else 0";
    LOG_LINES_DROPPED = Counter, "hookline.log.lines_dropped", "{line}", [],
        "Log lines dropped because nobody read stderr in time: logging never holds up deliveries";
    SPANS_LOST = Counter, "hookline.spans.lost", "{span}", [],
        "Spans that no collector took: nor does tracing hold them up";
}
