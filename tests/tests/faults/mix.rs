//! Everything at once: a minute of faults drawn by chance, on the link to the broker, the dispatchers and the receivers, and
//! then none. `HOOKLINE_TEST_SEED` plays the same faults again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hookline_cases::Random;
use hookline_common::topology::Queue;
use hookline_producer::{Producer, Settings};
use hookline_tests::dispatcher::{Dispatcher, Setup};
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_found, tell};
use hookline_tests::judge::Judge;
use hookline_tests::load::Load;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Answer, Receiver, SOON, World, eventually, scenario, status};
use tokio::time::{Instant, sleep};

use crate::{drawn_seed, is_quick};

const RECEIVERS: usize = 3;
const DISPATCHERS: usize = 2;
const PER_SECOND: f64 = 200.0;
/// What a dispatcher may have in hand of each queue.
const PREFETCH: usize = 200;
/// Deliveries have more attempts than faults can spoil, but for a few.
const DELAYS: [u64; 8] = [1, 1, 2, 2, 4, 4, 8, 8];

/// What goes wrong, for a while.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Connections to the broker are reset, and new ones too.
    Cut,
    /// Those that stand carry nothing any more, without a word.
    Silence,
    /// The way to the broker carries little.
    Slow,
    /// SIGKILL to a dispatcher.
    Kill(usize),
    /// SIGTERM to one.
    Stop(usize),
    /// SIGSTOP, and after a while SIGCONT.
    Freeze(usize),
    /// A receiver answers like this: a place in `MOODS`.
    Receiver(usize, usize),
}

/// What receivers do: take it, fail, refuse, hang, close the connection, take their time.
const MOODS: usize = 6;

fn answer(mood: usize) -> Answer {
    match mood {
        1 => status(500),
        2 => status(503),
        3 => Answer::hang(),
        4 => Answer::close(),
        5 => status(200).after(Duration::from_millis(300)),
        _ => status(200),
    }
}

fn draw(random: &mut Random) -> Fault {
    let dispatcher = random.below(DISPATCHERS);
    match random.below(9) {
        0 => Fault::Cut,
        1 => Fault::Silence,
        2 => Fault::Slow,
        3 => Fault::Kill(dispatcher),
        4 => Fault::Stop(dispatcher),
        5 => Fault::Freeze(dispatcher),
        _ => Fault::Receiver(random.below(RECEIVERS), 1 + random.below(MOODS - 1)),
    }
}

/// How many deliveries they have taken so far.
fn accepted(receivers: &[Receiver]) -> usize {
    receivers.iter().map(Receiver::delivered).sum()
}

/// All that can go wrong.
struct Play<'a> {
    world: &'a World,
    wire: Wire,
    moods: Vec<Arc<AtomicUsize>>,
    running: Vec<Arc<Dispatcher>>,
}

impl<'a> Play<'a> {
    fn setup(&self) -> Setup<'a> {
        let schedule = DELAYS.map(|delay| format!("{delay}s")).join(",");
        self.world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", self.wire.url(&services().amqp_url))
            .set("HOOKLINE_RETRY_SCHEDULE", schedule)
            .set("HOOKLINE_REQUEST_TIMEOUT", "3s")
            .set("HOOKLINE_PREFETCH", PREFETCH.to_string())
    }

    /// How many messages this may take from those who have them in hand: what a dispatcher holds that is killed, or whose links
    /// are lost, and then what the publisher has no answer for. Any other fault repeats nothing.
    async fn at_stake(&self, fault: Fault, load: &Load) -> usize {
        let (losers, unanswered) = match fault {
            Fault::Kill(one) => (&self.running[one..=one], 0),
            Fault::Cut | Fault::Silence => (&self.running[..], load.unanswered()),
            Fault::Slow | Fault::Stop(_) | Fault::Freeze(_) | Fault::Receiver(..) => return 0,
        };
        let mut at_stake = unanswered;
        for dispatcher in losers {
            // One that has only just begun may not answer yet, and hold as much as any.
            let in_hand = dispatcher.metric("hookline_messages_in_hand").await;
            at_stake += in_hand.map_or(PREFETCH, |in_hand| in_hand as usize);
        }
        at_stake
    }

    /// How many messages each dispatcher has taken so far.
    async fn taken(&self) -> Vec<f64> {
        let taken = self.running.iter().map(async |dispatcher| {
            let taken = dispatcher.metric("hookline_messages_received_total").await;
            taken.unwrap_or(0.0)
        });
        join_all(taken).await
    }

    /// Does it, for as long as this, and undoes it.
    async fn happen(&mut self, fault: Fault, lasts: Duration) {
        match fault {
            Fault::Cut => {
                self.wire.cut();
                sleep(lasts).await;
                self.wire.restore();
            }
            Fault::Silence => {
                self.wire.fall_silent();
                sleep(lasts).await;
            }
            Fault::Slow => {
                self.wire.limit(20_000);
                sleep(lasts).await;
                self.wire.limit(0);
            }
            Fault::Kill(one) => {
                self.running[one].kill().await;
                sleep(lasts).await;
                self.running[one] = self.setup().launch();
            }
            Fault::Stop(one) => {
                // A link that is silent may make it give up; whether it ends well is another test's question.
                self.running[one].terminate().await;
                self.running[one].ends_within(SOON).await;
                self.running[one] = self.setup().launch();
            }
            Fault::Freeze(one) => {
                self.running[one].signal("STOP").await;
                sleep(lasts).await;
                self.running[one].signal("CONT").await;
            }
            Fault::Receiver(one, mood) => {
                self.moods[one].store(mood, Ordering::Relaxed);
                sleep(lasts).await;
                self.moods[one].store(0, Ordering::Relaxed);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d44_a_minute_of_faults_by_chance() {
    let lasts = Duration::from_secs(if is_quick() { 10 } else { 60 });
    let seed = drawn_seed();
    scenario(async |world| {
        let mut trial = Trial::here();
        world.leaves(Queue::Failed);
        let (mut receivers, mut endpoints, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        let moods: Vec<Arc<AtomicUsize>> = (0..RECEIVERS).map(|_| Arc::default()).collect();
        for (number, mood) in moods.iter().enumerate() {
            let mood = Arc::clone(mood);
            let receiver = Receiver::scripted(move |_| answer(mood.load(Ordering::Relaxed))).await;
            ids.push(format!("ep_{number}"));
            endpoints.push(endpoint(&ids[number], &receiver));
            receivers.push(receiver);
        }
        world.endpoints(endpoints);
        let wire = Wire::to(&services().amqp_url).await;
        let settings = Settings::new(&wire.url(&services().amqp_url)).unwrap();
        let settings = settings
            .with_namespace(world.namespace().clone())
            .with_publish_timeout(Duration::from_secs(5));
        let producer = Producer::connect(settings).await.unwrap();
        let mut play = Play {
            world,
            wire,
            moods,
            running: Vec::new(),
        };
        // From the start of a program to its being ready, on this machine: the last fault may be the end of one.
        let mut usual = Duration::ZERO;
        for _ in 0..DISPATCHERS {
            let begun = Instant::now();
            play.running.push(play.setup().start().await);
            usual = usual.max(begun.elapsed());
        }
        let load = Load::start(producer, "acme", PER_SECOND);
        let mut random = Random::new(seed);
        let (mut faults, mut doubles) = (Vec::new(), 0);
        let end = Instant::now() + lasts;
        while Instant::now() < end {
            let fault = draw(&mut random);
            let lasts = Duration::from_millis(random.within(100, 1500));
            let pause = Duration::from_millis(random.within(0, 500));
            doubles += RECEIVERS * play.at_stake(fault, &load).await;
            faults.push(fault);
            play.happen(fault, lasts).await;
            sleep(pause).await;
        }
        // Links that fell silent are so until both sides have found out. Whoever gives one up makes another within two seconds.
        eventually(SOON, "no link is silent any more", async || {
            (play.wire.silent() == 0).then_some(())
        })
        .await;
        // What waited meanwhile goes first, and for how long is the machine's: so what comes now does not tell when they are back,
        // but that each takes more from its queues than it had, and something arrives.
        let healed = Instant::now();
        let (taken, before) = (play.taken().await, accepted(&receivers));
        eventually(
            SOON,
            "each dispatcher takes messages again, and delivers",
            async || {
                let more = play.taken().await;
                let all_take = more.iter().zip(&taken).all(|(more, taken)| more > taken);
                (all_take && accepted(&receivers) > before).then_some(())
            },
        )
        .await;
        trial.back_after(healed.elapsed());
        // What comes when all is well again, whatever becomes of the load.
        let last = world.publish("booking.created", "{}").await;
        let mut published = load.stop().await;
        published.accepted.push(last);
        tell(&format!("{faults:?}, {doubles} at stake"));
        let seen: Vec<&Receiver> = receivers.iter().collect();
        are_found(world, &seen, RECEIVERS * published.accepted.len(), 2 * SOON).await;
        world.is_settled_within(2 * SOON).await;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut judge = Judge::with_schedule(&DELAYS.map(Duration::from_secs));
        judge.accepted(&published.accepted, &ids);
        judge.attempted(&published.in_doubt, &ids);
        for (id, receiver) in ids.iter().zip(&receivers) {
            judge.saw(id, receiver);
        }
        judge.kept(&world.read(Queue::Failed).await);
        // Each of them may have all its attempts to come.
        let allowed = Allowed::twice(doubles).copies(doubles * (DELAYS.len() + 1));
        let back_within = allowed.recovery + 5 * usual;
        trial.closes(&judge, allowed.back_within(back_within)).await;
    })
    .await;
}
