//! Checks of what a receiver verifies: who signed, which bytes, and when.

use std::time::Duration;

use bytes::Bytes;
use hookline_common::endpoint::Format;

use crate::checks::{BAD_SIGNATURE, OLD_TIMESTAMP, RAW_BODY};
use crate::error::CertifyError;
use crate::judge;
use crate::report::{Check, Verdict};
use crate::request::{Sending, Signed};
use crate::spelling;
use crate::stage::{ReceiverAccess, Stage};

/// How old a request is that has to be refused: far beyond the five minutes that the scheme allows.
const OLD: Duration = Duration::from_secs(3600);

/// The same JSON in another spelling; none where it is no JSON.
type Rewrite = fn(&str) -> Option<String>;

/// Spellings of a body that a receiver may have made of it, and how they are made.
const REWRITTEN: [(&str, Rewrite); 3] = [
    (
        "signed over the JSON as JavaScript writes it again",
        spelling::compact,
    ),
    ("signed over the JSON as Python writes it again", spelling::spaced),
    ("signed over the JSON with its members sorted", spelling::sorted),
];

impl<F: FnMut(&Check)> Stage<'_, F> {
    /// Requests that somebody else could have made.
    pub(crate) async fn bad_signature(&mut self) -> Result<(), CertifyError> {
        let booking = self.story.booking();
        let event = booking.created()?;
        if let Some(why) = self.unsigned(&event) {
            self.ended(&BAD_SIGNATURE, judge::skipped(why), Vec::new());
            return Ok(());
        }
        let other = self.writer.body(&self.story.booking().created()?);
        let forged = [
            ("signed with another secret", Signed::ByAnother),
            ("changed after it was signed", Signed::Over(other)),
            ("without any signature", Signed::Not),
        ];
        let mut exchanges = Vec::new();
        for (sent, signed) in forged {
            exchanges.push(
                self.send(Sending::of(sent, booking.created()?).signed(signed))
                    .await?,
            );
        }
        let next = "Verify the signature of every request, in constant time, and answer 401 where it does not hold: whoever \
                    knows the URL can send bookings otherwise.";
        let judged = judge::none_taken(&exchanges, next);
        self.ended(&BAD_SIGNATURE, judged, exchanges);
        Ok(())
    }

    /// The same JSON in other bytes.
    pub(crate) async fn raw_body(&mut self, access: ReceiverAccess) -> Result<(), CertifyError> {
        let event = self.story.booking().created_in_odd_spelling()?;
        let spelled = self.send(Sending::of("in another spelling", event)).await?;
        let mut rewritten = Vec::new();
        // Whoever takes any signature takes these as well, and that says nothing about spellings.
        if self.verdict(&BAD_SIGNATURE) != Some(Verdict::Failed) && self.partner.verifies {
            for (sent, rewrite) in REWRITTEN {
                let event = self.story.booking().created_in_odd_spelling()?;
                let body = self.writer.body(&event);
                let Some(other) = std::str::from_utf8(&body).ok().and_then(rewrite) else {
                    continue;
                };
                let signed = Signed::Over(Bytes::from(other));
                rewritten.push(self.send(Sending::of(sent, event).signed(signed)).await?);
            }
        }
        let judged = judge::raw_body(&spelled, &rewritten, access == ReceiverAccess::Refuses);
        rewritten.insert(0, spelled);
        self.ended(&RAW_BODY, judged, rewritten);
        Ok(())
    }

    /// A request that was recorded an hour ago.
    pub(crate) async fn old_timestamp(&mut self) -> Result<(), CertifyError> {
        let event = self.story.booking().created()?;
        let why = self.unsigned(&event).or_else(|| {
            let is_signed = self.writer.signs_time(&event);
            (!is_signed)
                .then_some("no signature covers the time, because the secret is no Standard Webhooks key")
        });
        if let Some(why) = why {
            self.ended(&OLD_TIMESTAMP, judge::skipped(why), Vec::new());
            return Ok(());
        }
        let old = self
            .send(Sending {
                age: OLD,
                ..Sending::of("an hour old", event)
            })
            .await?;
        let meeva_alone = if self.partner.format == Format::Meeva && old.is_taken() {
            let event = self.story.booking().created()?;
            let sending = Sending::of("Meeva-Signature right, webhook-signature wrong", event);
            Some(self.send(sending.signed(Signed::RightlyByMeevaAlone)).await?)
        } else {
            None
        };
        let judged = if old.is_taken() && self.verdict(&BAD_SIGNATURE) == Some(Verdict::Failed) {
            judge::old_and_unverified()
        } else {
            judge::old(&old, meeva_alone.as_ref())
        };
        let exchanges = [Some(old), meeva_alone].into_iter().flatten().collect();
        self.ended(&OLD_TIMESTAMP, judged, exchanges);
        Ok(())
    }
}
