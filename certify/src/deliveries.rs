//! Checks of what a receiver takes: all that comes of ordinary deliveries, in any order and number.

use std::time::Duration;

use futures_util::future::join_all;
use hookline_common::event::Event;
use hookline_common::ids::AttemptNo;
use tokio::time::sleep;

use crate::checks::{ANSWER_TIME, AT_ONCE, DRIPS, DUPLICATE, KEEP_ALIVE, LARGEST, LIFE, OUT_OF_ORDER};
use crate::error::CertifyError;
use crate::judge;
use crate::report::{Check, Exchange};
use crate::request::Sending;
use crate::stage::{ReceiverAccess, Stage};

/// How many come at once.
const CROWD: usize = 10;

impl<F: FnMut(&Check)> Stage<'_, F> {
    /// A booking from its beginning to its end; and how far the receiver lets us in.
    pub(crate) async fn life(&mut self) -> Result<ReceiverAccess, CertifyError> {
        let booking = self.story.booking();
        let first = Sending::of("made", booking.created()?);
        let (exchange, refusal) = self.writer.send(&self.once, &first).await?;
        if let Some(refusal) = refusal {
            return Err(CertifyError::AddressRefused(refusal));
        }
        let access = match exchange.status {
            Some(_) if exchange.is_taken() => ReceiverAccess::Open,
            Some(400 | 401 | 403) => ReceiverAccess::Refuses,
            _ => ReceiverAccess::Closed,
        };
        let mut exchanges = vec![exchange];
        if access == ReceiverAccess::Open {
            exchanges.push(self.send(Sending::of("moved", booking.rescheduled()?)).await?);
            exchanges.push(self.send(Sending::of("cancelled", booking.cancelled()?)).await?);
        }
        let judged = judge::all_taken(
            &exchanges,
            "A type that you do not handle is answered 2xx as well.",
        );
        self.ended(&LIFE, judged, exchanges);
        Ok(access)
    }

    /// One event three times.
    pub(crate) async fn duplicate(&mut self) -> Result<(), CertifyError> {
        let event = self.story.booking().created()?;
        let mut exchanges = vec![self.send(Sending::of("first", event.clone())).await?];
        let retried = Sending {
            attempt: AttemptNo::FIRST.next(),
            ..Sending::of("again, as the second attempt", event.clone())
        };
        exchanges.push(self.send(retried).await?);
        exchanges.push(
            self.send(Sending::of("again, as if published twice", event))
                .await?,
        );
        let judged = judge::all_taken(
            &exchanges,
            "Answer 2xx to an event that you have: it comes again when an answer of yours was lost, and a refusal makes it \
             come until it fails.",
        );
        self.ended(&DUPLICATE, judged, exchanges);
        Ok(())
    }

    /// A booking told backwards.
    pub(crate) async fn out_of_order(&mut self) -> Result<(), CertifyError> {
        let booking = self.story.booking();
        let mut exchanges = Vec::new();
        for (sent, event) in [
            ("cancelled first", booking.cancelled()?),
            ("then moved", booking.rescheduled()?),
            ("made last", booking.created()?),
        ] {
            exchanges.push(self.send(Sending::of(sent, event)).await?);
        }
        let judged = judge::all_taken(
            &exchanges,
            "Take what is told of a booking that you do not know yet, and compare times: an event that was refused once \
             comes after those behind it.",
        );
        self.ended(&OUT_OF_ORDER, judged, exchanges);
        Ok(())
    }

    /// The largest event.
    pub(crate) async fn largest(&mut self) -> Result<(), CertifyError> {
        let event = self.story.booking().created_with_most_data()?;
        let exchanges = vec![self.send(Sending::of("with most data", event)).await?];
        let judged = judge::all_taken(
            &exchanges,
            "The default limits of Express, Flask and nginx take it; look for one that was made smaller.",
        );
        self.ended(&LARGEST, judged, exchanges);
        Ok(())
    }

    /// A crowd.
    pub(crate) async fn at_once(&mut self) -> Result<(), CertifyError> {
        let events: Result<Vec<Event>, _> = (0..CROWD).map(|_| self.story.booking().created()).collect();
        let sendings: Vec<Sending> = events?
            .into_iter()
            .map(|event| Sending::of("one of ten", event))
            .collect();
        let sent = sendings
            .iter()
            .map(|sending| self.writer.send(&self.once, sending));
        let mut exchanges = Vec::new();
        for sent in join_all(sent).await {
            exchanges.push(sent?.0);
        }
        let judged = judge::all_taken_or_paced(&exchanges);
        self.ended(&AT_ONCE, judged, exchanges);
        Ok(())
    }

    /// One whose bytes come slowly.
    pub(crate) async fn drips(&mut self) -> Result<(), CertifyError> {
        let sending = Sending::of("in drips", self.story.booking().created()?);
        let exchange = self.writer.send(&self.dripping, &sending).await?.0;
        let judged = judge::dripped(&exchange);
        self.ended(&DRIPS, judged, vec![exchange]);
        Ok(())
    }

    /// Several on one connection. A server that closes one which was idle may do so in the very moment in which it is used, and
    /// then nobody is to blame; it is bad luck once, and a fault twice.
    pub(crate) async fn keep_alive(&mut self) -> Result<(), CertifyError> {
        let first = self.on_one_connection().await?;
        let again = match judge::is_cut_off(&first) {
            true => self.on_one_connection().await?,
            false => Vec::new(),
        };
        let judged = judge::kept_alive(&first, &again);
        self.ended(&KEEP_ALIVE, judged, [first, again].concat());
        Ok(())
    }

    /// Requests one after the other, with a rest before the fourth.
    async fn on_one_connection(&mut self) -> Result<Vec<Exchange>, CertifyError> {
        let mut exchanges = Vec::new();
        for (sent, rest) in [
            ("first on its connection", Duration::ZERO),
            ("right after it", Duration::ZERO),
            ("once more", Duration::ZERO),
            ("after a rest", self.partner.pause),
            ("right after it", Duration::ZERO),
        ] {
            sleep(rest).await;
            let sending = Sending::of(sent, self.story.booking().created()?);
            exchanges.push(self.writer.send(&self.kept, &sending).await?.0);
        }
        Ok(exchanges)
    }

    /// How long all of it took.
    pub(crate) fn answer_time(&mut self) {
        // How long the one in drips took was for us to say.
        let timed = self.checks.iter().filter(|check| check.name != DRIPS.name);
        let all = timed.flat_map(|check| &check.exchanges);
        let judged = judge::quick(all, self.partner.timeout);
        self.ended(&ANSWER_TIME, judged, Vec::new());
    }
}
