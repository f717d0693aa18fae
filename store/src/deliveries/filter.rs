//! Which deliveries a list holds, as conditions of its query.

use hookline_common::ids::{EndpointId, EventId, EventType};
use hookline_common::outcome::Outcome;
use jiff::Timestamp;
use sqlx::{Postgres, QueryBuilder};

use super::model::DeliveryStatus;
use crate::moment::Moment;

/// Which deliveries are wanted: those that are as everything says that is given.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// To this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// That have come so far.
    pub status: Option<DeliveryStatus>,
    /// Whose last attempt ended like this.
    pub outcome: Option<Outcome>,
    /// Of this event.
    pub event: Option<EventId>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
}

impl DeliveryFilter {
    /// Whether nothing can be like that: what is delivered ended so at its last attempt, and nothing else did.
    fn is_contradiction(&self) -> bool {
        let outcome = self.outcome.map(|outcome| outcome == Outcome::Delivered);
        let status = self.status.map(|status| status == DeliveryStatus::Delivered);
        matches!((outcome, status), (Some(by_outcome), Some(by_status)) if by_outcome != by_status)
    }

    /// Adds them as conditions.
    pub(super) fn push_to(&self, query: &mut QueryBuilder<Postgres>) {
        if let Some(event) = &self.event {
            query.push(" AND event = ").push_bind(event.as_str().to_owned());
        }
        if let Some(endpoint) = &self.endpoint {
            query
                .push(" AND endpoint = ")
                .push_bind(endpoint.as_str().to_owned());
        }
        if let Some(event_type) = &self.event_type {
            query
                .push(" AND type = ")
                .push_bind(event_type.as_str().to_owned());
        }
        if let Some(status) = self.status {
            // Written out, so that the planner sees which of the partial indexes hold it.
            query.push(match status {
                DeliveryStatus::Delivered => " AND status = 'delivered'",
                DeliveryStatus::Retrying => " AND status = 'retrying'",
                DeliveryStatus::Failed => " AND status = 'failed'",
                DeliveryStatus::Discarded => " AND status = 'discarded'",
            });
        }
        if let Some(outcome) = self.outcome {
            // Written out for the same reason; the names are ours.
            query.push(format!(" AND last_outcome = '{outcome}'"));
        }
        if self.is_contradiction() {
            // Nothing is looked for, of which there may be very much before it is known that there is none.
            query.push(" AND false");
        }
        if let Some(since) = self.since {
            query.push(" AND created_at >= ").push_bind(Moment(since));
        }
        if let Some(until) = self.until {
            query.push(" AND created_at < ").push_bind(Moment(until));
        }
    }
}
