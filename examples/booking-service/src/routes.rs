//! How bookings are asked for.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::bookings::{BookingError, Bookings};

pub(crate) fn routes(bookings: Bookings) -> Router {
    Router::new()
        .route("/companies/{company}/bookings", post(create))
        .route("/companies/{company}/bookings/{id}/reschedule", post(reschedule))
        .route("/companies/{company}/bookings/{id}/cancel", post(cancel))
        .with_state(bookings)
}

async fn create(
    State(bookings): State<Bookings>,
    Path(company): Path<String>,
    body: Bytes,
) -> Result<Response, BookingError> {
    let id = bookings.create(&company, read(&body)?).await?;
    Ok(answer(StatusCode::CREATED, &id))
}

async fn reschedule(
    State(bookings): State<Bookings>,
    Path((company, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, BookingError> {
    let id = bookings.reschedule(&company, &id, read(&body)?).await?;
    Ok(answer(StatusCode::CREATED, &id))
}

async fn cancel(
    State(bookings): State<Bookings>,
    Path((company, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, BookingError> {
    bookings.cancel(&company, &id, read(&body)?).await?;
    Ok(answer(StatusCode::OK, &id))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, BookingError> {
    serde_json::from_slice(body).map_err(|error| BookingError::Invalid(error.to_string()))
}

fn answer(status: StatusCode, id: &str) -> Response {
    let body = format!("{}\n", json!({ "id": id }));
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
