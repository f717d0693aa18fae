//! An endpoint's secrets and header values, sealed for their row and column, and opened again.

use hookline_common::endpoint::StaticHeader;
use hookline_common::secret::Secret;
use secrecy::zeroize::Zeroizing;

use crate::error::StoreError;
use crate::seal::{Keyring, Place};

/// The columns that hold something sealed.
pub(crate) const SECRET: &str = "secret";
pub(crate) const PREVIOUS_SECRET: &str = "previous_secret";
pub(crate) const HEADERS: &str = "headers";

/// Of one endpoint.
#[derive(Clone, Copy)]
pub(crate) struct Sealer<'a> {
    pub(crate) keyring: &'a Keyring,
    pub(crate) company: &'a str,
    pub(crate) endpoint: &'a str,
}

impl<'a> Sealer<'a> {
    fn place(self, purpose: &'static str) -> Place<'a> {
        Place {
            company: self.company,
            endpoint: self.endpoint,
            purpose,
        }
    }

    pub(crate) fn seal_secret(self, purpose: &'static str, secret: &Secret) -> Result<Vec<u8>, StoreError> {
        Ok(self
            .keyring
            .seal(self.place(purpose), secret.expose().as_bytes())?)
    }

    pub(crate) fn open_secret(self, purpose: &'static str, blob: &[u8]) -> Result<Secret, StoreError> {
        let opened = self.keyring.open(self.place(purpose), blob)?;
        let text = std::str::from_utf8(&opened).map_err(|_| StoreError::Corrupt("secret"))?;
        Secret::parse(text).map_err(|_| StoreError::Corrupt("secret"))
    }

    /// Names and values in their order; nothing where there are none.
    pub(crate) fn seal_headers(self, headers: &[StaticHeader]) -> Result<Option<Vec<u8>>, StoreError> {
        if headers.is_empty() {
            return Ok(None);
        }
        let pairs: Vec<[&str; 2]> = headers
            .iter()
            .map(|header| [header.name.as_str(), header.value.as_str()])
            .collect();
        let text = serde_json::to_vec(&pairs).map_err(|_| StoreError::Corrupt("header"))?;
        let text = Zeroizing::new(text);
        Ok(Some(self.keyring.seal(self.place(HEADERS), &text)?))
    }

    pub(crate) fn open_headers(self, blob: Option<&[u8]>) -> Result<Vec<StaticHeader>, StoreError> {
        let Some(blob) = blob else { return Ok(Vec::new()) };
        let opened = self.keyring.open(self.place(HEADERS), blob)?;
        let pairs: Vec<(String, String)> =
            serde_json::from_slice(&opened).map_err(|_| StoreError::Corrupt("header"))?;
        let headers = pairs
            .into_iter()
            .map(|(name, value)| StaticHeader { name, value });
        Ok(headers.collect())
    }

    /// The same under the newest key; nothing where it is already.
    pub(crate) fn reseal(self, purpose: &'static str, blob: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if self.keyring.is_newest(blob) {
            return Ok(None);
        }
        let opened = self.keyring.open(self.place(purpose), blob)?;
        Ok(Some(self.keyring.seal(self.place(purpose), &opened)?))
    }
}
