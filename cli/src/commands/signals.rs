//! How a command that runs on is ended.

use hookline_common::shutdown::Shutdown;

use crate::error::CliError;

/// Ctrl-C and SIGTERM, so that what was begun can be ended in order. A second one ends the process at once.
pub(super) fn on_signals() -> Result<Shutdown, CliError> {
    let cannot = |error| {
        CliError::Failed(format!(
            "signals cannot be listened for: {error}; check the limits of this account"
        ))
    };
    Shutdown::on_signals().map_err(cannot)
}
