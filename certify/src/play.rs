//! A certificate is played: all checks in order, each with requests of its own.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookline_common::ids::EventId;
use hookline_common::secret::Secret;
use hookline_outbound::client::{Client, ClientSettings, Drip, MAX_CONNECTION_AGE, Resolver};
use hookline_outbound::request::shown_url;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::checks::{
    AT_ONCE, BAD_SIGNATURE, DRIPS, DUPLICATE, KEEP_ALIVE, LARGEST, LIFE, OLD_TIMESTAMP, OUT_OF_ORDER,
    Question, RAW_BODY,
};
use crate::error::CertifyError;
use crate::partner::Partner;
use crate::report::{Check, Report, Verdict};
use crate::request::{Unwritable, Writer};
use crate::stage::{ReceiverAccess, Stage};
use crate::story::Story;

/// More connections than ten at once need; fewer would be worth a warning to the client.
const CONNECTIONS: usize = 256;

/// How a request comes in drips: a booking's, with head and body some 1,100 bytes, in about two seconds. Each piece is a packet
/// of its own, and most cut through a header, or a letter of the body.
const DRIP: Drip = Drip {
    bytes: 23,
    pause: Duration::from_millis(40),
};
/// How much longer an answer to it may take: what it takes itself, with long headers of the partner's own.
const DRIPS_FOR: Duration = Duration::from_secs(10);
/// How many checks there are: the booking's life, all that follow it, and how long the answers took.
pub const CHECKS: usize = Act::ALL.len() + 2;

/// Where no time was set: longer than all requests and answers can take.
const FOR_EVER: Duration = Duration::from_secs(24 * 3600);

/// Plays a certificate against `partner`; `on_check` is told each check as it ends. It takes some seconds more than the pause.
///
/// Nothing is remembered: whoever plays it twice sends twice as many bookings.
///
/// # Errors
/// [`CertifyError`] where nothing could be played; a receiver that does everything wrong is a [`Report`] all the same.
pub async fn play(partner: &Partner, on_check: impl FnMut(&Check)) -> Result<Report, CertifyError> {
    let now = Timestamp::now();
    let writer = Writer::new(partner, &nobodys_secret()?).map_err(|unwritable| match unwritable {
        Unwritable::Refused(refusal) => CertifyError::Refused(refusal),
        Unwritable::Id(invalid) => CertifyError::Id(invalid),
    })?;
    let mut stage = Stage {
        partner,
        writer,
        once: client(partner, Duration::ZERO, None)?,
        kept: client(partner, MAX_CONNECTION_AGE, None)?,
        dripping: client(partner, Duration::ZERO, Some(DRIP))?,
        story: Story::new(now),
        checks: Vec::new(),
        on_check,
    };
    all(&mut stage).await?;
    let checks = stage.checks;
    Ok(Report {
        url: shown_url(&partner.url),
        format: partner.format.as_str().into(),
        at: format!("{now:.0}"),
        passed: checks.iter().all(|check| check.verdict != Verdict::Failed),
        bookings: stage.story.prefix,
        checks,
    })
}

/// A client whose connections serve for `age`; one of no age serves a single request.
fn client(partner: &Partner, age: Duration, drip: Option<Drip>) -> Result<Client, CertifyError> {
    let resolver = Resolver::from_system().map_err(|error| CertifyError::Resolver(error.to_string()))?;
    let timeout = partner.timeout + drip.map_or(Duration::ZERO, |_| DRIPS_FOR);
    Ok(Client::new(ClientSettings {
        ca_pem: partner.ca_pem.clone(),
        proxy: partner.proxy.clone(),
        max_connection_age: age,
        drip,
        ..ClientSettings::new(partner.policy.clone(), resolver, timeout, CONNECTIONS)
    })?)
}

/// A secret that no receiver can have: it is made here and forgotten.
fn nobodys_secret() -> Result<Secret, CertifyError> {
    // 36 characters, of which the last 18 are random, in base64 a valid key for both schemes.
    let key = STANDARD.encode(EventId::new().as_str());
    Ok(Secret::parse(&format!("whsec_{key}"))?)
}

/// What is played once the receiver has been told of a booking, in this order.
#[derive(Clone, Copy)]
enum Act {
    BadSignature,
    RawBody,
    OldTimestamp,
    Duplicate,
    OutOfOrder,
    Largest,
    AtOnce,
    Drips,
    KeepAlive,
}

impl Act {
    const ALL: [Self; 9] = [
        Self::BadSignature,
        Self::RawBody,
        Self::OldTimestamp,
        Self::Duplicate,
        Self::OutOfOrder,
        Self::Largest,
        Self::AtOnce,
        Self::Drips,
        Self::KeepAlive,
    ];

    fn question(self) -> &'static Question {
        match self {
            Self::BadSignature => &BAD_SIGNATURE,
            Self::RawBody => &RAW_BODY,
            Self::OldTimestamp => &OLD_TIMESTAMP,
            Self::Duplicate => &DUPLICATE,
            Self::OutOfOrder => &OUT_OF_ORDER,
            Self::Largest => &LARGEST,
            Self::AtOnce => &AT_ONCE,
            Self::Drips => &DRIPS,
            Self::KeepAlive => &KEEP_ALIVE,
        }
    }

    /// Whether it says anything of a receiver that lets us in so far.
    fn is_played(self, access: ReceiverAccess) -> bool {
        match access {
            ReceiverAccess::Open => true,
            ReceiverAccess::Refuses => matches!(self, Self::RawBody),
            ReceiverAccess::Closed | ReceiverAccess::Late => false,
        }
    }

    async fn play<F: FnMut(&Check)>(
        self,
        stage: &mut Stage<'_, F>,
        access: ReceiverAccess,
    ) -> Result<(), CertifyError> {
        match self {
            Self::BadSignature => stage.bad_signature().await,
            Self::RawBody => stage.raw_body(access).await,
            Self::OldTimestamp => stage.old_timestamp().await,
            Self::Duplicate => stage.duplicate().await,
            Self::OutOfOrder => stage.out_of_order().await,
            Self::Largest => stage.largest().await,
            Self::AtOnce => stage.at_once().await,
            Self::Drips => stage.drips().await,
            Self::KeepAlive => stage.keep_alive().await,
        }
    }
}

/// All checks, in order, as far as there is time.
async fn all<F: FnMut(&Check)>(stage: &mut Stage<'_, F>) -> Result<(), CertifyError> {
    let within = stage.partner.within.unwrap_or(FOR_EVER);
    let until = Instant::now() + within;
    let mut access = match timeout_at(until, stage.life()).await {
        Ok(played) => played?,
        Err(_) => stage.late(&LIFE, within),
    };
    for act in Act::ALL {
        if !act.is_played(access) {
            stage.skip(act.question(), access);
            continue;
        }
        match timeout_at(until, act.play(stage, access)).await {
            Ok(played) => played?,
            Err(_) => access = stage.late(act.question(), within),
        }
    }
    stage.answer_time();
    Ok(())
}
