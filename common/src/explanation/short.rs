//! An outcome in a few words, behind the endpoint's name: "CRM answers 503".

use std::borrow::Cow;

use crate::outcome::Outcome;

/// What an endpoint does whose attempts end in `outcome`, with this HTTP status if there was one: a verb and what belongs to
/// it, to stand behind the endpoint's name. Without an outcome nothing was attempted, because the endpoint was disabled.
#[must_use]
pub fn in_short(outcome: Option<Outcome>, status: Option<u16>) -> Cow<'static, str> {
    let words = match (outcome, status) {
        (Some(Outcome::HttpStatus | Outcome::Delivered), Some(status)) => {
            return format!("answers {status}").into();
        }
        (Some(Outcome::HttpStatus), None) => "answers with an error",
        (Some(Outcome::Delivered), None) => "takes events",
        (Some(Outcome::Timeout), _) => "does not answer in time",
        (Some(Outcome::DnsError), _) => "has a name that is not found",
        (Some(Outcome::ConnectError), _) => "takes no connection",
        (Some(Outcome::TlsError), _) => "makes no secure connection",
        (Some(Outcome::ProtocolError), _) => "breaks off instead of answering",
        (Some(Outcome::Blocked), _) => "has an address that is not allowed",
        (Some(Outcome::Discarded), _) => "has been removed",
        (None, _) => "was disabled",
    };
    Cow::Borrowed(words)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_outcome_has_words_of_its_own_that_follow_a_name() {
        let mut all: HashSet<_> = Outcome::ALL
            .into_iter()
            .map(|outcome| in_short(Some(outcome), None))
            .collect();
        all.insert(in_short(None, None));
        assert_eq!(all.len(), Outcome::ALL.len() + 1);
        for words in all {
            assert!(
                words.starts_with(char::is_lowercase) && words.len() < 40,
                "{words}"
            );
            assert!(!words.contains('_') && !words.ends_with('.'), "{words}");
        }
        assert_eq!(in_short(Some(Outcome::HttpStatus), Some(503)), "answers 503");
    }
}
