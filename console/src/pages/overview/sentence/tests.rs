//! What the sentence says of which situation.

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
            untried: number(Standing::Untried),
            answering: number(Standing::Answering),
        },
        names: standings
            .iter()
            .map(|(standing, name)| (*standing, (*name).to_owned()))
            .collect(),
        delivered: 1_204,
        backlog: Some(Backlog::default()),
        ..Situation::default()
    }
}

fn backlog(retrying: u64, failed: u64) -> Option<Backlog> {
    Some(Backlog {
        retrying,
        failed,
        ..Backlog::default()
    })
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
    use Standing::{Answering, Disabled, Failing, Paused, Untried};
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
    let mut situation = of(&[(Disabled, "A"), (Disabled, "B"), (Untried, "C"), (Answering, "D")]);
    situation.backlog = backlog(3, 1_012);
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
    situation.backlog = backlog(0, 1);
    let (tone, text) = sentence(&situation);
    assert_eq!(tone, Tone::Warn);
    assert!(text.ends_with("0 waiting, 1 failed for good."), "{text}");
}

#[test]
fn what_is_not_known_is_neither_nothing_nor_good_news() {
    for standing in [Standing::Answering, Standing::Untried] {
        let mut situation = of(&[(standing, "CRM")]);
        situation.backlog = None;
        let (tone, text) = sentence(&situation);
        assert_eq!(tone, Tone::Warn);
        assert!(
            text.ends_with(
                "1,204 delivered in the last hour; how many wait or failed for good is not known."
            ),
            "{text}"
        );
    }
}

#[test]
fn before_anything_happened_it_says_what_to_do_next() {
    let mut nothing = of(&[]);
    nothing.has_no_dispatcher = true;
    let (tone, text) = sentence(&nothing);
    assert_eq!(tone, Tone::Idle);
    assert!(text.contains("Add one"), "{text}");
    let text = told(&of(&[(Standing::Untried, "CRM")]));
    assert_eq!(
        text,
        "Nothing was sent to your endpoint yet. Send a test event, which is not counted here, or wait for the first booking."
    );
    let mut late = of(&[(Standing::Untried, "CRM")]);
    late.backlog = backlog(0, 2);
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
    situation.backlog = backlog(2, 0);
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
