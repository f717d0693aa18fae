//! A certificate is played: all checks in order, each with requests of its own.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookline_common::ids::EventId;
use hookline_common::secret::Secret;
use hookline_outbound::client::{Client, ClientSettings, Drip, MAX_CONNECTION_AGE, Resolver};
use hookline_outbound::request::shown_url;
use jiff::Timestamp;

use crate::checks::{
    AT_ONCE, BAD_SIGNATURE, DRIPS, DUPLICATE, KEEP_ALIVE, LARGEST, OLD_TIMESTAMP, OUT_OF_ORDER, RAW_BODY,
};
use crate::error::CertifyError;
use crate::partner::Partner;
use crate::report::{Check, Report, Verdict};
use crate::request::{Unwritable, Writer};
use crate::stage::{Gate, Stage};
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
        format: partner.format.as_str(),
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

/// All checks, in order.
async fn all<F: FnMut(&Check)>(stage: &mut Stage<'_, F>) -> Result<(), CertifyError> {
    let gate = stage.life().await?;
    if gate == Gate::Open {
        stage.bad_signature().await?;
    } else {
        stage.skip(&BAD_SIGNATURE, gate);
    }
    if gate == Gate::Closed {
        stage.skip(&RAW_BODY, gate);
    } else {
        stage.raw_body(gate).await?;
    }
    if gate == Gate::Open {
        stage.old_timestamp().await?;
        stage.duplicate().await?;
        stage.out_of_order().await?;
        stage.largest().await?;
        stage.at_once().await?;
        stage.drips().await?;
        stage.keep_alive().await?;
    } else {
        for question in [
            &OLD_TIMESTAMP,
            &DUPLICATE,
            &OUT_OF_ORDER,
            &LARGEST,
            &AT_ONCE,
            &DRIPS,
            &KEEP_ALIVE,
        ] {
            stage.skip(question, gate);
        }
    }
    stage.answer_time();
    Ok(())
}
