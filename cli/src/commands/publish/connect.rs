//! The producer that both ways of publishing use.

use hookline_common::settings::BrokerSettings;
use hookline_producer::{Producer, Settings};

use crate::error::CliError;

/// Connects once and does not try again: whoever typed the command wants to know at once that the broker is away.
pub(super) async fn connect(broker: BrokerSettings) -> Result<Producer, CliError> {
    let settings = Settings::from(broker).with_connection_name("hookline publish");
    Ok(Producer::connect_at_first_try(settings).await?)
}
