//! Other settings of an endpoint that is there.

use hookline_common::endpoint::{EventFilter, EventPattern, Format, Rate, StaticHeader};
use hookline_common::ids::{CompanyId, EndpointId};
use sqlx::PgConnection;

use super::model::Registered;
use super::read::locked;
use super::row::registered;
use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::error::{InvalidChange, StoreError};

/// What is to be changed; what is `None` stays. The caller has passed URL and headers through the guard.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Where to, in its normal form.
    pub url: Option<String>,
    /// How bodies are written.
    pub format: Option<Format>,
    /// Which events it wants.
    pub events: Option<EventFilter>,
    /// Its static headers, one by one.
    pub headers: Vec<HeaderChange>,
    /// What its owner says about it; `Some(None)` takes it away.
    pub description: Option<Option<String>>,
    /// Attempts at most; `Some(None)` takes it away.
    pub rate: Option<Option<Rate>>,
    /// Whether matched events are failed instead of sent.
    pub disabled: Option<bool>,
}

/// What becomes of one static header.
#[derive(Debug, Clone)]
pub enum HeaderChange {
    /// It is added, or has another value.
    Set(StaticHeader),
    /// It is taken away, if it was there.
    Remove(String),
    /// It stays, and must be there.
    Keep(String),
}

impl Store {
    /// Changes an endpoint. Dispatchers are told, and the audit too, unless it is as it should be already.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Change`] where its headers do not allow it.
    pub async fn change_endpoint(
        &self,
        company: &CompanyId,
        id: &EndpointId,
        change: &Change,
        actor: &Actor,
    ) -> Result<Registered, StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let row = locked(&mut transaction, company, id).await?;
            let sealer = row.sealer(&self.keyring);
            let mut wanted = row.endpoint.clone();
            apply(&mut wanted, change);
            let headers = if change.headers.is_empty() {
                None
            } else {
                let there = sealer.open_headers(row.headers.as_deref())?;
                let merged = merge(there.clone(), &change.headers)?;
                wanted.header_names = merged.iter().map(|header| header.name.clone()).collect();
                (merged != there).then_some(merged)
            };
            // Whoever changes nothing leaves nothing behind: no row, no line of the audit, no call to dispatchers.
            if headers.is_none() && wanted.has_settings_of(&row.endpoint) {
                return Ok(row.endpoint);
            }
            let headers = match headers {
                Some(headers) => sealer.seal_headers(&headers)?,
                None => row.headers.clone(),
            };
            let changed = update(&mut transaction, &wanted, headers).await?;
            // Whoever enables it, or sends it elsewhere, says that what was wrong is mended.
            if change.disabled == Some(false) || change.url.is_some() {
                crate::health::forget_failures(&mut transaction, company, id).await?;
            }
            let deed = Deed {
                company,
                actor,
                action: "endpoint.changed",
                object: id.as_str(),
                before: Some(row.endpoint.masked()),
                after: Some(changed.masked()),
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            Ok(changed)
        })
        .await
    }
}

/// Everything but headers.
fn apply(endpoint: &mut Registered, change: &Change) {
    let Change {
        url,
        format,
        events,
        headers: _,
        description,
        rate,
        disabled,
    } = change.clone();
    if let Some(url) = url {
        endpoint.url = url;
    }
    if let Some(format) = format {
        endpoint.format = format;
    }
    if let Some(events) = events {
        endpoint.events = events;
    }
    if let Some(description) = description {
        endpoint.description = description;
    }
    if let Some(rate) = rate {
        endpoint.rate = rate;
    }
    if let Some(disabled) = disabled {
        endpoint.disabled = disabled;
        // The reason is that of whoever disabled it, and this was by hand.
        endpoint.disabled_reason = None;
    }
}

/// The headers after the changes; names count whatever their case.
fn merge(
    mut headers: Vec<StaticHeader>,
    changes: &[HeaderChange],
) -> Result<Vec<StaticHeader>, InvalidChange> {
    for change in changes {
        let (HeaderChange::Remove(name)
        | HeaderChange::Keep(name)
        | HeaderChange::Set(StaticHeader { name, .. })) = change;
        let at = headers
            .iter()
            .position(|header| header.name.eq_ignore_ascii_case(name));
        match (change, at) {
            (HeaderChange::Keep(name), None) => return Err(InvalidChange::NoSuchHeader(name.clone())),
            (HeaderChange::Keep(_), Some(_)) | (HeaderChange::Remove(_), None) => {}
            (HeaderChange::Remove(_), Some(at)) => drop(headers.remove(at)),
            (HeaderChange::Set(header), None) => headers.push(header.clone()),
            (HeaderChange::Set(header), Some(at)) => {
                if let Some(there) = headers.get_mut(at) {
                    there.clone_from(header);
                }
            }
        }
    }
    if headers.len() > StaticHeader::MAX_PER_ENDPOINT {
        return Err(InvalidChange::TooManyHeaders);
    }
    Ok(headers)
}

/// Writes all settings of a row that is locked, and its headers.
pub(super) async fn update(
    transaction: &mut PgConnection,
    endpoint: &Registered,
    headers: Option<Vec<u8>>,
) -> Result<Registered, StoreError> {
    let patterns = endpoint.events.patterns().iter().map(EventPattern::as_str);
    let row = sqlx::query(
        "UPDATE endpoints SET url = $3, format = $4, events = $5, header_names = $6, headers = $7, description = $8, \
         rate = $9, disabled = $10, disabled_reason = $11, updated_at = now() \
         WHERE company = $1 AND id = $2 RETURNING *",
    )
    .bind(endpoint.company.as_str())
    .bind(endpoint.id.as_str())
    .bind(&endpoint.url)
    .bind(endpoint.format.as_str())
    .bind(patterns.collect::<Vec<_>>())
    .bind(&endpoint.header_names)
    .bind(headers)
    .bind(&endpoint.description)
    .bind(endpoint.rate.map(|rate| rate.to_string()))
    .bind(endpoint.disabled)
    .bind(&endpoint.disabled_reason)
    .fetch_one(transaction)
    .await?;
    registered(&row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> StaticHeader {
        StaticHeader {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn headers_are_changed_one_by_one_whatever_their_case() {
        let there = vec![header("x-a", "1"), header("x-b", "2")];
        let changes = [
            HeaderChange::Set(header("X-B", "3")),
            HeaderChange::Remove("X-A".to_owned()),
            HeaderChange::Remove("x-none".to_owned()),
            HeaderChange::Set(header("x-c", "4")),
            HeaderChange::Keep("x-b".to_owned()),
        ];
        let merged = merge(there, &changes).unwrap();
        assert!(merged == [header("X-B", "3"), header("x-c", "4")]);
    }

    #[test]
    fn what_is_not_there_cannot_be_kept_and_too_many_are_refused() {
        let keep = HeaderChange::Keep("x-a".to_owned());
        let refused = merge(Vec::new(), &[keep]).unwrap_err();
        assert_eq!(refused, InvalidChange::NoSuchHeader("x-a".to_owned()));
        let many = (0..=StaticHeader::MAX_PER_ENDPOINT).map(|number| header(&format!("x-{number}"), ""));
        let many: Vec<_> = many.map(HeaderChange::Set).collect();
        assert_eq!(merge(Vec::new(), &many[1..]).unwrap().len(), 20);
        assert_eq!(
            merge(Vec::new(), &many).unwrap_err(),
            InvalidChange::TooManyHeaders
        );
    }
}
