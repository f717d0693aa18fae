//! What was not shown or not done: the same problems as the API's, which become a page on the way out.

use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Why a page was not shown or a form not taken.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Problem);

impl<T: Into<Problem>> From<T> for Refused {
    fn from(problem: T) -> Self {
        Self(problem.into())
    }
}

/// The words of a problem, which travel beside an answer without a body.
#[derive(Clone)]
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) detail: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let mut response = problem.status().into_response();
        if let Some(seconds) = problem.retry_after_s() {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Words {
            title: problem.title(),
            detail: told(&problem),
        });
        response
    }
}

/// What is said to programs speaks of tokens and paths.
fn told(problem: &Problem) -> String {
    match problem.code() {
        "not_found" => "there is nothing here, or you are not allowed to see it".to_owned(),
        _ => problem.detail().to_owned(),
    }
}
