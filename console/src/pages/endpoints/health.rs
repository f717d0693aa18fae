//! How an endpoint fares, at a glance: whether it answers, since when it does not, and its last day.

use std::collections::HashMap;

use hookline_common::ids::{CompanyId, EndpointId};
use hookline_store::{Counts, CountsAt, EndpointHealth, Registered, Standing, StoreError};
use jiff::Timestamp;
use maud::{Markup, html};

use crate::app::App;
use crate::pages::charts::{HOURS, Steps, spark};
use crate::pages::parts::badge;
use crate::pages::words::{count, grouped, time, visible};

/// What is known of how endpoints fare.
pub(in crate::pages) struct Glances {
    now: Timestamp,
    /// Since when hours are read.
    since: Timestamp,
    health: HashMap<EndpointId, EndpointHealth>,
    hours: HashMap<EndpointId, Vec<CountsAt>>,
}

impl Glances {
    /// What is known of these endpoints of a company.
    pub(in crate::pages) async fn read(
        app: &App,
        company: &CompanyId,
        endpoints: &[Registered],
    ) -> Result<Self, StoreError> {
        let now = Timestamp::now();
        let ids: Vec<EndpointId> = endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
        let since = Steps::begin(now, 3_600, HOURS);
        let (health, hours) = tokio::try_join!(
            app.store().health(company, &ids),
            app.store().hours_of_endpoints(company, &ids, since),
        )?;
        Ok(Self {
            now,
            since,
            health,
            hours,
        })
    }

    /// Whether it answers, and since when it does not.
    pub(in crate::pages) fn state(&self, endpoint: &Registered) -> Markup {
        let unknown = EndpointHealth::default();
        let health = self.health.get(&endpoint.id).unwrap_or(&unknown);
        let failures = health.consecutive_failures;
        match Standing::of(endpoint, health) {
            Standing::Disabled => html! {
                (badge("bad", "disabled"))
                @if let Some(reason) = &endpoint.disabled_reason { span.sub { (visible(&reason.replace('_', " "))) } }
            },
            Standing::Paused => badge("warn", "paused"),
            Standing::Untried => badge("idle", "nothing sent yet"),
            Standing::Failing => html! {
                (badge("bad", "fails"))
                span.sub {
                    (count(failures, "attempt")) " in a row"
                    @if let Some(since) = health.failing_since { ", the first " (time(since)) }
                }
            },
            Standing::Answering => html! {
                (badge("good", "answers"))
                @if failures > 0 { span.sub { "but not to the last " (count(failures, "attempt")) } }
            },
        }
    }

    /// When it last answered 2xx.
    pub(in crate::pages) fn last_success(&self, endpoint: &Registered) -> Markup {
        let at = self
            .health
            .get(&endpoint.id)
            .and_then(|health| health.last_success_at);
        html! { @match at { Some(at) => (time(at)), None => span.hint { "never" } } }
    }

    /// When an attempt last failed.
    pub(in crate::pages) fn last_failure(&self, endpoint: &Registered) -> Markup {
        let at = self
            .health
            .get(&endpoint.id)
            .and_then(|health| health.last_failure_at);
        html! { @match at { Some(at) => (time(at)), None => span.hint { "never" } } }
    }

    /// Its last 24 hours.
    pub(in crate::pages) fn day(&self, endpoint: &Registered) -> Markup {
        let nothing = match self.took_tests(endpoint) {
            true => "test events only",
            false => "no events",
        };
        spark(self.hours_of(endpoint), self.now, nothing)
    }

    /// The same, with its figures beside it.
    pub(in crate::pages) fn day_in_words(&self, endpoint: &Registered) -> Markup {
        let mut total = Counts::default();
        for hour in self.hours_of(endpoint) {
            total.add_all(&hour.counts);
        }
        let nothing = match self.took_tests(endpoint) {
            true => "no events (test events do not count)",
            false => "no events",
        };
        html! {
            (spark(self.hours_of(endpoint), self.now, nothing))
            @if total.attempts > 0 {
                " " (grouped(total.delivered)) " delivered, " (count(total.failed_attempts(), "attempt")) " failed"
            }
        }
    }

    /// Whether it answered 2xx meanwhile: where no event was counted, to test events.
    fn took_tests(&self, endpoint: &Registered) -> bool {
        let health = self.health.get(&endpoint.id);
        let at = health.and_then(|health| health.last_success_at);
        at.is_some_and(|at| at >= self.since)
    }

    fn hours_of(&self, endpoint: &Registered) -> &[CountsAt] {
        self.hours.get(&endpoint.id).map_or(&[], Vec::as_slice)
    }
}
