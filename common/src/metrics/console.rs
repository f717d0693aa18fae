//! What a console counts. What only the one that leads does, only that one shows; the others' counters stay at 0.

use super::declaration::Kind::{Counter, Gauge, Histogram};
use super::declaration::{Label, declare};

/// Upper bounds for a request's duration, in seconds.
const REQUEST_BOUNDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

const ROUTE: Label = Label {
    name: "route",
    values: "the route's template, `/v1/companies/{company}/endpoints`",
};

const METHOD: Label = Label {
    name: "method",
    values: "the method, `other` where it is none of HTTP's",
};

const STATUS: Label = Label {
    name: "status",
    values: "the answer's status",
};

const REASON: Label = Label {
    name: "reason",
    values: "`gone`, `failing`",
};

const QUEUE: Label = Label {
    name: "queue",
    values: "its name without the namespace: `events`, `deliveries`, `due`, `failed`, `rejected`, `quarantine`, `attempts.spill`, one `retry.…s` for each delay of the schedule, `park.1s` to `park.60s`",
};

declare! {
    API_REQUEST_DURATION = Histogram(REQUEST_BOUNDS), "hookline.api.request.duration", "s", [ROUTE, METHOD, STATUS],
        "Requests to the API and the dashboard, with the time that each took";
    LEADS = Gauge, "hookline.console.leads", "", [],
        "1 on the console that records attempts and looks after the log, 0 on all others; their sum is 1, but for some seconds while another takes over";
    QUEUE_MESSAGES = Gauge, "hookline.queue.messages", "{message}", [QUEUE],
        "Messages that stand in a queue and that nobody has in hand, as of some seconds ago; each console tells it of all";
    QUEUE_OLDEST = Gauge, "hookline.queue.oldest_message", "s", [QUEUE],
        "How long the oldest of these has stood there, at most: all that stood there before was seen to have left; each console tells it of all";
    LOG_RECORDS_WRITTEN = Counter, "hookline.log.records_written", "{record}", [],
        "Attempts that were recorded";
    LOG_RECORDS_KNOWN = Counter, "hookline.log.records_known", "{record}", [],
        "Attempts that came again and were recorded already";
    LOG_RECORDS_EXPIRED = Counter, "hookline.log.records_expired", "{record}", [],
        "Attempts that were older than the retention when they came, and were skipped";
    LOG_RECORDS_SET_ASIDE = Counter, "hookline.log.records_set_aside", "{record}", [],
        "Records and messages that cannot be recorded, and stand in the table `set_aside` with the reason";
    LOG_RECORDS_GIVEN_UP = Counter, "hookline.log.records_given_up", "{record}", [],
        "Rows of `set_aside` that gave way to newer ones: the newest 1,000 are kept, 64 MiB at most, and for as long as `HOOKLINE_RETENTION`";
    LOG_MESSAGES_MISSED = Counter, "hookline.log.messages_missed", "{message}", [],
        "Messages that the stream of attempts dropped before they were recorded: it was full, or no console ran for a week";
    LOG_BEHIND = Gauge, "hookline.log.behind", "s", [],
        "How long ago the oldest attempt was made that was read from the stream and is not recorded yet; 0 on consoles that do not lead";
    LOG_BEHIND_MESSAGES = Gauge, "hookline.log.behind_messages", "{message}", [],
        "Messages of the stream of attempts that are not recorded yet, as of some seconds ago; 0 on consoles that do not lead";
    DEAD_LETTERS_FILED = Counter, "hookline.dead_letters.filed", "{delivery}", [],
        "Dead letters that were taken from the broker into PostgreSQL, those included that came again";
    DEAD_LETTERS_REJECTED = Counter, "hookline.dead_letters.rejected", "{message}", [],
        "Messages among the dead letters that cannot be understood or filed; they went to the rejected ones";
    DEAD_LETTERS_RETRIED = Counter, "hookline.dead_letters.retried", "{delivery}", [],
        "Dead letters that were sent again because somebody asked for it";
    ENDPOINTS_DISABLED = Counter, "hookline.endpoints.disabled", "{endpoint}", [REASON],
        "Endpoints that were disabled because they only failed, or answered 410";
}
