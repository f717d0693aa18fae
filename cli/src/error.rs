//! How a command fails: one line on stderr that says what, why and what to do, and an exit status.

use std::io;
use std::process::ExitCode;

use hookline_common::broker::{BrokerError, BrokerUrl, QueueError};
use hookline_common::settings::Faults;
use hookline_producer::{ConnectError, PublishError};

use crate::api::ApiError;
use crate::{out, text};
use hookline_common::management::ManagementError;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// What was asked for makes no sense. Exit status 2, as for every fault that clap finds.
    #[error("{0}")]
    Usage(String),
    /// Settings that are wrong. Exit status 2.
    #[error("{}", on_one_line(.0))]
    Settings(#[from] Faults),
    /// The broker could not be reached for publishing.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// An event is not known to be stored.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The broker could not be reached, or something on it is not as it must be.
    #[error("{0}")]
    Broker(String),
    /// What only the management API knows is not known.
    #[error(transparent)]
    Management(#[from] ManagementError),
    /// The console cannot be asked, or refuses.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// What was to be done could not be done, or not all of it.
    #[error("{0}")]
    Failed(String),
    /// The output could not be written.
    #[error("the output cannot be written: {0}; make room for it, or send it elsewhere")]
    Output(#[from] io::Error),
}

impl CliError {
    /// A failure at the broker, with what it means for the user.
    pub(crate) fn broker(error: &BrokerError, broker: &BrokerUrl) -> Self {
        if let BrokerError::Mismatch(discrepancy) = error {
            return Self::Broker(discrepancy.to_string());
        }
        Self::Broker(format!(
            "the broker at {broker} cannot be used ({error}); {}",
            error.advice()
        ))
    }

    /// A queue that did not answer.
    pub(crate) fn queue(error: &QueueError, broker: &BrokerUrl) -> Self {
        match error {
            QueueError::Broker(error) => Self::broker(error, broker),
            QueueError::NoLeader { queue, .. } => Self::Broker(format!(
                "{error}; what it holds is not known: look which node is away (`rabbitmq-queues quorum_status {queue}`, \
                 `hookline topology check`), bring it back, and run this again"
            )),
        }
    }

    /// Prints the error and returns the exit status. Where a command that only prints has ended because its reader has gone, that is
    /// no failure, and nothing is printed.
    pub(crate) fn report(&self) -> ExitCode {
        if matches!(self, Self::Output(error) if out::is_closed_pipe(error)) {
            return ExitCode::SUCCESS;
        }
        out::error(&text::escape(&self.to_string()));
        match self {
            Self::Usage(_) | Self::Settings(_) => ExitCode::from(2),
            Self::Connect(_)
            | Self::Publish(_)
            | Self::Broker(_)
            | Self::Management(_)
            | Self::Api(_)
            | Self::Failed(_)
            | Self::Output(_) => ExitCode::FAILURE,
        }
    }
}

fn on_one_line(faults: &Faults) -> String {
    let faults: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
    format!(
        "{} wrong: {}",
        if faults.len() == 1 {
            "a setting is"
        } else {
            "settings are"
        },
        faults.join("; ")
    )
}
