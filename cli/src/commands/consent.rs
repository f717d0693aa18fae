//! Whether a person means it, before something is done that is not easily undone.

use crate::error::CliError;
use crate::out;

/// Refuses at once where nobody said yes and nobody can be asked. `what` is what would be done.
pub(super) fn can_be_had(said_yes: bool, what: &str) -> Result<(), CliError> {
    if said_yes || out::can_ask() {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "{what}, and nobody is there to be asked; say --yes if that is meant"
    )))
}

/// Asks, unless the answer was given already.
pub(super) async fn is_given(said_yes: bool, question: &str) -> bool {
    // An answer that never comes is none.
    said_yes || out::ask(question).await.unwrap_or(false)
}
