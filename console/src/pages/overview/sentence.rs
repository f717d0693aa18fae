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
    pub(super) backlog: Backlog,
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
    if standings.silent == all && situation.backlog == Backlog::default() {
        let to = match (situation.is_of_all, all) {
            (false, 1) => "your endpoint".to_owned(),
            (false, _) => format!("your {}", count(all, "endpoint")),
            (true, 1) => "the one endpoint that is registered".to_owned(),
            (true, _) => format!("the {} that are registered", count(all, "endpoint")),
        };
        let next = if situation.is_of_all {
            ""
        } else {
            " Send a test event, or wait for the first booking."
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
    } else if standings.paused > 0 || situation.backlog.failed > 0 {
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
            Standing::Silent,
            standings.silent,
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
    let Backlog { retrying, failed, .. } = situation.backlog;
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
mod tests {
    use super::*;

    fn of(standings: &[(Standing, &str)]) -> Situation {
        let number = |wanted| {
            standings
                .iter()
                .filter(|(standing, _)| *standing == wanted)
                .count() as u64
        };
        Situation {
            standings: Standings {
                companies: 1,
                disabled: number(Standing::Disabled),
                failing: number(Standing::Failing),
                paused: number(Standing::Paused),
                silent: number(Standing::Silent),
                answering: number(Standing::Answering),
            },
            names: standings
                .iter()
                .map(|(standing, name)| (*standing, (*name).to_owned()))
                .collect(),
            delivered: 1_204,
            ..Situation::default()
        }
    }

    fn told(situation: &Situation) -> String {
        sentence(situation).1
    }

    #[test]
    fn all_that_answer_are_told_of_in_the_right_number() {
        use Standing::Answering;
        let mut one = of(&[(Answering, "CRM")]);
        one.delivered = 1;
        assert_eq!(
            sentence(&one),
            (
                Tone::Good,
                "Your endpoint answers. 1 delivered in the last hour, 0 waiting.".to_owned()
            )
        );
        let three = of(&[(Answering, "CRM"), (Answering, "Mail"), (Answering, "Bills")]);
        assert_eq!(
            told(&three),
            "All 3 endpoints answer. 1,204 delivered in the last hour, 0 waiting."
        );
        let two = of(&[(Answering, "CRM"), (Answering, "Mail")]);
        assert!(told(&two).starts_with("Both endpoints answer."));
    }

    #[test]
    fn what_does_not_answer_comes_first_and_by_name() {
        use Standing::{Answering, Disabled, Failing, Paused, Silent};
        let situation = of(&[
            (Answering, "A"),
            (Failing, "CRM"),
            (Paused, "Mail"),
            (Answering, "B"),
        ]);
        assert_eq!(
            sentence(&situation),
            (
                Tone::Bad,
                "CRM fails; Mail is paused; the other 2 answer. 1,204 delivered in the last hour, 0 waiting."
                    .to_owned()
            )
        );
        let mut situation = of(&[(Disabled, "A"), (Disabled, "B"), (Silent, "C"), (Answering, "D")]);
        situation.backlog.retrying = 3;
        situation.backlog.failed = 1_012;
        assert_eq!(
            told(&situation),
            "2 endpoints were disabled because they failed; C got nothing yet; the other one answers. 1,204 delivered in \
             the last hour, 3 waiting, 1,012 failed for good."
        );
        assert!(told(&of(&[(Failing, "A"), (Failing, "B")])).starts_with("Both endpoints fail."));
        assert!(told(&of(&[(Disabled, "A")])).starts_with("Your endpoint was disabled because it failed."));
        let paused = of(&[(Paused, "A")]);
        assert_eq!(sentence(&paused).0, Tone::Warn);
        assert!(told(&paused).starts_with("Your endpoint is paused."));
    }

    #[test]
    fn what_failed_for_good_is_no_good_news_even_where_all_answer_again() {
        let mut situation = of(&[(Standing::Answering, "CRM")]);
        situation.backlog.failed = 1;
        let (tone, text) = sentence(&situation);
        assert_eq!(tone, Tone::Warn);
        assert!(text.ends_with("0 waiting, 1 failed for good."), "{text}");
    }

    #[test]
    fn before_anything_happened_it_says_what_to_do_next() {
        let mut nothing = of(&[]);
        nothing.has_no_dispatcher = true;
        let (tone, text) = sentence(&nothing);
        assert_eq!(tone, Tone::Idle);
        assert!(text.contains("Add one"), "{text}");
        let text = told(&of(&[(Standing::Silent, "CRM")]));
        assert_eq!(
            text,
            "Nothing was sent to your endpoint yet. Send a test event, or wait for the first booking."
        );
        let mut late = of(&[(Standing::Silent, "CRM")]);
        late.backlog.failed = 2;
        assert!(told(&late).contains("2 failed for good"), "{}", told(&late));
    }

    #[test]
    fn the_operator_is_told_of_all_companies() {
        use Standing::{Answering, Failing};
        let mut situation = of(&[
            (Answering, "A"),
            (Answering, "B"),
            (Failing, "C"),
            (Answering, "D"),
        ]);
        situation.names.clear();
        situation.is_of_all = true;
        situation.standings.companies = 2;
        situation.backlog.retrying = 2;
        situation.queued = 5;
        assert_eq!(
            told(&situation),
            "Of 4 endpoints of 2 companies, 1 endpoint fails; the other 3 answer. 1,204 delivered in the last hour, 7 waiting."
        );
        situation.standings.answering = 4;
        situation.standings.failing = 0;
        assert!(told(&situation).starts_with("All 4 endpoints of 2 companies answer."));
        situation.has_no_dispatcher = true;
        situation.queued = 1;
        let (tone, text) = sentence(&situation);
        assert_eq!(tone, Tone::Bad);
        assert!(text.contains("1 message waits there"), "{text}");
    }
}
