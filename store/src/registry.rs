//! What dispatchers read of the registry: companies' endpoints with their keys.

use hookline_common::endpoint::{Endpoint, EventFilter, EventPattern, Format};
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::signature::SigningKeys;
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tracing::error;

use crate::connect::{Store, within};
use crate::endpoints::{ENDPOINTS_OF_COMPANIES, Registered, SealedRow, sealed_row};
use crate::error::StoreError;

/// An endpoint, ready to be sent to.
#[derive(Debug, Clone)]
pub struct CompanyEndpoint {
    /// The endpoint, with the keys that count while a rotation overlaps, or the only ones.
    pub endpoint: Endpoint,
    /// While a rotation overlaps: when that ends, and the keys that count from then on.
    pub after_overlap: Option<(Timestamp, SigningKeys)>,
}

/// An endpoint that cannot be sent to now: what is sealed of it cannot be opened, or its row holds what this version does
/// not know.
#[derive(Debug)]
pub struct Unopened {
    /// Whose it is.
    pub company: CompanyId,
    /// Which one.
    pub endpoint: EndpointId,
    /// How its requests are written, as far as that can be read.
    pub format: Format,
    /// What it wants; everything, where that cannot be read.
    pub events: EventFilter,
    /// What is wrong.
    pub error: StoreError,
}

impl Store {
    /// All endpoints of these companies. One that cannot be opened does not keep the others from their events: it stands
    /// in its place with the reason.
    ///
    /// # Errors
    /// [`StoreError`] where nothing can be said about any of them.
    pub async fn companies(
        &self,
        companies: &[CompanyId],
    ) -> Result<Vec<Result<CompanyEndpoint, Unopened>>, StoreError> {
        let companies: Vec<&str> = companies.iter().map(CompanyId::as_str).collect();
        let rows = within(async {
            let mut lent = self.lend().await?;
            let query = sqlx::query(ENDPOINTS_OF_COMPANIES).bind(companies);
            let rows = query.fetch_all(lent.connection()?).await?;
            lent.give_back();
            Ok(rows)
        })
        .await?;
        let opened = rows.iter().filter_map(|row| match sealed_row(row) {
            Ok(row) => Some(self.open_or_tell(row)),
            Err(error) => unreadable(row, error).map(Err),
        });
        Ok(opened.collect())
    }

    /// Whether anybody has any endpoint.
    ///
    /// # Errors
    /// [`StoreError`] where that cannot be said.
    pub async fn has_endpoints(&self) -> Result<bool, StoreError> {
        within(async {
            let mut lent = self.lend().await?;
            let query = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM endpoints)");
            let has_some = query.fetch_one(lent.connection()?).await?;
            lent.give_back();
            Ok(has_some)
        })
        .await
    }

    fn open_or_tell(&self, row: SealedRow) -> Result<CompanyEndpoint, Unopened> {
        let Registered {
            company,
            id,
            format,
            events,
            ..
        } = row.endpoint.clone();
        self.open(row).map_err(|error| Unopened {
            company,
            endpoint: id,
            format,
            events,
            error,
        })
    }

    /// Its keys and header values, opened.
    pub(crate) fn open(&self, row: SealedRow) -> Result<CompanyEndpoint, StoreError> {
        let sealer = row.sealer(&self.keyring);
        let secret = sealer.open_secret("secret", &row.secret)?;
        let headers = sealer.open_headers(row.headers.as_deref())?;
        let only_new = SigningKeys::new(&secret, None);
        let until = row
            .endpoint
            .overlap_until
            .filter(|until| *until > Timestamp::now());
        let (keys, after_overlap) = match (row.previous_secret.as_deref(), until) {
            (Some(previous), Some(until)) => {
                let previous = sealer.open_secret("previous_secret", previous)?;
                (
                    SigningKeys::new(&secret, Some(&previous)),
                    Some((until, only_new)),
                )
            }
            _ => (only_new, None),
        };
        let endpoint = row.endpoint;
        Ok(CompanyEndpoint {
            endpoint: Endpoint {
                id: endpoint.id,
                company: endpoint.company,
                url: endpoint.url,
                format: endpoint.format,
                events: endpoint.events,
                headers,
                rate: endpoint.rate,
                disabled: endpoint.disabled,
                keys,
            },
            after_overlap,
        })
    }
}

/// What can be told of a row that this version cannot read, perhaps as a newer one wrote it. One that does not even say
/// whose it is belongs to nobody's events.
fn unreadable(row: &PgRow, error: StoreError) -> Option<Unopened> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let company = text("company").and_then(|text| CompanyId::parse(&text).ok());
    let endpoint = text("id").and_then(|text| EndpointId::parse(&text).ok());
    let (Some(company), Some(endpoint)) = (company, endpoint) else {
        error!(%error, "a row of the registry is left out");
        return None;
    };
    let format = text("format").and_then(|text| text.parse().ok());
    let patterns = row.try_get::<Vec<String>, _>("events").ok();
    let patterns = patterns.and_then(|patterns| {
        let patterns = patterns.iter().map(|pattern| EventPattern::parse(pattern).ok());
        patterns.collect::<Option<_>>()
    });
    Some(Unopened {
        company,
        endpoint,
        format: format.unwrap_or_default(),
        events: patterns.map(EventFilter::new).unwrap_or_default(),
        error,
    })
}
