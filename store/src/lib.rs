//! What Hookline keeps in PostgreSQL: the only crate with SQL. The console reads and writes through it; dispatchers
//! only read, through [`Store::companies`] and [`Store::changes`].
//!
//! One resource a file, and in each the methods of [`Store`] for it. Every key begins with the company, so that no query
//! can reach another's rows.

mod error; // what can go wrong
mod moment; // times as the database has them
mod copy; // many rows at once
mod random; // secrets, tokens and ids
pub mod seal; // what is kept encrypted, and under which keys
mod connect; // the pool, and how long anything may take
mod shares; // how much of it each may have at once
mod settings; // what an operator sets of it
mod migrate; // the schema, forward only
mod page; // lists, a page at a time
mod audit; // who did what, in the same transaction
mod endpoints; // the registry
mod tokens; // a company's own tokens
mod sessions; // who is signed in to the dashboard
mod companies; // who has anything here
mod registry; // what dispatchers read of it
mod changes; // and what has changed there
mod certificates; // how endpoints did when a booking's life was played against them
mod dead_letters; // what failed for good, until it is delivered or discarded
mod health; // how endpoints fare, and those that are disabled for it
mod counts; // how many attempts ended how, over time
mod operational; // what companies are told about that
mod reseal; // everything sealed, under the newest key
mod leadership; // who of several consoles does what one should do
mod log; // attempts, deliveries and events
mod deliveries; // what became of each event at each endpoint
mod problems; // what fails, as a person solves it
mod backlog; // and how much of it there is
mod kept; // events with the payloads that were kept
mod sent_again; // which are sent again, once
mod feed; // all of them, in the order in which they were recorded

pub use self::audit::{Actor, AuditEntry};
pub use self::backlog::Backlog;
pub use self::certificates::{Certificate, CertificateRun, CertificateStart};
pub use self::changes::{Changed, Changes};
pub use self::companies::CompanySummary;
pub use self::connect::{Database, InvalidDatabaseUrl, Store, StoreSettings};
pub use self::counts::{Counts, CountsAt, Histogram, Step};
pub use self::dead_letters::{
    DeadLetter, DeadLetterFilter, EndpointLetters, NewDeadLetter, NotedStep, RetryJob, RetryPart, RetryState,
    RetryStep,
};
pub use self::deliveries::{
    DeliveryCursor, DeliveryDetail, DeliveryFilter, DeliveryStatus, LoggedAttempt, LoggedDelivery,
};
pub use self::endpoints::{
    Change, HeaderChange, ImportOutcome, ImportedEndpoint, NewEndpoint, Overlap, Registered, Rotated,
};
pub use self::error::{InvalidChange, Problem, StoreError};
pub use self::feed::{Feed, FeedCursor, FeedEvent};
pub use self::health::{DisableReason, Disabled, EndpointHealth, Standing, Standings};
pub use self::kept::KeptEvent;
pub use self::leadership::Leadership;
pub use self::log::{Dropped, LogBatch, Predecessor, Recorded, SetAside, StreamPlace, Turn};
pub use self::migrate::{SchemaError, SchemaState};
pub use self::operational::OperationalEvent;
pub use self::page::{Cursor, Page};
pub use self::problems::FailingGroup;
pub use self::random::{NoRandomness, new_endpoint_id, new_secret};
pub use self::registry::{CompanyEndpoint, Unopened};
pub use self::reseal::Resealed;
pub use self::sessions::{Entrance, OperatorCredential, Session, SessionKey};
pub use self::shares::{Share, ShareSizes, Shares};
pub use self::tokens::{NewToken, PresentedToken, Token, TokenText};
