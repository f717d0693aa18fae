//! A model that tries everything: endpoints that answer, dawdle, hang and refuse, lost subscriptions, parked jobs that
//! come back or never do, in seeded random order, with what must hold checked after every step.
//!
//! The mistakes of `faults.rs` are put back one by one, to show that the model finds each.

use hookline_common::schedule::Delay;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::super::faults::{self, Fault};
use super::super::holdings::Holdings;
use super::super::limit::Health;
use super::super::*;

const SEEDS: u64 = 8;
const STEPS: usize = 130_000;
const ENDPOINTS: usize = 9;
const WINDOWS: [usize; 3] = [30, 20, 12];
const CONNECTIONS: usize = 26;
const CONCURRENCY: Concurrency = Concurrency { start: 8, max: 40 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    InFlight,
    Waiting,
    Parked,
    Held,
    Done,
}

#[derive(Debug, Clone, Copy)]
struct Job {
    endpoint: usize,
    queue: usize,
    parked: u32,
    place: Place,
    began: Instant,
}

struct Model {
    fairness: Fairness<usize, u64>,
    jobs: HashMap<u64, Job>,
    next_job: u64,
    /// Jobs that are parked, by when they come back.
    parked: BTreeMap<(Instant, u64), ()>,
    flying: Vec<u64>,
    held: [Option<u64>; 3],
    held_until: HashMap<usize, Instant>,
    now: Instant,
    random: u64,
    lost_parks: bool,
    in_window: [usize; 3],
}

impl Model {
    fn new(seed: u64) -> Self {
        Self {
            fairness: Fairness::new(Bounds {
                concurrency: CONCURRENCY,
                windows: WINDOWS.to_vec(),
                due: 2,
                connections: CONNECTIONS,
            }),
            jobs: HashMap::new(),
            next_job: 0,
            parked: BTreeMap::new(),
            flying: Vec::new(),
            held: [None; 3],
            held_until: HashMap::new(),
            now: Instant::now(),
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            lost_parks: seed.is_multiple_of(2),
            in_window: [0; 3],
        }
    }

    /// A xorshift generator: the same numbers for the same seed.
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % below
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random(100) {
            // What may begin by another rate begins with the tick that falls due.
            0..40 => self.take().and_then(|()| self.pass(Duration::ZERO))?,
            40..80 => self.end()?,
            80..90 => self.pass(Duration::from_millis(1))?,
            90..97 => self.pass(Duration::from_millis(20))?,
            97..99 => self.pass(Duration::from_millis(300))?,
            _ => match self.random(40) {
                0 => self.drain()?,
                1..4 => self.pass(Duration::from_secs(20))?,
                _ => {
                    let queue = self.random(3) as usize;
                    let (ready, consumers) = (self.random(100), self.random(4) as u32);
                    self.fairness.observe(queue, ready, consumers, self.now);
                }
            },
        }
        self.check()
    }

    /// One message is taken from a working queue that has room in its window; what is held comes first.
    fn take(&mut self) -> Result<(), String> {
        let queue = self.random(3) as usize;
        let id = match self.held[queue].take() {
            Some(id) => id,
            None if self.in_window[queue] >= WINDOWS[queue] => return Ok(()),
            None => {
                self.in_window[queue] += 1;
                let back = self.parked.first_key_value().map(|((at, id), ())| (*at, *id));
                match back.filter(|(at, _)| queue == 2 && *at <= self.now) {
                    Some((at, id)) => {
                        self.parked.remove(&(at, id));
                        self.move_to(id, Place::Parked, Place::Held)?;
                        if let Some(job) = self.jobs.get_mut(&id) {
                            job.queue = 2;
                        }
                        id
                    }
                    None => self.fresh(queue),
                }
            }
        };
        self.admit(id)
    }

    fn fresh(&mut self, queue: usize) -> u64 {
        // Some endpoints get far more than others.
        let endpoint =
            (self.random(ENDPOINTS as u64) * self.random(ENDPOINTS as u64) / ENDPOINTS as u64) as usize;
        self.next_job += 1;
        let job = Job {
            endpoint,
            queue,
            parked: 0,
            place: Place::Held,
            began: self.now,
        };
        self.jobs.insert(self.next_job, job);
        self.next_job
    }

    fn admit(&mut self, id: u64) -> Result<(), String> {
        let job = self.job(id)?;
        // One endpoint's owner limits its rate.
        let rate = (job.endpoint == 1).then_some(200.0);
        let info = JobInfo {
            queue: job.queue,
            parked: job.parked,
            rate,
        };
        let before = self.limited(job.queue);
        match self.fairness.admit(&job.endpoint, info, id, self.now) {
            Admission::Start(id) => {
                self.begin(id, Place::Held)?;
                self.check_share(&job, before)
            }
            Admission::Wait => {
                self.move_to(id, Place::Held, Place::Waiting)?;
                self.check_share(&job, before)
            }
            Admission::Park(id, delay) => self.park(id, Place::Held, delay),
            Admission::Hold(id) => {
                self.held[job.queue] = Some(id);
                Ok(())
            }
        }
    }

    /// Endpoints without proof never get more than half of a window by being admitted.
    fn check_share(&self, job: &Job, before: usize) -> Result<(), String> {
        let after = self.limited(job.queue);
        let most = WINDOWS[job.queue] / 2;
        if after > before && after > most {
            return Err(format!("{after} of queue {} without proof", job.queue));
        }
        Ok(())
    }

    fn limited(&self, queue: usize) -> usize {
        let state = self.fairness.lock();
        let shares = state.queues.values().filter(|queue| queue.is_limited());
        shares.map(|endpoint| endpoint.held(queue)).sum()
    }

    /// Something in flight ends: what becomes of it goes with its endpoint and the time.
    fn end(&mut self) -> Result<(), String> {
        if self.flying.is_empty() {
            return Ok(());
        }
        let index = self.random(self.flying.len() as u64) as usize;
        let id = self.flying[index];
        let job = self.job(id)?;
        let took = self.now.duration_since(job.began);
        let hangs = job.endpoint >= 6 || job.endpoint == 5 && self.random(4) > 0;
        let chance = self.random(100);
        let feedback = match job.endpoint {
            _ if chance < 3 => Feedback::NothingAsked,
            _ if hangs && took < Duration::from_secs(10) => return Ok(()),
            8 => Feedback::NoAnswer,
            _ if hangs && chance < 60 => Feedback::NoAnswer,
            3 if chance < 20 => Feedback::Refused { retry_after: None },
            4 if chance < 20 => Feedback::Refused {
                retry_after: Some(Duration::from_millis(chance * chance * 40)),
            },
            _ if chance < 30 => Feedback::Answered,
            _ => Feedback::Success,
        };
        self.flying.swap_remove(index);
        self.finish(id, job, feedback, took)
    }

    fn finish(&mut self, id: u64, job: Job, feedback: Feedback, took: Duration) -> Result<(), String> {
        self.move_to(id, Place::InFlight, Place::Done)?;
        self.jobs.remove(&id);
        self.in_window[job.queue] -= 1;
        if let Feedback::Refused {
            retry_after: Some(after),
        } = feedback
        {
            let until = self.now + after;
            let known = self.held_until.entry(job.endpoint).or_insert(until);
            *known = until.max(*known);
        }
        let was_failing = self.is_failing(job.endpoint);
        let start = self
            .fairness
            .release(&job.endpoint, job.queue, feedback, took, self.now);
        if feedback == Feedback::NothingAsked && was_failing && !self.is_failing(job.endpoint) {
            return Err("nothing was asked, and that proved a dead endpoint alive".to_owned());
        }
        for id in start {
            self.begin(id, Place::Waiting)?;
        }
        Ok(())
    }

    /// Whether it is known not to answer. One that was forgotten is what it was.
    fn is_failing(&self, endpoint: usize) -> bool {
        self.fairness.lock().health_of(&endpoint) == Some(Health::Failing)
    }

    fn pass(&mut self, time: Duration) -> Result<(), String> {
        self.now += time;
        while self.fairness.next_tick() <= self.now {
            let due = self.fairness.tick(self.now);
            for id in due.start {
                self.begin(id, Place::Waiting)?;
            }
            for (id, delay) in due.park {
                self.park(id, Place::Waiting, delay)?;
            }
        }
        Ok(())
    }

    /// A stop: what waits is given back, as is what is held, and all that is in flight ends.
    fn drain(&mut self) -> Result<(), String> {
        for id in self.fairness.take_waiting() {
            let queue = self.job(id)?.queue;
            self.move_to(id, Place::Waiting, Place::Done)?;
            self.jobs.remove(&id);
            self.in_window[queue] -= 1;
        }
        for id in std::mem::take(&mut self.flying) {
            let job = self.job(id)?;
            self.finish(id, job, Feedback::NothingAsked, Duration::ZERO)?;
        }
        let state = self.fairness.lock();
        let kept = Holdings {
            silent_parking: state.holdings.silent_parking,
            ..Holdings::default()
        };
        if state.holdings != kept {
            return Err(format!(
                "nothing is in hand, and the holdings say {:?}",
                state.holdings
            ));
        }
        Ok(())
    }

    fn begin(&mut self, id: u64, from: Place) -> Result<(), String> {
        self.move_to(id, from, Place::InFlight)?;
        let job = self.job(id)?;
        if self
            .held_until
            .get(&job.endpoint)
            .is_some_and(|until| *until > self.now)
        {
            return Err(format!("endpoint {} is held", job.endpoint));
        }
        if let Some(job) = self.jobs.get_mut(&id) {
            job.began = self.now;
        }
        self.flying.push(id);
        Ok(())
    }

    fn park(&mut self, id: u64, from: Place, delay: Delay) -> Result<(), String> {
        self.move_to(id, from, Place::Parked)?;
        let queue = self.job(id)?.queue;
        self.in_window[queue] -= 1;
        // Another replica takes some of them, and this one never sees them again.
        if self.lost_parks && self.random(3) == 0 {
            self.jobs.remove(&id);
            return Ok(());
        }
        if let Some(job) = self.jobs.get_mut(&id) {
            job.parked += 1;
        }
        self.parked.insert((self.now + delay.as_duration(), id), ());
        Ok(())
    }

    fn job(&self, id: u64) -> Result<Job, String> {
        self.jobs
            .get(&id)
            .copied()
            .ok_or_else(|| format!("job {id} is nowhere"))
    }

    fn move_to(&mut self, id: u64, from: Place, to: Place) -> Result<(), String> {
        let job = self
            .jobs
            .get_mut(&id)
            .ok_or_else(|| format!("job {id} is nowhere"))?;
        if job.place != from {
            return Err(format!("job {id} is {:?}, not {from:?}", job.place));
        }
        job.place = to;
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let state = self.fairness.lock();
        let mut sum = Holdings::default();
        let mut waiting = 0;
        let mut flying = [0; ENDPOINTS];
        for id in &self.flying {
            flying[self.jobs[id].endpoint] += 1;
        }
        for (key, queue) in &state.queues {
            sum.replace(&Holdings::default(), &queue.holdings());
            waiting += queue.waiting.len();
            let slots = queue.limit.slots(CONCURRENCY.max);
            if slots > CONCURRENCY.max {
                return Err(format!("{slots} slots"));
            }
            let in_flight = flying[*key];
            if in_flight != queue.in_flight || in_flight > CONCURRENCY.max {
                return Err(format!(
                    "{in_flight} in flight, {} in the holdings",
                    queue.in_flight
                ));
            }
            // Never idle with work waiting: what could begin begins at once.
            let is_free = state.holdings.in_flight < CONNECTIONS
                && (!queue.is_limited() || state.holdings.limited_in_flight < CONNECTIONS / 2);
            if is_free && !queue.waiting.is_empty() && queue.can_start(CONCURRENCY.max, self.now) {
                return Err(format!("endpoint {key} is idle with work waiting"));
            }
        }
        if sum != state.holdings {
            return Err(format!(
                "the holdings say {:?}, and it is {sum:?}",
                state.holdings
            ));
        }
        // Where every job is takes longer to see, and what is wrong there stays wrong.
        if !self.random.is_multiple_of(32) {
            return Ok(());
        }
        let of = |place| self.jobs.values().filter(|job| job.place == place).count();
        let places = [Place::InFlight, Place::Waiting, Place::Parked, Place::Held].map(of);
        let held = self.held.iter().flatten().count();
        if places != [self.flying.len(), waiting, self.parked.len(), held] {
            return Err(format!("jobs are {places:?}, and {waiting} wait"));
        }
        if self.flying.len() > CONNECTIONS {
            return Err(format!("{} requests in flight", self.flying.len()));
        }
        Ok(())
    }

    /// What was parked long ago is expected by nobody.
    fn check_returns(&mut self) -> Result<(), String> {
        self.now += Duration::from_secs(200);
        drop(self.fairness.tick(self.now));
        let state = self.fairness.lock();
        let expected: usize = state.queues.values().map(|queue| queue.returns.count()).sum();
        if expected == 0 {
            Ok(())
        } else {
            Err(format!("{expected} are expected for ever"))
        }
    }
}

fn run(seed: u64, fault: Option<Fault>, steps: usize) -> Result<(), String> {
    faults::put_back(fault);
    let mut model = Model::new(seed);
    for step in 0..steps {
        model
            .step()
            .map_err(|error| format!("seed {seed}, step {step}: {error}"))?;
    }
    model.drain()?;
    model.check_returns()
}

#[test]
fn a_million_steps_find_nothing() {
    let begin = |seed| std::thread::spawn(move || run(seed, None, STEPS));
    let runs: Vec<_> = (1..=SEEDS).map(begin).collect();
    for run in runs {
        assert_eq!(run.join().expect("no panic"), Ok(()));
    }
}

#[test]
fn each_mistake_is_found_when_it_is_put_back() {
    for fault in Fault::ALL {
        let found = (1..=4).find_map(|seed| run(seed, Some(fault), 20_000).err());
        faults::put_back(None);
        let found = found.unwrap_or_else(|| panic!("{fault:?} is not found"));
        println!("{fault:?}: {found}");
    }
}
