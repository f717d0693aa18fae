//! The data of the catalogue's types, so that the compiler knows the names of their fields. Other types, and further fields, are
//! written with [`Event::with_json`] or [`Event::new`].
//!
//! ```
//! use hookline_producer::payload::{BookingCancelled, CancelledBooking, Party, Payload};
//!
//! let cancelled = BookingCancelled {
//!     booking: CancelledBooking {
//!         id: "bkg_7Q2M4XK9".into(),
//!         cancelled_by: Party::Host,
//!         cancellation_reason: Some("Ill today, sorry".into()),
//!         cancelled_at: "2031-05-15T07:12:45Z".into(),
//!     },
//! };
//! let event = cancelled.event("acme")?;
//! assert_eq!(event.event_type.as_str(), "booking.cancelled");
//! assert!(event.data.as_str().contains(r#""status":"cancelled""#));
//! # Ok::<(), hookline_producer::InvalidEvent>(())
//! ```
//!
//! Times are RFC 3339, like `2031-05-14T09:00:00Z`, as every time library writes them.

use hookline_common::event::{Event, InvalidEvent};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// Data of a type that the catalogue knows.
pub trait Payload: Serialize {
    /// The type's name.
    const EVENT_TYPE: &'static str;

    /// An event of the company with this data, that happens now and has a new id.
    ///
    /// # Errors
    /// As [`Event::with_json`].
    fn event(&self, company: &str) -> Result<Event, InvalidEvent>
    where
        Self: Sized,
    {
        Event::with_json(company, Self::EVENT_TYPE, self)
    }
}

/// `booking.created`: a booking was made and is confirmed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BookingCreated {
    /// The booking.
    pub booking: CreatedBooking,
}

impl Payload for BookingCreated {
    const EVENT_TYPE: &'static str = "booking.created";
}

/// The booking of a [`BookingCreated`]. Its `status` is written as `confirmed`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreatedBooking {
    /// The booking's id.
    pub id: String,
    /// What kind of appointment was booked.
    pub event_type_id: String,
    /// When it begins.
    pub starts_at: String,
    /// When it ends.
    pub ends_at: String,
    /// Who comes.
    pub attendee: Attendee,
    /// Who hosts.
    pub host: Host,
}

impl Serialize for CreatedBooking {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut booking = serializer.serialize_struct("CreatedBooking", 7)?;
        booking.serialize_field("id", &self.id)?;
        booking.serialize_field("eventTypeId", &self.event_type_id)?;
        booking.serialize_field("status", "confirmed")?;
        booking.serialize_field("startsAt", &self.starts_at)?;
        booking.serialize_field("endsAt", &self.ends_at)?;
        booking.serialize_field("attendee", &self.attendee)?;
        booking.serialize_field("host", &self.host)?;
        booking.end()
    }
}

/// Who has booked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attendee {
    /// The address.
    pub email: String,
    /// The first name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// A name of the IANA time zone database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// Who is booked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Host {
    /// The host's id.
    pub id: String,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// `booking.cancelled`: a booking was called off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BookingCancelled {
    /// The booking.
    pub booking: CancelledBooking,
}

impl Payload for BookingCancelled {
    const EVENT_TYPE: &'static str = "booking.cancelled";
}

/// The booking of a [`BookingCancelled`]. Its `status` is written as `cancelled`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelledBooking {
    /// The booking's id.
    pub id: String,
    /// By whom.
    pub cancelled_by: Party,
    /// Why, in the words of whoever called it off.
    pub cancellation_reason: Option<String>,
    /// When.
    pub cancelled_at: String,
}

impl Serialize for CancelledBooking {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut booking = serializer.serialize_struct("CancelledBooking", 5)?;
        booking.serialize_field("id", &self.id)?;
        booking.serialize_field("status", "cancelled")?;
        booking.serialize_field("cancelledBy", &self.cancelled_by)?;
        if let Some(reason) = &self.cancellation_reason {
            booking.serialize_field("cancellationReason", reason)?;
        }
        booking.serialize_field("cancelledAt", &self.cancelled_at)?;
        booking.end()
    }
}

/// One of the two whom a booking concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// Who has booked.
    Attendee,
    /// Who is booked.
    Host,
}

/// `booking.rescheduled`: a booking was moved. The new one has an id of its own and names the one that it replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BookingRescheduled {
    /// The new booking.
    pub booking: RescheduledBooking,
}

impl Payload for BookingRescheduled {
    const EVENT_TYPE: &'static str = "booking.rescheduled";
}

/// The booking of a [`BookingRescheduled`]. Its `status` is written as `confirmed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescheduledBooking {
    /// The new booking's id.
    pub id: String,
    /// The booking that it replaces.
    pub previous_booking_id: String,
    /// When it begins now.
    pub starts_at: String,
    /// When it ends now.
    pub ends_at: String,
    /// Who moved it.
    pub rescheduled_by: Party,
    /// When it was moved.
    pub rescheduled_at: String,
}

impl Serialize for RescheduledBooking {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut booking = serializer.serialize_struct("RescheduledBooking", 7)?;
        booking.serialize_field("id", &self.id)?;
        booking.serialize_field("previousBookingId", &self.previous_booking_id)?;
        booking.serialize_field("status", "confirmed")?;
        booking.serialize_field("startsAt", &self.starts_at)?;
        booking.serialize_field("endsAt", &self.ends_at)?;
        booking.serialize_field("rescheduledBy", &self.rescheduled_by)?;
        booking.serialize_field("rescheduledAt", &self.rescheduled_at)?;
        booking.end()
    }
}

/// `employee.created`: somebody who can be booked was added to the company.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EmployeeCreated {
    /// Who.
    pub employee: Employee,
}

impl Payload for EmployeeCreated {
    const EVENT_TYPE: &'static str = "employee.created";
}

/// The employee of an [`EmployeeCreated`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Employee {
    /// The employee's id.
    pub id: String,
    /// The address.
    pub email: String,
    /// The first name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
}

/// `form.submitted`: a form was filled in and sent. `A` is what an answer can be: text, a number, or whatever the service has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FormSubmitted<A> {
    /// Which form.
    pub form: Form,
    /// What was sent.
    pub submission: Submission<A>,
}

impl<A: Serialize> Payload for FormSubmitted<A> {
    const EVENT_TYPE: &'static str = "form.submitted";
}

/// The form of a [`FormSubmitted`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Form {
    /// The form's id.
    pub id: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What was sent with a form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission<A> {
    /// The submission's id.
    pub id: String,
    /// When it was sent.
    pub submitted_at: String,
    /// What was answered, in the form's order.
    pub answers: Vec<Answer<A>>,
}

/// One answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Answer<A> {
    /// What was asked.
    pub question: String,
    /// What was answered.
    pub answer: A,
}
