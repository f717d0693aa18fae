//! The line for places, with many who wait, give up and come back in seeded disorder.

use futures_util::FutureExt as _;

use super::*;

/// Enough disorder for a test, and the same each time.
struct Disorder(u64);

impl Disorder {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap_or(0)
    }
}

/// What has been granted to somebody who waits, if it has.
fn granted(waiting: &mut InLine) -> Option<Places> {
    (&mut waiting.granted).now_or_never()?.ok()
}

fn in_line(room: &Room, count: usize) -> InLine {
    room.ask(count).err().expect("there is no room")
}

#[test]
fn places_are_given_in_the_order_in_which_they_were_asked_for() {
    let room = Room::new(3);
    let held = room.ask(1).ok().expect("there is room");
    let others = room.ask(2).ok().expect("there is room");
    let (mut many, mut one) = (in_line(&room, 3), in_line(&room, 1));
    assert_eq!(room.missing(), 4);
    drop(others);
    assert_eq!(room.missing(), 2);
    assert!(
        granted(&mut many).is_none() && granted(&mut one).is_none(),
        "nobody overtakes"
    );
    drop(held);
    let many = granted(&mut many).expect("its turn");
    assert!(granted(&mut one).is_none());
    assert_eq!(room.missing(), 1);
    drop(many);
    assert!(granted(&mut one).is_some());
    assert_eq!(room.missing(), 0);
}

#[test]
fn who_gives_up_lets_those_behind_it_pass_and_keeps_nothing() {
    let room = Room::new(2);
    let held = room.ask(1).ok().expect("there is room");
    let (many, mut one) = (in_line(&room, 2), in_line(&room, 1));
    drop(many);
    let one = granted(&mut one).expect("nobody stands before it");
    let unwanted = in_line(&room, 2);
    drop((held, one));
    // Granted by now, and never looked at.
    drop(unwanted);
    assert!(room.ask(2).is_ok(), "all is free again");
}

#[test]
fn places_that_are_added_go_to_those_who_wait() {
    let room = Room::new(0);
    let mut waiting = in_line(&room, 2);
    room.add(1);
    assert!(granted(&mut waiting).is_none());
    room.add(2);
    let places = granted(&mut waiting).expect("its turn");
    assert_eq!(room.free(), 1);
    drop(places);
    assert_eq!(room.free(), 3);
}

#[test]
fn in_any_disorder_no_place_is_lost_or_given_twice_and_everyone_gets_some() {
    const PLACES: usize = 9;
    for seed in 1..=50 {
        let mut disorder = Disorder(seed);
        let room = Room::new(PLACES);
        let (mut held, mut waiting) = (Vec::<Places>::new(), VecDeque::<InLine>::new());
        let mut has_waited = 0;
        for _ in 0..3_000 {
            match disorder.below(8) {
                0..=3 => match room.ask(1 + disorder.below(4)) {
                    Ok(places) => {
                        assert!(waiting.is_empty(), "seed {seed}: somebody was overtaken");
                        held.push(places);
                    }
                    Err(in_line) => waiting.push_back(in_line),
                },
                4..=6 if !held.is_empty() => {
                    drop(held.swap_remove(disorder.below(held.len())));
                }
                7 if waiting.len() > 5 => {
                    drop(waiting.remove(disorder.below(waiting.len())));
                }
                _ => {}
            }
            // The line is served from its front, and whoever is served is at the front.
            while let Some(places) = waiting.front_mut().and_then(granted) {
                waiting.pop_front();
                has_waited += 1;
                held.push(places);
            }
            assert!(
                waiting.iter_mut().all(|other| granted(other).is_none()),
                "seed {seed}"
            );
            let taken: usize = held.iter().map(|places| places.count).sum();
            let line = room.line();
            assert_eq!(line.free + taken, PLACES, "seed {seed}");
            assert!(
                line.waiting.front().is_none_or(|first| first.count > line.free),
                "seed {seed}"
            );
            assert_eq!(
                line.asked,
                line.waiting.iter().map(|asked| asked.count).sum::<usize>()
            );
        }
        assert!(has_waited > 100, "seed {seed} plays");
        held.clear();
        while let Some(mut first) = waiting.pop_front() {
            assert!(granted(&mut first).is_some(), "seed {seed}: the line goes on");
        }
        assert!(room.ask(PLACES).is_ok(), "seed {seed}: all is free again");
    }
}
