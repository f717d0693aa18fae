//! An error in words, with all that caused it.

use std::error::Error;

/// The error with all that caused it: that of an HTTP client alone says "error sending request".
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outside")]
    struct Outside(#[source] Between);

    #[derive(Debug, thiserror::Error)]
    #[error("between")]
    struct Between(#[source] std::fmt::Error);

    #[test]
    fn every_cause_is_named_from_the_outside_to_the_inside() {
        let inside = std::fmt::Error;
        let told = format!("outside: between: {inside}");
        assert_eq!(with_causes(&Outside(Between(inside))), told);
    }
}
