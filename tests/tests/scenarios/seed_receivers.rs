//! What customers run behind their endpoints: the receivers of `examples/receivers` as real programs, with their
//! frameworks' default limits.

use std::path::PathBuf;

use futures_util::future::join_all;
use hookline_producer::{Data, Event, EventId};
use hookline_tests::endpoint::{Endpoint, SECRET};
use hookline_tests::ports::free_port;
use hookline_tests::records::Records;
use hookline_tests::{World, eventually, example, scenario};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::SOON;
use crate::conformance::library::{packages, project};

const OTHER: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

/// One of the examples.
struct Example {
    folder: &'static str,
    format: &'static str,
    runs: [&'static str; 2],
    installed_with: &'static str,
    looks_for_packages_in: &'static str,
    packages: OnceCell<Option<PathBuf>>,
}

const fn node(folder: &'static str, format: &'static str) -> Example {
    Example {
        folder,
        format,
        runs: ["node", "server.js"],
        installed_with: "npm",
        looks_for_packages_in: "NODE_PATH",
        packages: OnceCell::const_new(),
    }
}

const fn python(folder: &'static str, format: &'static str) -> Example {
    Example {
        folder,
        format,
        runs: ["python3", "app.py"],
        installed_with: "pip",
        looks_for_packages_in: "PYTHONPATH",
        packages: OnceCell::const_new(),
    }
}

static EXAMPLES: [Example; 4] = [
    node("meeva-express", "meeva"),
    python("meeva-flask", "meeva"),
    node("meetergo-express", "meetergo"),
    python("meetergo-flask", "meetergo"),
];

impl Example {
    /// Starts it, unless this machine cannot have its packages.
    async fn start(&'static self, secret: &str) -> Option<Running> {
        let folder = format!("examples/receivers/{}", self.folder);
        let packages = self
            .packages
            .get_or_init(|| packages(self.installed_with, &folder));
        let packages = packages.await.as_ref()?;
        let port = free_port();
        let [runs, program] = self.runs;
        let mut command = Command::new(runs);
        command
            .arg(program)
            .current_dir(project().join(folder))
            .env(self.looks_for_packages_in, packages);
        Some(Running {
            example: self,
            program: example::Example::start(self.folder, command, secret, port).await,
        })
    }
}

/// A running example. It must outlive the scenario: its answer comes after its line.
pub(crate) struct Running {
    example: &'static Example,
    program: example::Example,
}

impl Running {
    /// Its folder, its format, and where it takes events.
    pub(crate) fn addressed(&self) -> (&'static str, &'static str, String) {
        let Example { folder, format, .. } = self.example;
        let url = format!("http://127.0.0.1:{}/webhooks/{format}", self.program.port());
        (folder, format, url)
    }

    /// An endpoint at it.
    fn endpoint(&self, secret: &str) -> Endpoint {
        let (folder, format, url) = self.addressed();
        Endpoint::at(folder, &url)
            .text("format", format)
            .text("secret", secret)
    }

    /// The lines that start like this.
    fn lines(&self, start: &str) -> Vec<String> {
        let mut lines = self.program.lines();
        lines.retain(|line| line.starts_with(start));
        lines
    }

    /// Waits until it has printed these lines about an event, and makes sure that there are no others.
    async fn says(&self, event: &Event, wanted: &[&str]) {
        let wanted: Vec<String> = wanted.iter().map(|text| format!("{} {text}", event.id)).collect();
        let what = format!("{} prints {wanted:?}", self.example.folder);
        let lines = eventually(SOON, &what, async || {
            let lines = self.lines(event.id.as_str());
            (lines.len() >= wanted.len()).then_some(lines)
        })
        .await;
        assert_eq!(lines, wanted, "{}", self.example.folder);
    }
}

/// Those of the examples that this machine can run.
pub(crate) async fn all_running(secret: &str, format: &str) -> Vec<Running> {
    let wanted = EXAMPLES
        .iter()
        .filter(|example| example.format.starts_with(format));
    let started = join_all(wanted.map(|example| example.start(secret))).await;
    started.into_iter().flatten().collect()
}

fn endpoints(receivers: &[Running], secret: &str) -> Vec<Endpoint> {
    receivers
        .iter()
        .map(|receiver| receiver.endpoint(secret))
        .collect()
}

async fn publish(world: &World, event: &Event) {
    world.producer().await.publish(event).await.unwrap();
}

/// Each type with data as a booking service has it, and what receivers of the two formats make of it.
const EVENTS: [(&str, &str, [&str; 2]); 5] = [
    (
        "booking.created",
        r#"{"booking":{"id":"b_71","eventTypeId":"et_intro","status":"confirmed","startsAt":"2031-05-06T08:30:00Z","endsAt":"2031-05-06T09:00:00Z","attendee":{"email":"zoe@example.org","firstName":"Zoë","lastName":"Müller-吴","timezone":"Europe/Berlin"},"host":{"id":"h_4","email":"ada@example.com"}}}"#,
        ["new booking", "new booking"],
    ),
    (
        "booking.rescheduled",
        r#"{"booking":{"id":"b_72","previousBookingId":"b_71","status":"confirmed","startsAt":"2031-05-07T08:30:00Z","endsAt":"2031-05-07T09:00:00Z","rescheduledBy":"host","rescheduledAt":"2031-05-01T16:12:45Z"}}"#,
        ["moved booking", "moved booking"],
    ),
    (
        "booking.cancelled",
        r#"{"booking":{"id":"b_72","status":"cancelled","cancelledBy":"attendee","cancellationReason":"Sorry — krank 🤒","cancelledAt":"2031-05-02T07:00:01Z"}}"#,
        ["cancelled booking", "cancelled booking"],
    ),
    (
        "employee.created",
        r#"{"employee":{"id":"h_5","email":"grace@example.com"}}"#,
        ["ignored", "new employee"],
    ),
    (
        "form.submitted",
        r#"{"form":{"id":"f_1"}}"#,
        ["ignored", "ignored"],
    ),
];

#[tokio::test]
async fn receivers_take_every_type_once_although_each_event_is_published_twice() {
    let receivers = all_running(SECRET, "").await;
    scenario(async |world| {
        world.endpoints(endpoints(&receivers, SECRET));
        world.dispatcher().start().await;
        for (event_type, data, lines) in EVENTS {
            let event = Event::new("acme", event_type, data).unwrap();
            let first = |receiver: &Running| lines[usize::from(receiver.example.format != "meeva")];
            publish(world, &event).await;
            for receiver in &receivers {
                receiver.says(&event, &[first(receiver)]).await;
            }
            publish(world, &event).await;
            for receiver in &receivers {
                receiver.says(&event, &[first(receiver), "duplicate"]).await;
            }
        }
        // Each was answered 2xx, also a duplicate and a type that is not known: no retry waits.
        world.is_settled_within(SOON).await;
    })
    .await;
}

#[tokio::test]
async fn receivers_answer_401_to_another_secret_and_take_the_retry_with_theirs() {
    let receivers = all_running(SECRET, "").await;
    scenario(async |world| {
        world.endpoints(endpoints(&receivers, OTHER));
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "3s,3s,3s")
            .start()
            .await;
        let records = Records::of(world).await;
        let event = world.publish(EVENTS[0].0, EVENTS[0].1).await;
        for receiver in &receivers {
            eventually(SOON, "refused", async || receiver.lines("refused").pop()).await;
        }
        world.endpoints(endpoints(&receivers, SECRET));
        for receiver in &receivers {
            receiver.says(&event, &["new booking"]).await;
        }
        let is_final = |record: &&Value| record["final"] == true;
        let all = eventually(SOON, "all final", async || {
            let all = records.all();
            (all.iter().filter(is_final).count() == receivers.len()).then_some(all)
        })
        .await;
        for receiver in &receivers {
            let of_receiver = all
                .iter()
                .filter(|record| record["endpoint"] == receiver.example.folder);
            let statuses: Vec<Option<i64>> = of_receiver.map(|record| record["status"].as_i64()).collect();
            let (last, before) = statuses.split_last().unwrap();
            assert_eq!(*last, Some(200), "{}", receiver.example.folder);
            assert!(
                !before.is_empty() && before.iter().all(|status| *status == Some(401)),
                "{statuses:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_longest_data_passes_the_default_limits_of_receivers_frameworks() {
    let receivers = all_running(SECRET, "").await;
    scenario(async |world| {
        world.endpoints(endpoints(&receivers, SECRET));
        world.dispatcher().start().await;
        let data = format!(
            r#"{{"note":"{}"}}"#,
            "x".repeat(Data::MAX_BYTES - r#"{"note":""}"#.len())
        );
        assert_eq!(data.len(), 101_888);
        // The longest id and type make the widest envelope; no receiver knows a type like that.
        let longest_type = format!("t{}", ".x".repeat(63));
        for (event_type, line) in [("booking.created", "new booking"), (&longest_type, "ignored")] {
            let mut event = Event::new("acme", event_type, data.clone()).unwrap();
            event.id = EventId::parse(&format!("{:x<64}", event.id.as_str())).unwrap();
            publish(world, &event).await;
            for receiver in &receivers {
                receiver.says(&event, &[line]).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_knows_no_signatures_takes_what_is_signed_with_any_secret() {
    let receivers = all_running("", "meetergo").await;
    scenario(async |world| {
        world.endpoints(endpoints(&receivers, "correct horse battery staple"));
        world.dispatcher().start().await;
        let event = world.publish(EVENTS[0].0, EVENTS[0].1).await;
        for receiver in &receivers {
            receiver.says(&event, &["new booking"]).await;
        }
    })
    .await;
}
