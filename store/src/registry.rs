//! What dispatchers read of the registry: companies' endpoints with their keys, and which companies have changed.

use hookline_common::endpoint::{Endpoint, EventFilter, Format};
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::signature::SigningKeys;
use jiff::Timestamp;
use sqlx::postgres::PgListener;

use crate::connect::{Store, within};
use crate::endpoints::{ENDPOINTS_OF_COMPANIES, Registered, SealedRow, sealed_row};
use crate::error::StoreError;

/// What the database calls when endpoints have changed, with the company.
const CHANNEL: &str = "hookline_endpoints";

/// An endpoint, ready to be sent to.
#[derive(Debug, Clone)]
pub struct CompanyEndpoint {
    /// The endpoint, with the keys that count while a rotation overlaps, or the only ones.
    pub endpoint: Endpoint,
    /// While a rotation overlaps: when that ends, and the keys that count from then on.
    pub after_overlap: Option<(Timestamp, SigningKeys)>,
}

/// An endpoint that cannot be sent to now, as what is sealed of it cannot be opened.
#[derive(Debug)]
pub struct Unopened {
    /// Whose it is.
    pub company: CompanyId,
    /// Which one.
    pub endpoint: EndpointId,
    /// How its requests are written.
    pub format: Format,
    /// What it wants.
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
        let query = sqlx::query(ENDPOINTS_OF_COMPANIES).bind(companies);
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let rows = rows.iter().map(sealed_row).collect::<Result<Vec<_>, _>>()?;
        let opened = rows.into_iter().map(|row| {
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
        });
        Ok(opened.collect())
    }

    fn open(&self, row: SealedRow) -> Result<CompanyEndpoint, StoreError> {
        let sealer = row.sealer(&self.keyring);
        let secret = sealer.open_secret("secret", &row.secret)?;
        let previous = row.previous_secret.as_deref();
        let previous = previous.map(|blob| sealer.open_secret("previous_secret", blob));
        let previous = previous.transpose()?;
        let headers = sealer.open_headers(row.headers.as_deref())?;
        let only_new = SigningKeys::new(&secret, None);
        let until = row
            .endpoint
            .overlap_until
            .filter(|until| *until > Timestamp::now());
        let (keys, after_overlap) = match (previous, until) {
            (Some(previous), Some(until)) => (
                SigningKeys::new(&secret, Some(&previous)),
                Some((until, only_new)),
            ),
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

    /// Hears from now on which companies' endpoints have changed, on a connection of its own.
    ///
    /// # Errors
    /// [`StoreError`] where that connection cannot be made.
    pub async fn changes(&self) -> Result<Changes, StoreError> {
        within(async {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.listen(CHANNEL).await?;
            Ok(Changes(listener))
        })
        .await
    }
}

/// Companies whose endpoints have changed, as they change.
pub struct Changes(PgListener);

impl Changes {
    /// The next company; `None` where the connection was lost: whatever changed meanwhile was not heard, so everything has
    /// to be looked at again.
    ///
    /// # Errors
    /// [`StoreError`] while the database is away. The next call tries to connect again.
    pub async fn next(&mut self) -> Result<Option<CompanyId>, StoreError> {
        loop {
            let Some(told) = self.0.try_recv().await? else {
                return Ok(None);
            };
            if let Ok(company) = CompanyId::parse(told.payload()) {
                return Ok(Some(company));
            }
        }
    }
}
