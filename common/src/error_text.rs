//! An error in words, with all that caused it.

use std::error::Error;

/// The error with all that caused it: that of an HTTP client alone says "error sending request".
#[must_use]
pub fn causes(error: &dyn Error) -> String {
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
    #[error("sending failed")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn the_innermost_cause_is_told_last() {
        let refused = std::io::Error::other("connection refused");
        assert_eq!(causes(&refused), "connection refused");
        assert_eq!(causes(&Outer(refused)), "sending failed: connection refused");
    }
}
