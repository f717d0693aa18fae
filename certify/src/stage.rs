//! What all checks share: whom requests go to and by which client, the bookings, and the checks that have ended.

use std::time::Duration;

use hookline_common::event::Event;
use hookline_outbound::client::Client;

use crate::checks::Question;
use crate::error::CertifyError;
use crate::judge::{self, Judgement};
use crate::partner::Partner;
use crate::report::{Check, Exchange, Verdict};
use crate::request::{Sending, Writer};
use crate::story::Story;

/// How far the receiver lets us in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiverAccess {
    /// It takes what is signed rightly.
    Open,
    /// It answers, and refuses that: what it verifies can still be found out.
    Refuses,
    /// It does not answer, or somebody else does.
    Closed,
    /// The time is over that all of it may take.
    Late,
}

/// A certificate that is being played.
pub(crate) struct Stage<'a, F> {
    pub(crate) partner: &'a Partner,
    pub(crate) writer: Writer,
    /// A new connection for each request, so that a fault of kept ones is found where it is looked for.
    pub(crate) once: Client,
    pub(crate) kept: Client,
    /// The same, a few bytes at a time.
    pub(crate) dripping: Client,
    pub(crate) story: Story,
    pub(crate) checks: Vec<Check>,
    /// Is told each check as it ends.
    pub(crate) on_check: F,
}

impl<F: FnMut(&Check)> Stage<'_, F> {
    /// On a connection of its own.
    pub(crate) async fn send(&self, sending: Sending) -> Result<Exchange, CertifyError> {
        Ok(self.writer.send(&self.once, &sending).await?.0)
    }

    /// Why there are no signatures to forge, if there are none.
    pub(crate) fn unsigned(&self, event: &Event) -> Option<&'static str> {
        if !self.partner.verifies {
            Some(
                "nobody said that it verifies signatures, so none was forged; anybody who knows the URL may be let in",
            )
        } else if self.writer.signs(event) {
            None
        } else {
            Some("requests of this format carry no signature with a secret that is no Standard Webhooks key")
        }
    }

    /// It cannot be played.
    pub(crate) fn skip(&mut self, question: &Question, access: ReceiverAccess) {
        let why = match access {
            ReceiverAccess::Refuses => "not played: it refuses what is signed with this secret",
            ReceiverAccess::Closed | ReceiverAccess::Open => "not played: it takes no event",
            ReceiverAccess::Late => "not played: the time was over",
        };
        self.ended(question, judge::skipped(why), Vec::new());
    }

    /// It was being played when the time was over that all of it may take.
    pub(crate) fn late(&mut self, question: &Question, within: Duration) -> ReceiverAccess {
        self.ended(question, judge::late(within), Vec::new());
        ReceiverAccess::Late
    }

    /// How a check ended before, if it was played.
    pub(crate) fn verdict(&self, of: &Question) -> Option<Verdict> {
        let check = self.checks.iter().find(|check| check.name == of.name);
        check.map(|check| check.verdict)
    }

    /// A check has ended.
    pub(crate) fn ended(&mut self, question: &Question, judged: Judgement, exchanges: Vec<Exchange>) {
        let (verdict, found, advice) = judged;
        let check = Check {
            name: question.name.into(),
            title: question.title.into(),
            good: question.good.into(),
            verdict,
            found,
            advice,
            exchanges,
        };
        (self.on_check)(&check);
        self.checks.push(check);
    }
}
