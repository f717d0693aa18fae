//! Who there is: three companies, and what stands behind each of their endpoints.

use std::time::Duration;

/// A company that takes bookings.
pub(crate) struct Company {
    /// Its name towards Hookline.
    pub(crate) id: &'static str,
    /// What it registers.
    pub(crate) endpoints: &'static [Endpoint],
}

/// An endpoint, and its receiver.
pub(crate) struct Endpoint {
    /// Its id, which is also its path at the receivers.
    pub(crate) id: &'static str,
    /// What its owner calls it.
    pub(crate) description: &'static str,
    /// The format of its bodies.
    pub(crate) format: &'static str,
    /// The types that it wants, in that format's names; none for all.
    pub(crate) events: &'static [&'static str],
    /// How its receiver behaves.
    pub(crate) temper: Temper,
}

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temper {
    /// It answers 200 within milliseconds.
    Well,
    /// It answers 200 after a second or two.
    Slow,
    /// It answers 503 in two of three minutes, as a service does that is deployed all the time.
    Moody,
    /// It answers 500, always: its handler has a fault.
    Broken,
    /// It answers 404: the path was mistyped.
    Mistyped,
    /// It takes a request in two seconds, and answers 429 to those beyond.
    Limited,
    /// Nobody listens.
    Gone,
}

impl Temper {
    /// How long a moody receiver is well, and how long one that is limited waits between two requests.
    pub(crate) const MINUTE: Duration = Duration::from_secs(60);
    pub(crate) const TAKES_ONE_IN: Duration = Duration::from_secs(2);
}

/// All of them.
pub(crate) const ALL: [Company; 3] = [
    Company {
        id: "acme-dental",
        endpoints: &[
            Endpoint {
                id: "ep_crm",
                description: "CRM",
                format: "standard",
                events: &[],
                temper: Temper::Well,
            },
            Endpoint {
                id: "ep_calendar",
                description: "Calendar of the practice",
                format: "standard",
                events: &[],
                temper: Temper::Slow,
            },
            Endpoint {
                id: "ep_accounting",
                description: "Accounting",
                format: "standard",
                events: &["booking.created", "booking.cancelled"],
                temper: Temper::Moody,
            },
        ],
    },
    Company {
        id: "bergmann-coaching",
        endpoints: &[
            Endpoint {
                id: "ep_website",
                description: "Website",
                format: "meeva",
                events: &[],
                temper: Temper::Well,
            },
            Endpoint {
                id: "ep_automation",
                description: "Automation service",
                format: "standard",
                events: &["booking.*"],
                temper: Temper::Limited,
            },
            Endpoint {
                id: "ep_newsletter",
                description: "Newsletter",
                format: "standard",
                events: &["booking.created"],
                temper: Temper::Broken,
            },
        ],
    },
    Company {
        id: "coastline-yoga",
        endpoints: &[
            Endpoint {
                id: "ep_app",
                description: "Members' app",
                format: "meetergo",
                events: &[],
                temper: Temper::Well,
            },
            Endpoint {
                id: "ep_studio",
                description: "Studio screen",
                format: "standard",
                events: &["booking.cancelled"],
                temper: Temper::Gone,
            },
            Endpoint {
                id: "ep_reports",
                description: "Reports",
                format: "standard",
                events: &["booking.rescheduled"],
                temper: Temper::Mistyped,
            },
        ],
    },
];
