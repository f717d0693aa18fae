//! What is answered to what cannot be done.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::bookings::BookingError;

impl IntoResponse for BookingError {
    fn into_response(self) -> Response {
        let (status, words) = match self {
            Self::NotThere => (
                StatusCode::CONFLICT,
                "there is no such booking, or it was moved or cancelled already".to_owned(),
            ),
            Self::Invalid(why) => (StatusCode::BAD_REQUEST, why),
            Self::Database(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
        };
        (status, format!("{words}\n")).into_response()
    }
}
