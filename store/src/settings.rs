//! The database as operators set it, for every program that uses it.

use hookline_common::settings::Reader;
use hookline_common::settings::variables as var;

use crate::connect::{Database, StoreSettings};
use crate::seal::Keyring;

impl StoreSettings {
    /// Reads where the database is, for a program that opens what is sealed there.
    #[must_use]
    pub fn read(reader: &mut Reader<'_>, application: &'static str, max_connections: u32) -> Option<Self> {
        let (database, keyring) = (database(reader), keyring(reader));
        Some(Self {
            database: database?,
            keyring: keyring?,
            application,
            max_connections,
        })
    }

    /// The same, for a program that opens nothing.
    #[must_use]
    pub fn read_without_keys(
        reader: &mut Reader<'_>,
        application: &'static str,
        max_connections: u32,
    ) -> Option<Self> {
        Some(Self {
            database: database(reader)?,
            keyring: Keyring::empty(),
            application,
            max_connections,
        })
    }
}

fn database(reader: &mut Reader<'_>) -> Option<Database> {
    let allowed = "must be set: postgres://user:password@host:5432/hookline";
    reader.required(&var::DATABASE_URL, Database::parse, allowed)
}

fn keyring(reader: &mut Reader<'_>) -> Option<Keyring> {
    let allowed = "must be set: 32 random bytes in base64, as `openssl rand -base64 32` prints them";
    reader.required(&var::MASTER_KEY, Keyring::parse, allowed)
}
