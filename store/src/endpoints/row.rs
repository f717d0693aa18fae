//! How an endpoint stands in its table.

use hookline_common::endpoint::{EventFilter, EventPattern, Format, Rate};
use hookline_common::ids::{CompanyId, EndpointId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::model::Registered;
use super::sealed::Sealer;
use crate::error::StoreError;
use crate::moment::Moment;
use crate::seal::Keyring;

/// A query of endpoints that ends in `$rest`, with everything of them.
macro_rules! endpoints {
    ($rest:literal) => {
        concat!(
            "SELECT company, id, position, url, format, events, header_names, description, rate, disabled, \
             disabled_reason, overlap_until, created_at, updated_at, headers, secret, previous_secret \
             FROM endpoints ",
            $rest
        )
    };
}
pub(super) use endpoints;

/// All endpoints of some companies, each company's in the order in which they were registered.
pub(crate) const ENDPOINTS_OF_COMPANIES: &str =
    endpoints!("WHERE company = ANY($1) ORDER BY company, position");

/// An endpoint with what is sealed of it.
pub(crate) struct SealedRow {
    pub(crate) endpoint: Registered,
    pub(crate) headers: Option<Vec<u8>>,
    pub(crate) secret: Vec<u8>,
    pub(crate) previous_secret: Option<Vec<u8>>,
}

impl SealedRow {
    pub(crate) fn sealer<'a>(&'a self, keyring: &'a Keyring) -> Sealer<'a> {
        Sealer {
            keyring,
            company: self.endpoint.company.as_str(),
            endpoint: self.endpoint.id.as_str(),
        }
    }
}

/// Everything of a row.
pub(crate) fn sealed_row(row: &PgRow) -> Result<SealedRow, StoreError> {
    Ok(SealedRow {
        endpoint: registered(row)?,
        headers: row.try_get("headers")?,
        secret: row.try_get("secret")?,
        previous_secret: row.try_get("previous_secret")?,
    })
}

/// What of a row is no secret.
pub(super) fn registered(row: &PgRow) -> Result<Registered, StoreError> {
    let text = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    let patterns: Vec<String> = row.try_get("events")?;
    let patterns = patterns.iter().map(|pattern| EventPattern::parse(pattern));
    let rate: Option<String> = row.try_get("rate")?;
    let overlap_until: Option<Moment> = row.try_get("overlap_until")?;
    let format: Format = text("format")?
        .parse()
        .map_err(|_| StoreError::Corrupt("format of an endpoint"))?;
    Ok(Registered {
        company: CompanyId::parse(&text("company")?).map_err(|_| StoreError::Corrupt("company"))?,
        id: EndpointId::parse(&text("id")?).map_err(|_| StoreError::Corrupt("endpoint id"))?,
        position: row.try_get("position")?,
        url: text("url")?,
        format,
        events: patterns
            .collect::<Result<_, _>>()
            .map(EventFilter::new)
            .map_err(|_| StoreError::Corrupt("event pattern"))?,
        header_names: row.try_get("header_names")?,
        description: row.try_get("description")?,
        rate: rate
            .map(|rate| Rate::parse(&rate))
            .transpose()
            .map_err(|_| StoreError::Corrupt("rate"))?,
        disabled: row.try_get("disabled")?,
        disabled_reason: row.try_get("disabled_reason")?,
        overlap_until: overlap_until.map(|moment| moment.0),
        created_at: row.try_get::<Moment, _>("created_at")?.0,
        updated_at: row.try_get::<Moment, _>("updated_at")?.0,
    })
}
