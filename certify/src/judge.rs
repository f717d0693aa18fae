//! What answers say of a receiver. Pure: exchanges in, verdict and words out.

use std::time::Duration;

use hookline_common::explanation::explain;
use hookline_common::outcome::Outcome;

use crate::report::{Exchange, Verdict};

/// A verdict, what the receiver did, and what to do about it.
pub(crate) type Judgement = (Verdict, String, Option<String>);

/// An answer that takes longer than this part of what is granted is worth a look: one busy day more, and it is too late.
const SLOW_PART: u32 = 3;

fn passed(found: impl Into<String>) -> Judgement {
    (Verdict::Passed, found.into(), None)
}

fn failed(found: String, advice: impl Into<String>) -> Judgement {
    (Verdict::Failed, found, Some(advice.into()))
}

fn advice(found: impl Into<String>, advice: impl Into<String>) -> Judgement {
    (Verdict::Advice, found.into(), Some(advice.into()))
}

/// It was not played.
pub(crate) fn skipped(why: impl Into<String>) -> Judgement {
    (Verdict::Skipped, why.into(), None)
}

/// It was not played to its end, as all of it took too long.
pub(crate) fn late(within: Duration) -> Judgement {
    failed(
        format!(
            "not played to its end: all checks together may take {within:?}, and the answers took that long"
        ),
        "Verify, store the event (a queue, a table), answer 200, and work afterwards.",
    )
}

/// What happened to one request that should have been taken, and what the words for its outcome say.
fn refused(exchange: &Exchange) -> (String, String) {
    let words = explain(exchange.outcome, exchange.status, exchange.error.as_deref());
    let found = format!("{}: {}. {}", exchange.sent, exchange.answer(), words.sentence);
    (found, words.next_step.into_owned())
}

/// All of them have to be taken. `hint` says what else to do where an answer was another status.
pub(crate) fn all_taken(exchanges: &[Exchange], hint: &str) -> Judgement {
    match exchanges.iter().find(|exchange| !exchange.is_taken()) {
        None => passed("each was answered 2xx"),
        Some(exchange) => {
            let (found, next_step) = refused(exchange);
            failed(found, format!("{next_step} {hint}").trim_end())
        }
    }
}

/// Many at once: what is told to come later is not lost.
pub(crate) fn all_taken_or_paced(exchanges: &[Exchange]) -> Judgement {
    let is_paced = |exchange: &Exchange| matches!(exchange.status, Some(429 | 503));
    let paced = exchanges.iter().filter(|exchange| is_paced(exchange)).count();
    let others: Vec<Exchange> = exchanges
        .iter()
        .filter(|exchange| !is_paced(exchange))
        .cloned()
        .collect();
    match all_taken(
        &others,
        "A busy minute has as many; answer before the work is done, and do it later.",
    ) {
        (Verdict::Passed, ..) if paced > 0 => advice(
            format!(
                "{paced} of {} were told to come later (429 or 503)",
                exchanges.len()
            ),
            "Nothing is lost: deliveries wait and come slower. Set a rate for the endpoint, or let it bear more.",
        ),
        judged => judged,
    }
}

/// None of them may be taken.
pub(crate) fn none_taken(exchanges: &[Exchange], next_step: &str) -> Judgement {
    let taken: Vec<&str> = exchanges
        .iter()
        .filter(|exchange| exchange.is_taken())
        .map(|exchange| exchange.sent.as_str())
        .collect();
    if !taken.is_empty() {
        return failed(format!("taken: {}", taken.join("; ")), next_step);
    }
    let odd = exchanges
        .iter()
        .find(|exchange| !matches!(exchange.status, Some(400..=499)));
    match odd {
        None => passed("each was refused"),
        Some(exchange) => advice(
            format!("{}: refused by {}", exchange.sent, exchange.answer()),
            "Answer 401 to what is not signed rightly; anything else looks like a fault of your own, also to your alarms.",
        ),
    }
}

/// Whether bodies are verified as they came. `spelled` was signed rightly, `rewritten` over other spellings of the same JSON.
/// Where the receiver `refuses_all`, whatever it is written like, only the latter can tell why.
pub(crate) fn raw_body(spelled: &Exchange, rewritten: &[Exchange], refuses_all: bool) -> Judgement {
    const NEXT: &str = "Verify the bytes of the request's body as they came, before anything parses them (express.raw, \
                        request.get_data(), php://input): JSON that is parsed and written again is another text.";
    if let Some(exchange) = rewritten.iter().find(|exchange| exchange.is_taken()) {
        let found = format!(
            "taken: {}: it verifies JSON that was parsed and written again",
            exchange.sent
        );
        return failed(found, NEXT);
    }
    if spelled.is_taken() && rewritten.is_empty() {
        return passed("taken; no signature over another spelling was tried");
    }
    if spelled.is_taken() {
        return passed("it verifies the bytes as they came");
    }
    if refuses_all {
        return skipped(
            "it refuses what is signed with this secret in every spelling, so compare the secret first",
        );
    }
    let (found, next_step) = refused(spelled);
    match spelled.status {
        Some(400 | 401 | 403) => failed(found, NEXT),
        _ => failed(found, next_step),
    }
}

/// Whether what is old is refused. `meeva_alone` is what became of a request whose `webhook-signature` was wrong and whose
/// `Meeva-Signature` was right, where the format has both.
pub(crate) fn old(old: &Exchange, meeva_alone: Option<&Exchange>) -> Judgement {
    const NEXT: &str = "Refuse a webhook-timestamp that is more than five minutes from your clock: whoever recorded a request \
                        could send it again for ever. The libraries of Standard Webhooks do so.";
    if !old.is_taken() {
        return none_taken(std::slice::from_ref(old), NEXT);
    }
    if meeva_alone.is_some_and(Exchange::is_taken) {
        return advice(
            "taken; it verifies Meeva-Signature, which covers no time",
            "Remember the ids of events that were taken, so that a recorded request does nothing when it comes again; or \
             verify webhook-signature, which covers id and time as well.",
        );
    }
    failed(format!("taken: {}", old.sent), NEXT)
}

/// One that came a few bytes at a time, to a receiver that takes the same at once.
pub(crate) fn dripped(exchange: &Exchange) -> Judgement {
    if exchange.is_taken() {
        return passed("it was answered 2xx");
    }
    let (found, _) = refused(exchange);
    failed(
        found,
        "Read on until the head has ended and Content-Length bytes of body are there, however many pieces they come in, and \
         verify then. If your server, or a proxy or firewall before it, cuts off who is slow, let it grant a request ten \
         seconds at least: on a bad line packets are lost and come again.",
    )
}

/// What is old is taken by who takes what is forged as well: nothing is known of the time then.
pub(crate) fn old_and_unverified() -> Judgement {
    advice(
        "taken, as unsigned requests are",
        "Verify signatures first, and with them that webhook-timestamp lies within five minutes of your clock.",
    )
}

/// Whether a request was lost with its connection, and not answered.
pub(crate) fn is_cut_off(exchanges: &[Exchange]) -> bool {
    let mut outcomes = exchanges.iter().map(|exchange| exchange.outcome);
    outcomes.any(|outcome| outcome == Outcome::ProtocolError)
}

/// A connection that is used again, at once and after a rest; and, where a request was lost with it, once more the same.
pub(crate) fn kept_alive(first: &[Exchange], again: &[Exchange]) -> Judgement {
    let is_unlucky = is_cut_off(first) && !is_cut_off(again);
    let (counting, luck) = match is_unlucky {
        true => (
            again,
            ", the second time: before, a connection was closed just as it was used",
        ),
        false => (first, ""),
    };
    let Some(broken) = counting.iter().find(|exchange| !exchange.is_taken()) else {
        return passed(format!("each was answered 2xx{luck}"));
    };
    let (found, next_step) = refused(broken);
    if matches!(broken.outcome, Outcome::HttpStatus) {
        return failed(found, next_step);
    }
    failed(
        format!("{found} A new connection was answered before."),
        "Close a connection only while nothing is on it, and say `Connection: close` in the answer before: what is read and \
         not answered is sent again, and done twice. Look at the time for which your server and the load balancer before it \
         keep connections; the balancer's has to be the shorter one.",
    )
}

/// How quickly all of it was answered.
pub(crate) fn quick<'a>(
    exchanges: impl Iterator<Item = &'a Exchange> + Clone,
    timeout: Duration,
) -> Judgement {
    const NEXT: &str = "Verify, store the event (a queue, a table), answer 200, and work afterwards.";
    if let Some(late) = exchanges
        .clone()
        .find(|exchange| exchange.outcome == Outcome::Timeout)
    {
        return failed(format!("{}: no answer within {timeout:?}", late.sent), NEXT);
    }
    let answered = exchanges.filter(|exchange| exchange.status.is_some());
    let Some(slowest) = answered.max_by_key(|exchange| exchange.duration_ms) else {
        return skipped("nothing was answered");
    };
    let took = Duration::from_millis(slowest.duration_ms);
    let found = format!(
        "the slowest answer took {} ms: {}",
        slowest.duration_ms, slowest.sent
    );
    if took > timeout / SLOW_PART {
        return advice(found, NEXT);
    }
    passed(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(sent: &str, status: Option<u16>) -> Exchange {
        let outcome = match status {
            Some(200..=299) => Outcome::Delivered,
            Some(_) => Outcome::HttpStatus,
            None => Outcome::ProtocolError,
        };
        Exchange {
            sent: sent.to_owned(),
            event: "evt_1".to_owned(),
            event_type: "booking.created".to_owned(),
            attempt: 1,
            timestamp: 0,
            bytes: 2,
            outcome,
            status,
            error: status.is_none().then(|| "closed".to_owned()),
            response: String::new(),
            duration_ms: 1,
        }
    }

    fn all(statuses: &[u16]) -> Vec<Exchange> {
        statuses
            .iter()
            .map(|status| exchange("it", Some(*status)))
            .collect()
    }

    #[test]
    fn one_refusal_fails_what_all_of_must_be_taken() {
        assert_eq!(all_taken(&all(&[200, 202, 204]), "").0, Verdict::Passed);
        let (verdict, found, next_step) = all_taken(&all(&[200, 409]), "Answer 200.");
        assert_eq!(verdict, Verdict::Failed);
        assert!(found.contains("409"), "{found}");
        assert!(next_step.is_some_and(|text| text.ends_with("Answer 200.")));
        assert_eq!(all_taken(&[exchange("it", None)], "").0, Verdict::Failed);
    }

    #[test]
    fn a_crowd_may_be_told_to_come_later() {
        assert_eq!(all_taken_or_paced(&all(&[200; 10])).0, Verdict::Passed);
        assert_eq!(all_taken_or_paced(&all(&[200, 429, 503])).0, Verdict::Advice);
        assert_eq!(all_taken_or_paced(&all(&[200, 429, 500])).0, Verdict::Failed);
    }

    #[test]
    fn what_is_forged_must_be_refused_and_best_with_a_client_fault() {
        assert_eq!(none_taken(&all(&[401, 403]), "").0, Verdict::Passed);
        assert_eq!(none_taken(&all(&[401, 500]), "").0, Verdict::Advice);
        let (verdict, found, _) = none_taken(&all(&[401, 200]), "");
        assert_eq!((verdict, found.as_str()), (Verdict::Failed, "taken: it"));
    }

    #[test]
    fn a_signature_over_rewritten_json_names_the_fault() {
        let spelled = |status| exchange("odd", Some(status));
        let verdict = |status, rewritten: &[u16], refuses_all| {
            raw_body(&spelled(status), &all(rewritten), refuses_all).0
        };
        assert_eq!(verdict(200, &[401, 401], false), Verdict::Passed);
        assert_eq!(verdict(401, &[401, 401], false), Verdict::Failed);
        assert_eq!(verdict(200, &[401, 200], false), Verdict::Failed);
        // Another secret looks like that, and a parser's spelling like this.
        assert_eq!(verdict(401, &[401, 401], true), Verdict::Skipped);
        assert_eq!(verdict(401, &[401, 200], true), Verdict::Failed);
    }

    #[test]
    fn what_is_old_may_be_taken_only_by_who_cannot_see_its_time() {
        let (taken, not) = (exchange("old", Some(200)), exchange("old", Some(401)));
        assert_eq!(old(&not, None).0, Verdict::Passed);
        assert_eq!(old(&taken, None).0, Verdict::Failed);
        assert_eq!(old(&taken, Some(&not)).0, Verdict::Failed);
        assert_eq!(old(&taken, Some(&taken)).0, Verdict::Advice);
    }

    #[test]
    fn what_drips_has_to_be_taken() {
        assert_eq!(dripped(&exchange("it", Some(202))).0, Verdict::Passed);
        let (verdict, found, next_step) = dripped(&exchange("it", Some(408)));
        assert_eq!(verdict, Verdict::Failed);
        assert!(found.contains("408"), "{found}");
        assert!(next_step.is_some_and(|text| text.contains("Content-Length")));
        assert_eq!(dripped(&exchange("it", None)).0, Verdict::Failed);
    }

    #[test]
    fn a_connection_that_is_lost_once_is_bad_luck_and_twice_a_fault() {
        let (good, refused) = (exchange("it", Some(200)), exchange("it", Some(500)));
        let lost = exchange("it", None);
        let verdict =
            |first: &Exchange, again: &[Exchange]| kept_alive(&[good.clone(), first.clone()], again).0;
        assert_eq!(verdict(&good, &[]), Verdict::Passed);
        assert_eq!(verdict(&lost, std::slice::from_ref(&good)), Verdict::Passed);
        assert_eq!(verdict(&lost, std::slice::from_ref(&lost)), Verdict::Failed);
        assert_eq!(verdict(&lost, std::slice::from_ref(&refused)), Verdict::Failed);
        assert_eq!(verdict(&refused, &[]), Verdict::Failed);
    }

    #[test]
    fn slowness_is_held_against_what_is_granted() {
        let mut slow = exchange("it", Some(200));
        slow.duration_ms = 400;
        let of = |exchange: &Exchange, ms| quick([exchange].into_iter(), Duration::from_millis(ms)).0;
        assert_eq!(of(&slow, 30_000), Verdict::Passed);
        assert_eq!(of(&slow, 1_000), Verdict::Advice);
        slow.outcome = Outcome::Timeout;
        assert_eq!(of(&slow, 30_000), Verdict::Failed);
    }
}
