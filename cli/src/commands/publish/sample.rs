//! Sample events: realistic data of a booking platform, for whoever has none at hand.

use clap::ValueEnum;
use clap::builder::PossibleValue;

/// A sample, by the type of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// The event's type.
    pub(super) event_type: &'static str,
    about: &'static str,
    /// One JSON object.
    pub(super) data: &'static str,
}

macro_rules! samples {
    ($($event_type:literal, $file:literal, $about:literal;)*) => {
        /// Every sample, in the order of a booking's life, and then the others.
        const ALL: &[Sample] = &[$(Sample {
            event_type: $event_type,
            about: $about,
            data: include_str!(concat!("samples/", $file)).trim_ascii(),
        }),*];
    };
}

samples! {
    "booking.created", "booking_created.json", "a demo is booked, with attendee, answers and payment";
    "booking.rescheduled", "booking_rescheduled.json", "it is moved by the attendee";
    "booking.cancelled", "booking_cancelled.json", "it is called off by the host, with a refund";
    "employee.created", "employee_created.json", "a new host (new_employee in the meetergo formats)";
    "form.submitted", "form_submitted.json", "a contact form is sent (form_submission in the meetergo formats)";
    "invoice.paid", "invoice_paid.json", "the booking's invoice is paid";
}

impl ValueEnum for Sample {
    fn value_variants<'a>() -> &'a [Self] {
        ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.event_type).help(self.about))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_producer::Event;

    use super::*;

    #[test]
    fn each_sample_is_a_valid_event_of_its_type() {
        for sample in ALL {
            let event = Event::new("acme", sample.event_type, sample.data).unwrap();
            assert_eq!(event.data.as_str(), sample.data);
            let value: serde_json::Value = serde_json::from_str(sample.data).unwrap();
            assert!(value.as_object().unwrap().len() >= 2, "{}", sample.event_type);
        }
    }

    #[test]
    fn the_types_that_have_names_of_their_own_in_a_format_have_samples() {
        for event_type in ["booking.created", "employee.created", "form.submitted"] {
            assert!(ALL.iter().any(|sample| sample.event_type == event_type));
        }
    }
}
