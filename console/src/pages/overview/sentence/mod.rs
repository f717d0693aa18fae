//! All of it in one sentence: whether endpoints answer, what was delivered, what waits. Pure.

use hookline_store::{Backlog, Standing, Standings};

use super::super::words::{count, grouped};

/// How good the news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// All is well.
    Good,
    /// Something waits for somebody, and nothing is broken.
    Warn,
    /// Something is broken.
    Bad,
    /// Nothing happened yet.
    Idle,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Idle => "idle",
        }
    }
}

/// What is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Situation {
    pub(super) standings: Standings,
    /// The endpoints by name, where they are one company's.
    pub(super) names: Vec<(Standing, String)>,
    /// Whether it is about all companies.
    pub(super) is_of_all: bool,
    /// Deliveries of the last hour.
    pub(super) delivered: u64,
    /// What waits and has failed; none where the database did not say in time.
    pub(super) backlog: Option<Backlog>,
    /// Messages that the broker holds for a first attempt, where that is known.
    pub(super) queued: u64,
    /// Nobody takes events from the broker.
    pub(super) has_no_dispatcher: bool,
}

/// The sentence, and how good it is.
pub(super) fn sentence(situation: &Situation) -> (Tone, String) {
    let standings = &situation.standings;
    let all = standings.endpoints();
    if situation.has_no_dispatcher && (all > 0 || situation.queued > 0) {
        let waiting = count(situation.queued, "message");
        let verb = if situation.queued == 1 { "waits" } else { "wait" };
        return (
            Tone::Bad,
            format!(
                "No dispatcher takes events from the broker, and {waiting} {verb} there. Start hookline-dispatcher."
            ),
        );
    }
    if all == 0 {
        let none = if situation.is_of_all {
            "No company has registered an endpoint yet."
        } else {
            "No endpoint is registered yet. Add one, and events are sent there as they happen."
        };
        return (Tone::Idle, none.to_owned());
    }
    if standings.untried == all && situation.backlog == Some(Backlog::default()) {
        let to = match (situation.is_of_all, all) {
            (false, 1) => "your endpoint".to_owned(),
            (false, _) => format!("your {}", count(all, "endpoint")),
            (true, 1) => "the one endpoint that is registered".to_owned(),
            (true, _) => format!("the {} that are registered", count(all, "endpoint")),
        };
        let next = if situation.is_of_all {
            ""
        } else {
            " Send a test event, which is not counted here, or wait for the first booking."
        };
        return (Tone::Idle, format!("Nothing was sent to {to} yet.{next}"));
    }
    let text = format!("{} {}", endpoints(situation), amounts(situation));
    (tone(situation), text)
}

fn tone(situation: &Situation) -> Tone {
    let standings = &situation.standings;
    if standings.disabled + standings.failing > 0 {
        Tone::Bad
    } else if standings.paused > 0 || situation.backlog.is_none_or(|backlog| backlog.failed > 0) {
        Tone::Warn
    } else {
        Tone::Good
    }
}

/// Which endpoints answer, with those first that do not.
fn endpoints(situation: &Situation) -> String {
    let standings = &situation.standings;
    let all = standings.endpoints();
    let of = if situation.is_of_all && standings.companies > 1 {
        format!(" of {} companies", grouped(standings.companies))
    } else {
        String::new()
    };
    let everyone = |verb_of_one: &str, verb: &str| match (all, situation.is_of_all) {
        (1, false) => format!("Your endpoint {verb_of_one}."),
        (1, true) => format!("The one endpoint {verb_of_one}."),
        (2, _) => format!("Both endpoints{of} {verb}."),
        _ => format!("All {}{of} {verb}.", count(all, "endpoint")),
    };
    if standings.answering == all {
        return everyone("answers", "answer");
    }
    if standings.failing == all {
        return everyone("fails", "fail");
    }
    if standings.paused == all {
        return everyone("is paused", "are paused");
    }
    if standings.disabled == all {
        return everyone(
            "was disabled because it failed",
            "were disabled because they failed",
        );
    }
    let mut clauses = Vec::new();
    for (standing, number, one, many) in [
        (
            Standing::Disabled,
            standings.disabled,
            "was disabled because it failed",
            "were disabled because they failed",
        ),
        (Standing::Failing, standings.failing, "fails", "fail"),
        (Standing::Paused, standings.paused, "is paused", "are paused"),
        (
            Standing::Untried,
            standings.untried,
            "got nothing yet",
            "got nothing yet",
        ),
    ] {
        if number > 0 {
            let verb = if number == 1 { one } else { many };
            clauses.push(format!("{} {verb}", who(situation, standing, number)));
        }
    }
    match standings.answering {
        0 => {}
        1 => clauses.push("the other one answers".to_owned()),
        number => clauses.push(format!("the other {} answer", grouped(number))),
    }
    let text = clauses.join("; ");
    if of.is_empty() {
        format!("{text}.")
    } else {
        format!("Of {}{of}, {text}.", count(all, "endpoint"))
    }
}

/// One is named where it has a name here.
fn who(situation: &Situation, standing: Standing, number: u64) -> String {
    let mut names = situation.names.iter().filter(|(own, _)| *own == standing);
    match (number, names.next()) {
        (1, Some((_, name))) => name.clone(),
        _ => count(number, "endpoint"),
    }
}

/// What was delivered, and what was not.
fn amounts(situation: &Situation) -> String {
    let Some(Backlog { retrying, failed, .. }) = situation.backlog else {
        return format!(
            "{} delivered in the last hour; how many wait or failed for good is not known.",
            grouped(situation.delivered)
        );
    };
    let mut text = format!(
        "{} delivered in the last hour, {} waiting",
        grouped(situation.delivered),
        grouped(retrying + situation.queued)
    );
    if failed > 0 {
        text.push_str(&format!(", {} failed for good", grouped(failed)));
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests;
