//! What every handler needs. Clones share it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hookline_common::shutdown::Shutdown;
use hookline_common::telemetry::Telemetry;
use hookline_store::{Store, StoreSettings};
use tokio::sync::Notify;

use crate::certificate_places::CertificatePlaces;
use crate::database_shares::{CONNECTIONS_OF_RETRIES, DatabaseShares};
use crate::feed_places::FeedPlaces;
use crate::followed_attempts::FollowedAttempts;
use crate::guess_limits::Guesses;
use crate::known_tokens::KnownTokens;
use crate::limits::Rates;
use crate::publishing::Publishing;
use crate::queue_depths::QueueDepths;
use crate::sendings::Sendings;
use crate::settings::Settings;
use crate::sign_in_limits::SignInTries;

/// Connections to the database for work in the background: recording needs two, retries of many have some, and each other kind
/// of it needs one at a time.
const BACKGROUND_CONNECTIONS: u32 = 5 + CONNECTIONS_OF_RETRIES;

/// The parts that requests are answered with.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

struct Parts {
    settings: Settings,
    store: Store,
    background_store: Store,
    publishing: Publishing,
    attempts: FollowedAttempts,
    queue_depths: QueueDepths,
    known_tokens: KnownTokens,
    certificate_places: CertificatePlaces,
    feed_places: FeedPlaces,
    database_shares: DatabaseShares,
    telemetry: Arc<Telemetry>,
    shutdown: Shutdown,
    rates: Rates,
    sign_in_tries: SignInTries,
    guesses: Guesses,
    is_migrated: AtomicBool,
    /// Somebody asked for a retry.
    retries_asked: Notify,
    sendings: Sendings,
    description: String,
}

impl App {
    /// Connects to the broker, and to the database when it is asked.
    pub(crate) fn new(
        settings: Settings,
        telemetry: Arc<Telemetry>,
        shutdown: Shutdown,
        description: String,
    ) -> Self {
        let database_shares = DatabaseShares::new();
        Self(Arc::new(Parts {
            store: Store::new(settings.store.clone()),
            background_store: Store::for_background(StoreSettings {
                application: "hookline-console background",
                max_connections: BACKGROUND_CONNECTIONS,
                ..settings.store.clone()
            }),
            publishing: Publishing::start(&settings.broker),
            attempts: FollowedAttempts::new(&settings.broker),
            queue_depths: QueueDepths::new(
                &settings.broker,
                settings.management.clone(),
                &settings.retry_schedule,
            ),
            known_tokens: KnownTokens::new(),
            certificate_places: CertificatePlaces::default(),
            feed_places: FeedPlaces::default(),
            rates: Rates::new(settings.api_rate),
            sign_in_tries: SignInTries::new(),
            guesses: Guesses::new(database_shares.of_strangers()),
            database_shares,
            settings,
            telemetry,
            shutdown,
            is_migrated: AtomicBool::new(false),
            retries_asked: Notify::new(),
            sendings: Sendings::default(),
            description,
        }))
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// The same for work that no request waits for, over connections of its own.
    pub(crate) fn background_store(&self) -> &Store {
        &self.0.background_store
    }

    /// What events and test events are published with.
    pub(crate) fn publishing(&self) -> &Publishing {
        &self.0.publishing
    }

    /// What becomes of test events.
    pub(crate) fn attempts(&self) -> &FollowedAttempts {
        &self.0.attempts
    }

    /// How deep the broker's queues are.
    pub(crate) fn queue_depths(&self) -> &QueueDepths {
        &self.0.queue_depths
    }

    /// Tokens that were good a moment ago.
    pub(crate) fn known_tokens(&self) -> &KnownTokens {
        &self.0.known_tokens
    }

    /// Room for certificates that are being played.
    pub(crate) fn certificate_places(&self) -> &CertificatePlaces {
        &self.0.certificate_places
    }

    /// Room for answers of the feed that are on their way.
    pub(crate) fn feed_places(&self) -> &FeedPlaces {
        &self.0.feed_places
    }

    /// Who may have how much of the database at once.
    pub(crate) fn database_shares(&self) -> &DatabaseShares {
        &self.0.database_shares
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.0.rates
    }

    /// Woken when somebody asks this console for a retry.
    pub(crate) fn retries_asked(&self) -> &Notify {
        &self.0.retries_asked
    }

    /// What is just sent again by hand.
    pub(crate) fn sendings(&self) -> &Sendings {
        &self.0.sendings
    }

    /// Who has tried to sign in.
    pub(crate) fn sign_in_tries(&self) -> &SignInTries {
        &self.0.sign_in_tries
    }

    /// Who has shown sessions and links that are nobody's.
    pub(crate) fn guesses(&self) -> &Guesses {
        &self.0.guesses
    }

    /// The API in OpenAPI.
    pub(crate) fn description(&self) -> &str {
        &self.0.description
    }

    /// Whether the schema is known to be the one that is needed.
    pub(crate) fn is_migrated(&self) -> bool {
        self.0.is_migrated.load(Ordering::Relaxed)
    }

    pub(crate) fn set_migrated(&self, is_migrated: bool) {
        self.0.is_migrated.store(is_migrated, Ordering::Relaxed);
    }
}
