//! An error in words, with all that caused it.

use std::error::Error;

/// The error with all that caused it: that of an HTTP client alone says "error sending request".
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
