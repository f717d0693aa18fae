//! The producer that both ways of publishing use.

use std::time::Duration;

use hookline_common::settings::BrokerSettings;
use hookline_producer::{Producer, Settings};
use tokio::time::sleep;

use crate::error::CliError;
use crate::{out, text};

/// How often it is looked at whether the broker takes events: soon enough for somebody who waits to know why.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Connects once and does not try again: whoever typed the command wants to know at once that the broker is away.
pub(super) async fn connect(broker: BrokerSettings) -> Result<Producer, CliError> {
    let settings = Settings::from(broker).with_connection_name("hookline publish");
    let producer = Producer::connect_at_first_try(settings).await?;
    // It ends with the program.
    tokio::spawn(tell_alarms(producer.clone()));
    Ok(producer)
}

/// Tells whoever waits why that takes long.
async fn tell_alarms(producer: Producer) {
    let mut told = None;
    loop {
        let alarm = producer.alarm();
        if told != alarm {
            out::note(&match &alarm {
                Some(reason) => format!(
                    "waiting: the broker takes no events for now, its alarm says: {}",
                    text::escape(reason)
                ),
                None => "the broker takes events again".to_owned(),
            });
            told = alarm;
        }
        sleep(LOOK_EVERY).await;
    }
}
