//! Dead letters: listed, shown, sent again, discarded.

mod filter; // which are meant
mod view; // as they are shown

use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use hookline_common::ids::{EndpointId, EventId};
use hookline_common::message::Unsendable;
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

pub(crate) use self::filter::{FailedAsked, FailedFilter, FailedQuery, RetryFailed, status};
pub(crate) use self::view::{Counted, DeadLetterInFull, DeadLetterView, Retried, RetryProgressView};
use super::view::List;
use crate::app::App;
use crate::auth::{Audited, Tenant};
use crate::extract::{DeliveryOf, Json, OptionalJson, path_param};
use crate::problem::{Problem, ProblemBody};
use crate::publishing::PUBLISH_WITHIN;
use crate::retrying;

/// How long the note is tried that one was sent again. Who waits for the answer waits no longer than for a slow page.
const NOTE_WITHIN: Duration = Duration::from_secs(10);
/// Between two tries.
const NOTE_AGAIN: Duration = Duration::from_millis(250);

/// List what failed for good, what was filed last first.
#[utoipa::path(get, path = "/v1/companies/{company}/failed", tag = "failed", operation_id = "listFailed",
    params(("company" = String, Path, description = "The company"), FailedQuery),
    responses(
        (status = 200, description = "A page of them", body = List<DeadLetterView>),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(app): State<App>,
    tenant: Tenant,
    asked: FailedAsked,
) -> Result<Json<List<DeadLetterView>>, Problem> {
    let found = app
        .store()
        .dead_letters(&tenant.company, &asked.filter, asked.cursor, asked.limit)
        .await?;
    Ok(Json(List::of(found)))
}

/// Show what failed for good at one endpoint, with its data.
#[utoipa::path(get, path = "/v1/companies/{company}/failed/{event}/{endpoint}", tag = "failed",
    operation_id = "getFailed",
    params(("company" = String, Path, description = "The company"), ("event" = String, Path, description = "The event"),
        ("endpoint" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The dead letter", body = DeadLetterInFull),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn show(
    State(app): State<App>,
    tenant: Tenant,
    DeliveryOf(event, endpoint): DeliveryOf,
) -> Result<Json<DeadLetterInFull>, Problem> {
    let (letter, filed) = app
        .store()
        .dead_letter(&tenant.company, &event, &endpoint)
        .await?;
    Ok(Json(DeadLetterInFull::of(letter, filed)))
}

/// Send one again, at once.
///
/// It gets the whole schedule of attempts again, and comes back if all of them fail. Until then it stays, with the time of
/// its retry. Where its endpoint is disabled or was removed, the answer is 409. Asked for twice within a second, it is sent once:
/// the second answer is 409 with the code `under_way`. Where it was sent and the database does not take the note of that, the
/// answer is 503 with the code `retry_not_noted`: it is on its way then.
#[utoipa::path(post, path = "/v1/companies/{company}/failed/{event}/{endpoint}/retry", tag = "failed",
    operation_id = "retryOneFailed",
    params(("company" = String, Path, description = "The company"), ("event" = String, Path, description = "The event"),
        ("endpoint" = String, Path, description = "The endpoint")),
    responses(
        (status = 202, description = "It is on its way", body = Counted),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn retry_one(
    State(app): State<App>,
    tenant: Tenant,
    DeliveryOf(event, endpoint): DeliveryOf,
) -> Result<(StatusCode, Json<Counted>), Problem> {
    let store = app.store();
    let (_, filed) = store.dead_letter(&tenant.company, &event, &endpoint).await?;
    store.can_be_sent_to(&tenant.company, &endpoint).await?;
    let now = retrying::now();
    let delivery = filed.for_manual_retry(now).map_err(|error| damaged(&error))?;
    store.claim_retry(&tenant.company, &event, &endpoint).await?;
    // Whoever hangs up in the middle of it leaves nothing behind that was sent and is not noted.
    let asked = app.clone();
    let sending = asked.sendings().spawn(async move {
        let published = app
            .publishing()
            .delivery(&delivery, Some(Instant::now() + PUBLISH_WITHIN))
            .await;
        published.map_err(|fault| Problem::from(fault).event(event.clone()))?;
        note_sent(&app, &tenant, &event, &endpoint, now).await
    });
    sending.await.map_err(|error| {
        tracing::error!(%error, "a dead letter may have been sent again, and is not noted to be");
        Problem::internal()
    })??;
    Ok((StatusCode::ACCEPTED, Json(Counted { count: 1 })))
}

/// Notes that one was sent again, and goes on trying for a while: what is under way and looks as if it were not is sent twice.
async fn note_sent(
    app: &App,
    tenant: &Tenant,
    event: &EventId,
    endpoint: &EndpointId,
    now: Timestamp,
) -> Result<(), Problem> {
    let until = Instant::now() + NOTE_WITHIN;
    loop {
        let noted = app
            .store()
            .note_retry(&tenant.company, event, endpoint, now, &tenant.actor);
        let Err(error) = noted.await else {
            return Ok(());
        };
        if Instant::now() >= until {
            tracing::error!(%error, %event, %endpoint, "a dead letter was sent again, and that could not be noted");
            return Err(not_noted());
        }
        sleep(NOTE_AGAIN).await;
    }
}

fn not_noted() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "retry_not_noted",
        "Sent, and not noted",
        "it was sent again and is on its way, but the database did not take the note of it, so that it is listed as if nobody had \
         sent it. Do not send it again before you have looked at the delivery's attempts",
    )
}

fn damaged(error: &Unsendable) -> Problem {
    tracing::error!(%error, "a dead letter is damaged");
    Problem::internal()
}

/// Send many again, each endpoint's at its own pace.
///
/// What is there at this moment is meant, and what fails again meanwhile is not. Dead letters of endpoints that are disabled
/// or were removed stay, and are counted as `skipped`; those of one that is disabled meanwhile wait until it is enabled, and what
/// is not sent of one that is removed meanwhile is `skipped`, too. Ask with `dry_run` first: then they are only counted, and the
/// answer is 200. Where there is none to send, there is no `retry`. Where 50 of a company are not done, the answer is 409 with the
/// code `too_many_retries`.
#[utoipa::path(post, path = "/v1/companies/{company}/failed/retry", tag = "failed", operation_id = "retryFailed",
    params(("company" = String, Path, description = "The company")), request_body = RetryFailed,
    responses(
        (status = 200, description = "They were only counted", body = Retried),
        (status = 202, description = "They are being sent", body = Retried),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn retry(
    State(app): State<App>,
    tenant: Tenant,
    OptionalJson(body): OptionalJson<RetryFailed>,
) -> Result<(StatusCode, Json<Retried>), Problem> {
    let body = body.ok_or_else(unfiltered)?;
    let dry_run = body.dry_run;
    let filter = body.checked(&app.settings().catalogue)?;
    if dry_run {
        let counted = app.store().count_dead_letters(&tenant.company, &filter).await?;
        let sum = |can: bool| {
            let of = counted.iter().filter(|letters| letters.can_be_sent_to == can);
            of.map(|letters| letters.count).sum()
        };
        let counted = Retried {
            count: sum(true),
            skipped: sum(false),
            dry_run,
            retry: None,
        };
        return Ok((StatusCode::OK, Json(counted)));
    }
    if !tenant.is_admin() {
        Audited::Yes.count(&app, &tenant.company)?;
    }
    let job = app
        .store()
        .create_retry(&tenant.company, &filter, &tenant.actor)
        .await?;
    if job.id.is_some() {
        app.retries_asked().notify_one();
    }
    let retried = Retried {
        count: job.count,
        skipped: job.skipped,
        dry_run,
        retry: job.id,
    };
    Ok((StatusCode::ACCEPTED, Json(retried)))
}

/// All of them are meant only where somebody says so.
fn unfiltered() -> Problem {
    Problem::invalid(
        "the body: say which dead letters are meant by a filter, as JSON, or `{}` for all of this company",
    )
}

/// The retry of the path.
pub(crate) struct RetryOf(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for RetryOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = path_param(parts, state, "id").await?;
        let is_id = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_id.then_some(Self(id)).ok_or_else(Problem::not_found)
    }
}

/// How far a retry of many has come.
#[utoipa::path(get, path = "/v1/companies/{company}/failed/retries/{id}", tag = "failed", operation_id = "getRetry",
    params(("company" = String, Path, description = "The company"), ("id" = String, Path, description = "The retry")),
    responses(
        (status = 200, description = "How far it has come", body = RetryProgressView),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn progress(
    State(app): State<App>,
    tenant: Tenant,
    RetryOf(id): RetryOf,
) -> Result<Json<RetryProgressView>, Problem> {
    Ok(Json(app.store().retry_state(&tenant.company, &id).await?.into()))
}

/// Remove one for good: nobody wants it any more.
#[utoipa::path(delete, path = "/v1/companies/{company}/failed/{event}/{endpoint}", tag = "failed",
    operation_id = "discardOneFailed",
    params(("company" = String, Path, description = "The company"), ("event" = String, Path, description = "The event"),
        ("endpoint" = String, Path, description = "The endpoint")),
    responses(
        (status = 204, description = "Removed"),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn discard_one(
    State(app): State<App>,
    tenant: Tenant,
    DeliveryOf(event, endpoint): DeliveryOf,
) -> Result<StatusCode, Problem> {
    app.store()
        .discard_dead_letter(&tenant.company, &event, &endpoint, &tenant.actor)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove many for good. Without a filter all of the company's dead letters are meant, those that were retried and have not
/// come back included.
#[utoipa::path(post, path = "/v1/companies/{company}/failed/discard", tag = "failed", operation_id = "discardFailed",
    params(("company" = String, Path, description = "The company")), request_body = FailedFilter,
    responses(
        (status = 200, description = "Removed: how many", body = Counted),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn discard(
    State(app): State<App>,
    tenant: Tenant,
    OptionalJson(body): OptionalJson<FailedFilter>,
) -> Result<Json<Counted>, Problem> {
    let body = body.ok_or_else(unfiltered)?;
    let filter = body.checked(&app.settings().catalogue, false)?;
    let count = app
        .store()
        .discard_dead_letters(&tenant.company, &filter, &tenant.actor)
        .await?;
    Ok(Json(Counted { count }))
}
