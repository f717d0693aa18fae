//! Which messages are suspected of crashing their consumers, and when one is handled. Pure; `quarantine.rs` handles them.

use std::time::Duration;

use hookline_common::message::{self, Message};
use hookline_common::schedule::Delay;
use hookline_common::topology::PARK_DELAYS;

use crate::queues::Working;

/// Returns to a working queue from which on a message is suspected. Restarts and lost connections give each a return or
/// two; suspecting those would only make work.
const SUSPECT_RETURNS: u32 = 3;
/// Ends of a process with this message in its hand that are enough to call it the cause. With the three before it that makes nine
/// crashes.
const MAX_CRASHES: u32 = 6;
/// So many of them, the last, are with this message alone: a single kill may come when it will.
const ALONE: u32 = 2;
/// How long the process must have been consuming before it takes a suspect. A process that is killed as it starts, again
/// and again, would otherwise have its harmless suspects counted as the cause.
pub const SETTLING_TIME: Duration = Duration::from_secs(2);

/// What to do with a suspect.
#[derive(Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It is the cause.
    Reject,
    /// This process has not lived long enough to take it: set it aside for so long.
    Later(Delay),
    /// Handle it; others may follow after a moment.
    Handle,
    /// Handle it with nothing else of the quarantine in hand, to its end.
    HandleAlone,
}

/// Whether a message of a working queue must be handled in the quarantine, because it came back too often, or was counted
/// there before.
///
/// A suspect that was parked before anything was counted takes its turn among the others, which those need not wait for that were
/// in the quarantine by chance. It is a suspect still: its first return brings it back.
#[must_use]
pub fn is_suspect(queue: Working, returned: u32, message: &Message) -> bool {
    let enough = match known_crashes(queue, message) {
        None => SUSPECT_RETURNS,
        Some(0) => 1,
        Some(_) => 0,
    };
    returned >= enough
}

/// What is known of a message of a working queue: how often a process ended with it as a suspect, where it is one. Nobody but us
/// writes to `due`, so only there it is believed.
#[must_use]
pub fn known_crashes(queue: Working, message: &Message) -> Option<u32> {
    match queue {
        Working::Due | Working::Quarantine => message::crashes(message),
        Working::Events | Working::Deliveries => None,
    }
}

/// The same as it is moved to the quarantine: what brought a parked one back there is counted, or it could be parked and come back
/// for ever.
#[must_use]
pub fn counted(queue: Working, message: &Message) -> Option<u32> {
    known_crashes(queue, message).map(|crashes| crashes.max(1))
}

/// Decides what to do with a suspect that the process ended with `crashes` times, in a process that has consumed for `lived`
/// and whose attempts take at most `longest_attempt`.
///
/// The last ends that it takes to reject a message must be such of which nothing but the message can be the cause. A process
/// that is killed every few seconds, whatever it does, would end with the same message in hand each time if its receiver
/// hangs. So the last tries are for a process that has lived longer than any attempt takes: one that is killed sooner never
/// makes them, and one that lives as long would have come to the end of the tries before.
#[must_use]
pub fn treatment(crashes: u32, lived: Duration, longest_attempt: Duration) -> Treatment {
    if crashes >= MAX_CRASHES {
        return Treatment::Reject;
    }
    let is_alone = crashes + ALONE >= MAX_CRASHES;
    let lives = if is_alone {
        SETTLING_TIME + longest_attempt
    } else {
        SETTLING_TIME
    };
    let missing = lives.saturating_sub(lived);
    if !missing.is_zero() {
        let fits = |delay: &Delay| delay.as_duration() >= missing;
        let [.., longest] = PARK_DELAYS;
        return Treatment::Later(PARK_DELAYS.into_iter().find(fits).unwrap_or(longest));
    }
    if is_alone {
        Treatment::HandleAlone
    } else {
        Treatment::Handle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: Duration = Duration::from_secs(30);

    /// Whoever is ahead in the quarantine, and however often that is so.
    #[test]
    fn a_suspect_that_is_parked_each_time_is_rejected_after_ten_crashes_at_most() {
        let (mut queue, mut returned, mut crashed) = (Working::Deliveries, 0, 0);
        let mut message = Message::default();
        loop {
            if queue != Working::Quarantine && is_suspect(queue, returned, &message) {
                if let Some(crashes) = counted(queue, &message) {
                    message::set_crashes(&mut message, crashes);
                }
                (queue, returned) = (Working::Quarantine, 0);
            }
            if queue == Working::Quarantine {
                let crashes = message::crashes(&message).unwrap_or(0) + returned;
                let old = SETTLING_TIME + ATTEMPT;
                match treatment(crashes, old, ATTEMPT) {
                    Treatment::Reject => break,
                    // Not begun: parked, with what is known of it.
                    Treatment::Handle if crashes == 0 => {
                        message::set_crashes(&mut message, crashes);
                        (queue, returned) = (Working::Due, 0);
                        continue;
                    }
                    _ => {}
                }
            }
            (returned, crashed) = (returned + 1, crashed + 1);
            assert!(crashed <= 10, "{crashed} crashes");
        }
        assert!(crashed > SUSPECT_RETURNS);
    }

    #[test]
    fn a_suspect_is_handled_until_it_is_the_cause_and_the_last_times_alone() {
        let old = SETTLING_TIME + ATTEMPT;
        let treatments: Vec<_> = (0..=MAX_CRASHES)
            .map(|crashes| treatment(crashes, old, ATTEMPT))
            .collect();
        let [tries @ .., before, last, end] = treatments.as_slice() else {
            panic!("{treatments:?}");
        };
        assert!(tries.iter().all(|tried| *tried == Treatment::Handle));
        assert_eq!([before, last], [&Treatment::HandleAlone; 2]);
        assert_eq!(end, &Treatment::Reject);
    }

    /// Whatever the pace of the kills, and though each comes with the suspect in hand.
    #[test]
    fn kills_at_any_even_pace_never_make_a_cause_of_what_only_takes_long() {
        for pace in 1..200 {
            let pace = Duration::from_secs(pace);
            let mut crashes = 0;
            for _ in 0..100 {
                // The process takes it as soon as it may.
                let takes_at = (0..)
                    .map(Duration::from_secs)
                    .find(|lived| !matches!(treatment(crashes, *lived, ATTEMPT), Treatment::Later(_)))
                    .unwrap();
                assert_ne!(
                    treatment(crashes, takes_at, ATTEMPT),
                    Treatment::Reject,
                    "{pace:?}"
                );
                let is_in_hand = takes_at < pace && pace < takes_at + ATTEMPT;
                // An attempt that ends clears it.
                crashes = match (is_in_hand, takes_at < pace) {
                    (true, _) => crashes + 1,
                    (false, true) => 0,
                    (false, false) => crashes,
                };
            }
        }
    }

    /// Kills that come quickly, and one that comes late, as when somebody mends a crash loop and then rolls out.
    #[test]
    fn one_late_kill_after_many_quick_ones_makes_no_cause_of_what_only_takes_long() {
        let quick = [Duration::from_secs(10); 20];
        let mut crashes = 0;
        for lives in quick.into_iter().chain([Duration::from_secs(40)]) {
            let takes = |lived: &Duration| {
                let treatment = treatment(crashes, *lived, ATTEMPT);
                matches!(treatment, Treatment::Handle | Treatment::HandleAlone)
            };
            let takes_at = (0..).map(Duration::from_secs).find(takes).unwrap();
            crashes += u32::from(takes_at < lives);
        }
        assert!(crashes > 3, "{crashes}");
        assert_ne!(
            treatment(crashes, SETTLING_TIME + ATTEMPT, ATTEMPT),
            Treatment::Reject
        );
    }

    #[test]
    fn what_cannot_be_handled_yet_is_set_aside_until_it_can() {
        let lived = Duration::from_secs(5);
        assert_eq!(
            treatment(MAX_CRASHES - 1, lived, ATTEMPT),
            Treatment::Later(Delay::from_seconds(30))
        );
        assert_eq!(
            treatment(MAX_CRASHES - 1, lived, 10 * ATTEMPT),
            Treatment::Later(Delay::from_seconds(60))
        );
    }
}
