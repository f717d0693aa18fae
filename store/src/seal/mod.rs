//! What is kept encrypted: endpoint secrets and header values, each bound to where it belongs, under one of several keys.
//!
//! A blob is its version (1 byte), the id of its key (8), a random nonce (24), and what XChaCha20-Poly1305 makes of the
//! text. Company, endpoint and purpose are authenticated along with it: moved to another row or column it cannot be opened.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::zeroize::Zeroizing;
use sha2::{Digest as _, Sha256};

use crate::random::{self, NoRandomness};

const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;
/// More keys than a rotation needs would be a mistake.
const MAX_KEYS: usize = 16;

/// Where something sealed belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Whose it is.
    pub company: &'a str,
    /// Of which endpoint.
    pub endpoint: &'a str,
    /// What it is: the name of its column.
    pub purpose: &'static str,
}

impl Place<'_> {
    /// The parts with their lengths, so that no two places are written alike.
    fn associated_data(&self, head: &[u8]) -> Vec<u8> {
        let mut data = b"hookline\0".to_vec();
        data.extend_from_slice(head);
        for part in [self.company, self.endpoint, self.purpose] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

/// The keys of `HOOKLINE_MASTER_KEY`: the first seals, all open.
#[derive(Clone)]
pub struct Keyring(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: [u8; KEY_ID_BYTES],
    cipher: XChaCha20Poly1305,
}

impl Keyring {
    /// Reads keys of 32 bytes in base64, comma-separated, the newest first.
    ///
    /// # Errors
    /// [`InvalidKeys`] says which key is wrong and why, without a character of it.
    pub fn parse(text: &str) -> Result<Self, InvalidKeys> {
        let mut keys: Vec<Key> = Vec::new();
        for (index, item) in text.split(',').enumerate() {
            let number = index + 1;
            if number > MAX_KEYS {
                return Err(InvalidKeys::TooMany);
            }
            let key = Key::parse(item.trim(), number)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(InvalidKeys::Twice { number });
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// No key at all, for whoever has nothing to seal or open.
    #[must_use]
    pub fn empty() -> Self {
        Self(Vec::new())
    }

    /// Seals `text` for its place under the newest key.
    ///
    /// # Errors
    /// [`SealError`] where there is no key, or the system has no random numbers to give.
    pub fn seal(&self, place: Place<'_>, text: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.0.first().ok_or(SealError::NoKey)?;
        let nonce = random::bytes::<NONCE_BYTES>()?;
        let mut blob = Vec::with_capacity(HEAD_BYTES + text.len() + 16);
        blob.push(VERSION);
        blob.extend_from_slice(&key.id);
        let associated = place.associated_data(&blob);
        blob.extend_from_slice(&nonce);
        let payload = Payload {
            msg: text,
            aad: &associated,
        };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload);
        blob.extend_from_slice(&sealed.map_err(|_| SealError::Damaged)?);
        Ok(blob)
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`SealError`]: changed by a single bit, cut short, of another place, or under a key that is not here.
    pub fn open(&self, place: Place<'_>, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (head, sealed) = blob.split_at_checked(HEAD_BYTES).ok_or(SealError::Damaged)?;
        let (identified, nonce) = head
            .split_at_checked(1 + KEY_ID_BYTES)
            .ok_or(SealError::Damaged)?;
        let key_id = key_id(blob).ok_or(SealError::Damaged)?;
        let key = self.0.iter().find(|key| key.id == key_id);
        let key = key.ok_or_else(|| SealError::UnknownKey { id: hex(&key_id) })?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Damaged)?;
        let payload = Payload {
            msg: sealed,
            aad: &place.associated_data(identified),
        };
        let opened = key.cipher.decrypt(&XNonce::from(nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| SealError::Damaged)
    }

    /// Whether the blob is sealed under the newest key.
    #[must_use]
    pub fn is_newest(&self, blob: &[u8]) -> bool {
        let newest = self.0.first().map(|key| key.id);
        newest.is_some() && newest == key_id(blob)
    }
}

/// The id of the key that a blob is sealed under, if it is a blob of this version.
fn key_id(blob: &[u8]) -> Option<[u8; KEY_ID_BYTES]> {
    let (version, rest) = blob.split_first()?;
    (*version == VERSION).then(|| rest.first_chunk().copied())?
}

impl Key {
    fn parse(text: &str, number: usize) -> Result<Self, InvalidKeys> {
        if text.is_empty() {
            return Err(InvalidKeys::Missing { number });
        }
        let bytes = STANDARD.decode(text).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| InvalidKeys::NotBase64 { number })?;
        let key: &[u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| InvalidKeys::Length {
            number,
            bytes: bytes.len(),
        })?;
        if key.iter().all(|byte| Some(byte) == key.first()) {
            return Err(InvalidKeys::NotRandom { number });
        }
        let digest = Sha256::new()
            .chain_update(b"hookline master key\0")
            .chain_update(key)
            .finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Ok(Self {
            id,
            cipher: XChaCha20Poly1305::new(key.into()),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(***)")
    }
}

/// Why something sealed cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed under a key that is not there.
    #[error(
        "something in the database is sealed under the key {id}, which HOOKLINE_MASTER_KEY does not hold; add that key \
         behind the newest one, then run `hookline-console reseal`"
    )]
    UnknownKey {
        /// The key's id in hex; the key itself cannot be told from it.
        id: String,
    },
    /// Nothing can be sealed without random numbers.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// There is no key to seal with.
    #[error("HOOKLINE_MASTER_KEY is not set, so nothing can be sealed")]
    NoKey,
    /// It is not what was sealed here.
    #[error(
        "something sealed in the database was changed, cut short or moved; restore the row from a backup, or rotate the \
         endpoint's secret"
    )]
    Damaged,
}

/// Why a text holds no master keys. No part of the text is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Nothing where a key should stand.
    #[error("key {number} is missing; {ALLOWED}")]
    Missing {
        /// Which, counted from 1.
        number: usize,
    },
    /// Not base64.
    #[error("key {number} is no base64; {ALLOWED}")]
    NotBase64 {
        /// Which, counted from 1.
        number: usize,
    },
    /// Not 32 bytes.
    #[error("key {number} has {bytes} bytes; {ALLOWED}")]
    Length {
        /// Which, counted from 1.
        number: usize,
        /// How many.
        bytes: usize,
    },
    /// The same byte all over, which nobody drew at random.
    #[error("key {number} is the same byte 32 times, and no key; {ALLOWED}")]
    NotRandom {
        /// Which, counted from 1.
        number: usize,
    },
    /// A key for the second time.
    #[error("key {number} stands here for the second time; leave it out")]
    Twice {
        /// Which, counted from 1.
        number: usize,
    },
    /// More than anybody needs.
    #[error("at most {MAX_KEYS} keys are allowed")]
    TooMany,
}

const ALLOWED: &str = "a key must be 32 random bytes in base64 (`openssl rand -base64 32`), several comma-separated, the newest first";

#[cfg(test)]
mod tests;
