//! The start limiter against a model of itself: steps at random, over many seeds, on a clock that stands still unless it is waited for.
//! What it promises is told here once more, in as few words as there are, and each mistake is put back into that to see that the steps
//! tell the difference.

use std::sync::Arc;
use std::time::Duration;

use hookline_cases::Random;
use tokio::time::{Instant, advance};

use crate::fairness::{Permit, StartLimiter};

/// What stands in `start_limiter.rs`.
const MOMENT: Duration = Duration::from_millis(5);
const COUNTS_FOR: Duration = Duration::from_millis(20);
const FRESH: Duration = Duration::from_millis(250);

const SEEDS: u64 = 670;
const STEPS: usize = 1_500;

/// What a limiter may be wrong about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// A permit that is dropped frees nothing.
    KeepsWhatIsDropped,
    /// A permit that counts no longer is counted out again.
    CountsTheOldOut,
    /// A moment that is over frees nothing.
    HoldsForEver,
    /// What hangs counts until somebody has waited for it.
    HoldsUntilItIsFull,
    /// It never gives way.
    GivesNoWay,
    /// It gives way for ever, once something fresh began.
    GivesWayForEver,
}

/// A limiter as it should be.
struct Model {
    max: usize,
    beside: Option<usize>,
    /// Those that count: a number, and since when.
    permits: Vec<(u64, Instant)>,
    number: u64,
    begun: Option<Instant>,
}

impl Model {
    fn new(max: usize, beside: Option<usize>) -> Self {
        Self {
            max,
            beside,
            permits: Vec::new(),
            number: 0,
            begun: None,
        }
    }

    fn max(&self, is_beside_fresh: bool) -> usize {
        self.beside.filter(|_| is_beside_fresh).unwrap_or(self.max)
    }

    fn expire(&mut self, now: Instant) {
        self.permits.retain(|(_, since)| *since + COUNTS_FOR > now);
    }

    /// Takes a permit while nobody gives any back: its number, and how long that takes.
    fn acquire(&mut self, is_beside_fresh: bool, mistake: Option<Mistake>) -> (u64, Duration) {
        let max = self.max(is_beside_fresh);
        let now = Instant::now();
        let holds = [Mistake::HoldsForEver, Mistake::HoldsUntilItIsFull];
        if mistake.is_none_or(|mistake| !holds.contains(&mistake)) {
            self.expire(now);
        }
        let mut waited = Duration::ZERO;
        if self.permits.len() >= max {
            waited = MOMENT;
            if mistake != Some(Mistake::HoldsForEver) {
                self.permits.clear();
            }
        }
        self.number += 1;
        self.permits.push((self.number, now + waited));
        self.begun = Some(now + waited);
        (self.number, waited)
    }

    fn give_back(&mut self, number: u64, mistake: Option<Mistake>) {
        if mistake == Some(Mistake::KeepsWhatIsDropped) {
            return;
        }
        let before = self.permits.len();
        self.permits.retain(|(other, _)| *other != number);
        if self.permits.len() == before && mistake == Some(Mistake::CountsTheOldOut) {
            self.permits.pop();
        }
    }

    fn is_active(&self, mistake: Option<Mistake>) -> bool {
        let is_fresh = |begun: Instant| {
            mistake == Some(Mistake::GivesWayForEver)
                || Instant::now().saturating_duration_since(begun) < FRESH
        };
        mistake != Some(Mistake::GivesNoWay) && self.begun.is_some_and(is_fresh)
    }
}

/// Both of them, of the fresh and of what is due, and the permits that are out.
struct Pair {
    limiters: [Arc<StartLimiter>; 2],
    models: [Model; 2],
    out: Vec<(usize, u64, Permit)>,
}

impl Pair {
    fn new(random: &mut Random) -> Self {
        let (max, due) = (1 + random.below(9), 1 + random.below(9));
        let beside = 1 + random.below(due);
        let fresh = StartLimiter::new(max);
        let giving_way = StartLimiter::giving_way(due, beside, vec![Arc::clone(&fresh)]);
        Self {
            limiters: [fresh, giving_way],
            models: [Model::new(max, None), Model::new(due, Some(beside))],
            out: Vec::new(),
        }
    }

    /// Takes a permit, which must take exactly as long as the model says.
    async fn acquire(&mut self, which: usize, mistake: Option<Mistake>) -> Result<(), String> {
        let is_beside_fresh = self.models[0].is_active(mistake);
        let (number, expected) = self.models[which].acquire(is_beside_fresh, mistake);
        let since = Instant::now();
        let permit = self.limiters[which].acquire().await;
        let waited = since.elapsed();
        self.out.push((which, number, permit));
        if waited == expected {
            Ok(())
        } else {
            Err(format!("limiter {which} took {waited:?} and not {expected:?}"))
        }
    }

    /// Somebody waits for a permit while others give theirs back: until half of what there may be is free, or a moment is over.
    async fn acquire_as_others_end(&mut self, random: &mut Random) -> Result<(), String> {
        let which = random.below(2);
        let is_beside_fresh = self.models[0].is_active(None);
        let model = &mut self.models[which];
        model.expire(Instant::now());
        let max = model.max(is_beside_fresh);
        if model.permits.len() < max {
            return Ok(());
        }
        let limiter = Arc::clone(&self.limiters[which]);
        let acquiring = tokio::spawn(async move { limiter.acquire().await });
        tokio::task::yield_now().await;
        let since = Instant::now();
        while self.models[which].permits.len() > max / 2 {
            if acquiring.is_finished() {
                return Err(format!("limiter {which} lets somebody in while it is full"));
            }
            let (first, _) = self.models[which].permits[0];
            let is_first = |(of, number, _): &(usize, u64, Permit)| *of == which && *number == first;
            let Some(place) = self.out.iter().position(is_first) else {
                return Err(format!("limiter {which} counts permits that nobody has"));
            };
            drop(self.out.remove(place));
            self.models[which].give_back(first, None);
            tokio::task::yield_now().await;
        }
        let permit = acquiring.await.map_err(|error| error.to_string())?;
        let (number, waits) = self.models[which].acquire(is_beside_fresh, None);
        self.out.push((which, number, permit));
        if (since.elapsed(), waits) == (Duration::ZERO, Duration::ZERO) {
            Ok(())
        } else {
            Err(format!("half of limiter {which} is free, and nobody was told"))
        }
    }

    async fn step(&mut self, random: &mut Random, mistake: Option<Mistake>) -> Result<(), String> {
        match random.below(100) {
            0..30 => self.acquire(0, mistake).await?,
            30..60 => self.acquire(1, mistake).await?,
            60..88 if !self.out.is_empty() => {
                let place = random.below(self.out.len());
                let (which, number, permit) = self.out.swap_remove(place);
                drop(permit);
                self.models[which].give_back(number, mistake);
            }
            88..91 => advance(Duration::from_millis(random.below(400) as u64)).await,
            91..94 => advance(MOMENT).await,
            94..97 if mistake.is_none() => self.acquire_as_others_end(random).await?,
            97 => {
                // Whoever waited and was cancelled holds nothing.
                let which = random.below(2);
                let limiter = Arc::clone(&self.limiters[which]);
                let model = &mut self.models[which];
                model.expire(Instant::now());
                if model.permits.len() >= model.max {
                    let waiting = tokio::spawn(async move { limiter.acquire().await });
                    tokio::task::yield_now().await;
                    waiting.abort();
                    drop(waiting.await);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

async fn history(seed: u64, mistake: Option<Mistake>) -> Result<(), String> {
    let mut random = Random::new(seed);
    let mut pair = Pair::new(&mut random);
    for step in 0..STEPS {
        let done = pair.step(&mut random, mistake).await;
        done.map_err(|fault| format!("seed {seed}, step {step}: {fault}"))?;
    }
    // In the end everything is free again: as many begin at once as may.
    pair.out.clear();
    advance(FRESH).await;
    for which in [1, 0] {
        pair.models[which].permits.clear();
        for _ in 0..pair.models[which].max {
            pair.acquire(which, mistake).await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_million_steps_let_in_as_many_as_may_and_nobody_waits_for_longer_than_a_moment() {
    for seed in 1..=SEEDS {
        if let Err(fault) = history(seed, None).await {
            panic!("{fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_steps_find_each_mistake() {
    for mistake in [
        Mistake::KeepsWhatIsDropped,
        Mistake::CountsTheOldOut,
        Mistake::HoldsForEver,
        Mistake::HoldsUntilItIsFull,
        Mistake::GivesNoWay,
        Mistake::GivesWayForEver,
    ] {
        let mut found = false;
        for seed in 1..=SEEDS {
            found |= history(seed, Some(mistake)).await.is_err();
            if found {
                break;
            }
        }
        assert!(found, "{mistake:?} was not found");
    }
}
