//! Why a message is not known to be stored.

use std::sync::Arc;

use super::error::BrokerError;
use super::link::NoLink;
use super::refusal::Refusal;

/// Why a message is not known to be stored.
#[derive(Debug, thiserror::Error)]
pub enum PublishFault {
    /// No queue is bound for it any more.
    #[error("no queue takes messages for {routing_key:?} on exchange {exchange:?}")]
    Unroutable {
        /// Whether the message may be stored all the same: an earlier try, when a queue was perhaps still bound, had no
        /// answer.
        maybe_stored: bool,
        /// The exchange that had no queue for it.
        exchange: String,
        /// The routing key that led nowhere.
        routing_key: String,
    },
    /// The broker refuses this very message: it is larger than the broker takes, or the account may not publish it, for
    /// instance. Nothing else was harmed.
    #[error("the broker refuses this message ({refusal}); {}", .refusal.advice())]
    Refused {
        /// Whether the message may be stored all the same: an earlier try had no answer, or others were under way beside it
        /// when the broker closed their channel.
        maybe_stored: bool,
        /// The broker's own words.
        refusal: Refusal,
    },
    /// The deadline passed.
    #[error("the broker did not confirm in time{}", because(.last))]
    Late {
        /// Whether the message may be stored all the same: it was sent, and no answer came.
        maybe_stored: bool,
        /// The last failure that was seen.
        last: Option<Arc<BrokerError>>,
    },
    /// The broker cannot be used until a person mends something.
    #[error("{error}")]
    Final {
        /// Whether the message may be stored all the same.
        maybe_stored: bool,
        /// What is to be mended.
        error: Arc<BrokerError>,
    },
}

impl PublishFault {
    pub(super) fn without_link(no_link: NoLink, maybe_stored: bool) -> Self {
        match no_link {
            NoLink::Late(last) => Self::Late { maybe_stored, last },
            NoLink::Final(error) => Self::Final { maybe_stored, error },
        }
    }
}

fn because(last: &Option<Arc<BrokerError>>) -> String {
    last.as_ref()
        .map(|error| format!(" ({error})"))
        .unwrap_or_default()
}
