//! What a retry has of one endpoint, step by step: read, sent, noted.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hookline_common::delivery::Delivery;
use hookline_common::endpoint::Rate;
use hookline_common::ids::EventId;
use hookline_common::message::FiledDelivery;
use hookline_store::{NotedStep, RetryPart, RetryStep, StoreError};
use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use crate::app::App;
use crate::meters;
use crate::publishing::NotStored;

/// Steps of a second: what a crash repeats is a quarter of a second's worth.
const STEPS_A_SECOND: f64 = 4.0;
/// Dead letters of a step at most: 10 MB where each is as large as it may be.
const MAX_STEP: u32 = 100;
/// How long a part keeps its slot: then it goes to the end of its company's line, and has the slot again where nobody waits.
const TURN: Duration = Duration::from_secs(10);
/// Whoever goes on so soon keeps the slot: it would be looked for as late.
const BRIEFLY: Duration = Duration::from_secs(1);
/// Before a step that failed, or its note, is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Sends what the part has, to its end or for a turn.
pub(super) async fn send(app: &App, part: RetryPart) {
    let pace = Pace {
        rate: app.settings().manual_retry_rate,
        turn: Instant::now(),
    };
    let mut part = part;
    loop {
        match step_to_its_end(app, &part, pace).await {
            Ok(Stepped::On(next, until)) => {
                sleep_until(until).await;
                if pace.turn.elapsed() >= TURN {
                    return;
                }
                part = *next;
            }
            Ok(Stepped::Later) => return,
            Ok(Stepped::Done) => {
                info!(company = %part.company, endpoint = %part.endpoint, retry = part.retry, "a retry is done");
                return;
            }
            Err(StoreError::EndpointDisabled) => {
                info!(company = %part.company, endpoint = %part.endpoint, retry = part.retry,
                    "a retry waits until its endpoint is enabled");
                return;
            }
            Err(error) => {
                warn!(%error, company = %part.company, endpoint = %part.endpoint, retry = part.retry,
                    "a retry does not go on for now; trying again");
                // Somebody else may have gone on with it, and others may be luckier: it is looked for again.
                if app
                    .background_store()
                    .put_off_retry(&part, RETRY_AFTER)
                    .await
                    .is_err()
                {
                    sleep(RETRY_AFTER).await;
                }
                return;
            }
        }
    }
}

/// How a step ended.
enum Stepped {
    /// It goes on from there, and then.
    On(Box<RetryPart>, Instant),
    /// It goes on when it is looked for again.
    Later,
    Done,
}

/// How fast a part is sent, and since when it has its turn.
#[derive(Clone, Copy)]
struct Pace {
    rate: Rate,
    turn: Instant,
}

impl Pace {
    /// How long a part that waits until then is put off, so that others have its slot meanwhile; not at all where that is soon.
    fn put_off(&self, until: Instant) -> Option<Duration> {
        let pause = until.saturating_duration_since(Instant::now());
        let outlasts = self.turn.elapsed() + pause >= TURN;
        (outlasts && pause > BRIEFLY).then_some(pause)
    }
}

/// One step, which ends even where nobody waits for it any more.
async fn step_to_its_end(app: &App, part: &RetryPart, pace: Pace) -> Result<Stepped, StoreError> {
    let share = app.database_shares().of_retries(&part.company);
    let (own, part) = (app.clone(), part.clone());
    let stepping = share.hold(async move { step(&own, &part, &pace).await });
    app.sendings()
        .spawn(stepping)
        .await
        .unwrap_or_else(|error| Err(StoreError::Unavailable(format!("a step ended badly: {error}"))))
}

/// One step.
async fn step(app: &App, part: &RetryPart, pace: &Pace) -> Result<Stepped, StoreError> {
    let (store, began) = (app.background_store(), Instant::now());
    match store.can_be_sent_to(&part.company, &part.endpoint).await {
        Ok(()) => {}
        Err(StoreError::EndpointGone) => {
            store.end_retry_part(part).await?;
            return Ok(Stepped::Done);
        }
        Err(error) => return Err(error),
    }
    let Some(mut step) = store.retry_step(part, step_size(pace.rate)).await? else {
        return Ok(Stepped::Later);
    };
    let now = now();
    let Sent { events, fault } = send_all(app, &mut step, now).await;
    if fault.is_some() {
        step.begin_again(part);
    }
    let until = began + takes(pace.rate, events.len());
    let put_off = pace.put_off(until);
    let noted = note(app, part, &step, &events, now, put_off.unwrap_or_default()).await?;
    meters::retried(events.len());
    if let Some(fault) = fault {
        return Err(StoreError::Unavailable(format!("the broker: {}", fault.why)));
    }
    Ok(match (noted, put_off) {
        (NotedStep::Done, _) => Stepped::Done,
        (NotedStep::Elsewhere, _) | (NotedStep::On(_), Some(_)) => Stepped::Later,
        (NotedStep::On(next), None) => Stepped::On(next, until),
    })
}

/// Notes what was sent, as soon as the database takes it: read once more without that, it is sent twice.
async fn note(
    app: &App,
    part: &RetryPart,
    step: &RetryStep,
    sent: &[EventId],
    now: Timestamp,
    pause: Duration,
) -> Result<NotedStep, StoreError> {
    loop {
        let store = app.background_store();
        match store.finish_retry_step(part, step, sent, now, pause).await {
            Err(error) if error.is_retryable() => {
                warn!(%error, company = %part.company, endpoint = %part.endpoint, retry = part.retry, count = sent.len(),
                    "dead letters were sent again, and that cannot be noted yet; trying again");
                sleep(RETRY_AFTER).await;
            }
            noted => return noted,
        }
    }
}

/// What became of a step.
#[derive(Default)]
struct Sent {
    /// The broker has these.
    events: Vec<EventId>,
    /// Why others are still to be sent, where some are.
    fault: Option<NotStored>,
}

/// Sends the step, and returns when it is known of all of it whether the broker has it. A broker that is slow or away is waited
/// for: what is sent again for want of patience is sent twice.
async fn send_all(app: &App, step: &mut RetryStep, now: Timestamp) -> Sent {
    let filed = std::mem::take(&mut step.deliveries).into_iter();
    let deliveries: Vec<Delivery> = filed.filter_map(|filed| readable(filed, now)).collect();
    let sending = deliveries.iter().map(|delivery| async move {
        let stored = app.publishing().delivery(delivery, None).await;
        (&delivery.event.id, stored)
    });
    let mut sending: FuturesUnordered<_> = sending.collect();
    let mut sent = Sent::default();
    while let Some((event, stored)) = sending.next().await {
        match stored {
            Ok(()) => sent.events.push(event.clone()),
            Err(fault) if fault.is_of_the_message => {
                warn!(%event, why = fault.why, "a dead letter cannot be sent again, and stays");
            }
            Err(fault) => sent.fault = Some(fault),
        }
    }
    sent
}

/// A dead letter that is damaged stays one, and stops no other.
fn readable(filed: Result<FiledDelivery, StoreError>, now: Timestamp) -> Option<Delivery> {
    let filed = filed
        .inspect_err(|error| warn!(%error, "a dead letter cannot be sent again, and stays"))
        .ok()?;
    let event = filed.event.clone();
    let delivery = filed.for_manual_retry(now);
    delivery
        .inspect_err(|error| warn!(%error, %event, "a dead letter cannot be sent again, and stays"))
        .ok()
}

/// This moment, as messages write it: to the millisecond.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A quarter of a second's worth, and one at least.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 1 and the most of a step"
)]
fn step_size(rate: Rate) -> u32 {
    (rate.per_second() / STEPS_A_SECOND).clamp(1.0, f64::from(MAX_STEP)) as u32
}

/// How long so many may take.
fn takes(rate: Rate, sent: usize) -> Duration {
    let sent = u32::try_from(sent).unwrap_or(u32::MAX);
    Duration::from_secs_f64(f64::from(sent) / rate.per_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_at_most_a_second_s_worth_and_keeps_the_pace() {
        for (rate, size, millis) in [
            ("100/s", 25, 250),
            ("1/s", 1, 1000),
            ("60/m", 1, 1000),
            ("10000/s", 100, 10),
            ("1/h", 1, 3_600_000),
        ] {
            let rate = Rate::parse(rate).unwrap();
            assert_eq!(step_size(rate), size);
            let took = takes(rate, usize::try_from(size).unwrap());
            assert_eq!(took, Duration::from_millis(millis));
        }
    }
}
