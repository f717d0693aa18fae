//! What is kept of bookings. Each change and the event that tells of it are one transaction.

use hookline_producer::outbox::sqlx::{self, PgConnection, PgPool, Row as _};
use hookline_producer::outbox::{OutboxError, enqueue};
use hookline_producer::payload::{
    Attendee, BookingCancelled, BookingCreated, BookingRescheduled, CancelledBooking, CreatedBooking, Host,
    Party, Payload, RescheduledBooking,
};
use hookline_producer::{CreatedAt, InvalidEvent};
use serde::Deserialize;
use uuid::Uuid;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS bookings ( \
    id text PRIMARY KEY, company text NOT NULL, event_type_id text NOT NULL, attendee text NOT NULL, host text NOT NULL, \
    starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL, status text NOT NULL DEFAULT 'confirmed')";

const CREATE: &str = "INSERT INTO bookings (id, company, event_type_id, attendee, host, starts_at, ends_at) \
    VALUES ($1, $2, $3, $4, $5, $6::text::timestamptz, $7::text::timestamptz)";

/// Whoever changes the same booking waits at this line until the other one has committed, and finds it no longer confirmed.
const END: &str = "UPDATE bookings SET status = $3 WHERE id = $1 AND company = $2 AND status = 'confirmed' \
    RETURNING event_type_id, attendee, host";

/// What somebody wants to book.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wish {
    pub(crate) event_type_id: String,
    pub(crate) starts_at: String,
    pub(crate) ends_at: String,
    /// An address.
    pub(crate) attendee: String,
    /// An id.
    pub(crate) host: String,
}

/// To when a booking is moved, and by whom.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Move {
    pub(crate) by: By,
    pub(crate) starts_at: String,
    pub(crate) ends_at: String,
}

/// By whom a booking is called off, and why.
#[derive(Debug, Deserialize)]
pub(crate) struct Cancellation {
    pub(crate) by: By,
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    Attendee,
    Host,
}

/// Why a booking is not made or changed.
#[derive(Debug)]
pub(crate) enum BookingError {
    /// There is no such booking, or it is moved or cancelled already.
    NotThere,
    /// What is asked for is no booking.
    Invalid(String),
    /// The database does not do it.
    Database(String),
}

impl From<sqlx::Error> for BookingError {
    fn from(error: sqlx::Error) -> Self {
        // Classes 22 and 23: a value that is none, or breaks a rule.
        let refusal = error.as_database_error();
        let code = refusal.and_then(|refusal| refusal.code());
        match code {
            Some(code) if code.starts_with("22") || code.starts_with("23") => {
                Self::Invalid(error.to_string())
            }
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<OutboxError> for BookingError {
    fn from(error: OutboxError) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<InvalidEvent> for BookingError {
    fn from(error: InvalidEvent) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// The bookings.
#[derive(Clone)]
pub(crate) struct Bookings {
    pool: PgPool,
}

impl Bookings {
    pub(crate) async fn open(pool: PgPool) -> Result<Self, sqlx::Error> {
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self { pool })
    }

    /// Makes one, and returns its id.
    pub(crate) async fn create(&self, company: &str, wish: Wish) -> Result<String, BookingError> {
        let mut tx = self.pool.begin().await?;
        let id = insert(&mut tx, company, &wish).await?;
        let event = BookingCreated {
            booking: CreatedBooking {
                id: id.clone(),
                event_type_id: wish.event_type_id,
                starts_at: wish.starts_at,
                ends_at: wish.ends_at,
                attendee: Attendee {
                    email: wish.attendee,
                    ..Attendee::default()
                },
                host: Host {
                    id: wish.host,
                    email: None,
                },
            },
        };
        enqueue(&mut tx, &event.event(company)?).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Moves one to another time, where it gets another id, which is returned.
    pub(crate) async fn reschedule(&self, company: &str, id: &str, to: Move) -> Result<String, BookingError> {
        let mut tx = self.pool.begin().await?;
        let (event_type_id, attendee, host) = end(&mut tx, company, id, "rescheduled").await?;
        let wish = Wish {
            event_type_id,
            starts_at: to.starts_at,
            ends_at: to.ends_at,
            attendee,
            host,
        };
        let new = insert(&mut tx, company, &wish).await?;
        let event = BookingRescheduled {
            booking: RescheduledBooking {
                id: new.clone(),
                previous_booking_id: id.to_owned(),
                starts_at: wish.starts_at,
                ends_at: wish.ends_at,
                rescheduled_by: to.by.into(),
                rescheduled_at: CreatedAt::now().to_string(),
            },
        };
        enqueue(&mut tx, &event.event(company)?).await?;
        tx.commit().await?;
        Ok(new)
    }

    /// Calls one off.
    pub(crate) async fn cancel(
        &self,
        company: &str,
        id: &str,
        cancellation: Cancellation,
    ) -> Result<(), BookingError> {
        let mut tx = self.pool.begin().await?;
        end(&mut tx, company, id, "cancelled").await?;
        let event = BookingCancelled {
            booking: CancelledBooking {
                id: id.to_owned(),
                cancelled_by: cancellation.by.into(),
                cancellation_reason: cancellation.reason,
                cancelled_at: CreatedAt::now().to_string(),
            },
        };
        enqueue(&mut tx, &event.event(company)?).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn insert(tx: &mut PgConnection, company: &str, wish: &Wish) -> Result<String, BookingError> {
    let id = format!("bkg_{}", Uuid::now_v7().simple());
    sqlx::query(CREATE)
        .bind(&id)
        .bind(company)
        .bind(&wish.event_type_id)
        .bind(&wish.attendee)
        .bind(&wish.host)
        .bind(&wish.starts_at)
        .bind(&wish.ends_at)
        .execute(tx)
        .await?;
    Ok(id)
}

/// Ends a booking, and returns its kind, its attendee and its host.
async fn end(
    tx: &mut PgConnection,
    company: &str,
    id: &str,
    status: &str,
) -> Result<(String, String, String), BookingError> {
    let ended = sqlx::query(END).bind(id).bind(company).bind(status);
    let row = ended.fetch_optional(tx).await?.ok_or(BookingError::NotThere)?;
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

impl From<By> for Party {
    fn from(by: By) -> Self {
        match by {
            By::Attendee => Self::Attendee,
            By::Host => Self::Host,
        }
    }
}
