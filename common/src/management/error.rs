//! Why the management API does not say what it was asked.

use reqwest::StatusCode;

use super::url::ManagementUrl;
use crate::with_causes::with_causes;

/// Why something is not known.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// The client cannot be set up.
    #[error(
        "the client for the management API cannot be set up: {}; check that HOOKLINE_AMQP_CA_FILE is PEM",
        with_causes(.0)
    )]
    SetUp(#[source] reqwest::Error),
    /// There is no answer.
    #[error(
        "the management API at {url} cannot be asked: {}; check that the broker runs with the plugin \
         rabbitmq_management, and HOOKLINE_MANAGEMENT_URL",
        with_causes(.source)
    )]
    Unreachable {
        /// Where it was looked for, without the account.
        url: String,
        /// The client's own error.
        source: reqwest::Error,
    },
    /// It answers, and refuses.
    #[error("the management API at {url} answers {status}: {hint}")]
    Refused {
        /// Where it is, without the account.
        url: String,
        /// What it answered.
        status: StatusCode,
        /// What that means.
        hint: String,
    },
    /// It answers with something else.
    #[error(
        "the management API at {url} answers with something that is not understood: {why}; check that \
         HOOKLINE_MANAGEMENT_URL is RabbitMQ's management API and not another service"
    )]
    Unreadable {
        /// Where it is, without the account.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ManagementError {
    pub(super) fn refused(url: &ManagementUrl, user: &str, vhost: &str, status: StatusCode) -> Self {
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
                "check user and password of HOOKLINE_MANAGEMENT_URL (or of HOOKLINE_AMQP_URL); the user {user:?} needs the \
                 tag monitoring (rabbitmqctl set_user_tags {user} monitoring) and rights on the virtual host {vhost:?}"
            ),
            StatusCode::NOT_FOUND => {
                format!(
                    "check that the virtual host {vhost:?} exists, and the path of HOOKLINE_MANAGEMENT_URL"
                )
            }
            _ => "try again; the broker's log says more".to_owned(),
        };
        Self::Refused {
            url: url.to_string(),
            status,
            hint,
        }
    }

    pub(super) fn unreadable(url: &ManagementUrl, why: impl ToString) -> Self {
        Self::Unreadable {
            url: url.to_string(),
            why: why.to_string(),
        }
    }
}
