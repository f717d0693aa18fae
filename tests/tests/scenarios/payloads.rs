//! The producer's typed payloads are those of the catalogue: each sample can be written with them, and comes out the same.

use std::collections::BTreeSet;

use hookline_catalogue::Catalogue;
use hookline_producer::payload::{
    Answer, Attendee, BookingCancelled, BookingCreated, BookingRescheduled, CancelledBooking, CreatedBooking,
    Employee, EmployeeCreated, Form, FormSubmitted, Host, Party, Payload, RescheduledBooking, Submission,
};
use serde_json::{Value, json};

/// Sees that a payload is its type's sample, and returns the type's name.
fn is_the_sample<P: Payload>(payload: &P) -> String {
    let event = payload.event("acme").unwrap();
    let catalogue = Catalogue::built_in();
    let sample = catalogue.get(&event.event_type).unwrap().sample_data().unwrap();
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(value(event.data.as_str()), value(sample.as_str()));
    event.event_type.to_string()
}

#[test]
fn each_type_of_the_catalogue_can_be_written_as_its_sample_is() {
    let text = str::to_owned;
    let created = BookingCreated {
        booking: CreatedBooking {
            id: text("bkg_7Q2M4XK9"),
            event_type_id: text("et_demo30"),
            starts_at: text("2031-05-14T09:00:00Z"),
            ends_at: text("2031-05-14T09:30:00Z"),
            attendee: Attendee {
                email: text("zoe.martin@example.org"),
                first_name: Some(text("Zoë")),
                last_name: Some(text("Martín")),
                timezone: Some(text("Europe/Madrid")),
            },
            host: Host {
                id: text("usr_lena"),
                email: Some(text("lena.vogt@example.com")),
            },
        },
    };
    let cancelled = BookingCancelled {
        booking: CancelledBooking {
            id: text("bkg_7Q2M4XK9"),
            cancelled_by: Party::Host,
            cancellation_reason: Some(text("Ill today, sorry 🙁")),
            cancelled_at: text("2031-05-15T07:12:45Z"),
        },
    };
    let rescheduled = BookingRescheduled {
        booking: RescheduledBooking {
            id: text("bkg_9D5T1ZRB"),
            previous_booking_id: text("bkg_7Q2M4XK9"),
            starts_at: text("2031-05-15T14:00:00Z"),
            ends_at: text("2031-05-15T14:30:00Z"),
            rescheduled_by: Party::Attendee,
            rescheduled_at: text("2031-05-12T18:03:10Z"),
        },
    };
    let employee = EmployeeCreated {
        employee: Employee {
            id: text("usr_omar"),
            email: text("omar.haddad@example.com"),
            first_name: Some(text("Omar")),
            last_name: Some(text("Haddad")),
        },
    };
    let answer = |question: &str, answer: Value| Answer {
        question: text(question),
        answer,
    };
    let form = FormSubmitted {
        form: Form {
            id: text("form_contact"),
            name: Some(text("Talk to us")),
        },
        submission: Submission {
            id: text("sub_3F8T1C"),
            submitted_at: text("2031-05-09T13:40:00Z"),
            answers: vec![
                answer("Name", json!("Zoë Martín")),
                answer("E-mail", json!("zoe.martin@example.org")),
                answer("How many people will use it?", json!(12)),
            ],
        },
    };
    let written = BTreeSet::from([
        is_the_sample(&created),
        is_the_sample(&cancelled),
        is_the_sample(&rescheduled),
        is_the_sample(&employee),
        is_the_sample(&form),
    ]);
    // What Hookline publishes itself no booking service does.
    let all: BTreeSet<String> = Catalogue::built_in()
        .iter()
        .map(|one| one.name.to_string())
        .filter(|name| name != "endpoint.disabled")
        .collect();
    assert_eq!(written, all);
}
