//! The line for connections, played through without any: each rule, and then all of them in seeded disorder.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::*;

type Plain = Hosts<u64, u64>;

/// How long connections may be idle where it does not matter.
const REST: Duration = Duration::from_secs(30);

fn target(authority: &'static str) -> Target {
    Target {
        is_https: false,
        authority: Authority::from_static(authority),
    }
}

/// A connection that was made and given back.
fn with_idle(hosts: &mut Plain, target: &Target, now: Instant) -> (HostId, u64) {
    let place = hosts.wait(target, 0);
    assert!(place.must_connect);
    let id = hosts.connected(place);
    assert_eq!(
        hosts.give_back(place.host, id, id, REST, now),
        GivenBack::Kept { evicted: vec![] }
    );
    (place.host, id)
}

#[test]
fn the_connection_that_became_idle_last_is_taken_first() {
    let (mut hosts, a, now) = (Plain::new(10, usize::MAX), target("a"), Instant::now());
    let (first, second) = (hosts.wait(&a, 1), hosts.wait(&a, 2));
    let (one, two) = (hosts.connected(first), hosts.connected(second));
    hosts.give_back(first.host, one, one, REST, now);
    hosts.give_back(first.host, two, two, REST, now);
    assert_eq!(hosts.take_idle(&a), Some(two));
    assert_eq!(hosts.take_idle(&a), Some(one));
    assert_eq!(hosts.take_idle(&a), None);
}

#[test]
fn plain_and_tls_and_other_ports_are_hosts_of_their_own() {
    let (mut hosts, now) = (Plain::new(10, usize::MAX), Instant::now());
    with_idle(&mut hosts, &target("a:1"), now);
    let tls = Target {
        is_https: true,
        ..target("a:1")
    };
    assert_eq!(hosts.take_idle(&tls), None);
    assert_eq!(hosts.take_idle(&target("a:2")), None);
    assert!(hosts.take_idle(&target("a:1")).is_some());
}

#[test]
fn whoever_has_waited_longest_gets_what_is_given_back() {
    let (mut hosts, a, now) = (Plain::new(10, usize::MAX), target("a"), Instant::now());
    let first = hosts.wait(&a, 1);
    let id = hosts.connected(first);
    let second = hosts.wait(&a, 2);
    hosts.wait(&a, 3);
    assert_eq!(
        hosts.give_back(first.host, id, id, REST, now),
        GivenBack::Handed(2, id)
    );
    assert!(!hosts.stop_waiting(second), "it is served");
    // The second one's connection is still on its way, and is for whoever comes next.
    assert!(!hosts.wait(&a, 4).must_connect);
    assert!(hosts.wait(&a, 5).must_connect);
}

#[test]
fn who_relied_on_a_connection_that_failed_asks_anew() {
    let (mut hosts, a, now) = (Plain::new(10, usize::MAX), target("a"), Instant::now());
    let first = hosts.wait(&a, 1);
    let id = hosts.connected(first);
    let second = hosts.wait(&a, 2);
    hosts.give_back(first.host, id, id, REST, now);
    let third = hosts.wait(&a, 3);
    assert!(!third.must_connect);
    assert_eq!(hosts.not_connected(second), Some(3));
    assert!(hosts.wait(&a, 3).must_connect);
}

#[test]
fn a_connection_that_fails_takes_its_own_request_along_and_no_other() {
    let (mut hosts, a) = (Plain::new(10, usize::MAX), target("a"));
    let (first, second) = (hosts.wait(&a, 1), hosts.wait(&a, 2));
    assert_eq!(hosts.not_connected(first), None);
    assert!(!hosts.stop_waiting(first));
    assert!(hosts.stop_waiting(second));
}

#[test]
fn too_many_idle_ones_push_out_the_oldest_of_any_host() {
    let (mut hosts, now) = (Plain::new(2, usize::MAX), Instant::now());
    let (_, oldest) = with_idle(&mut hosts, &target("a"), now);
    with_idle(&mut hosts, &target("b"), now);
    let place = hosts.wait(&target("c"), 0);
    let id = hosts.connected(place);
    let kept = hosts.give_back(place.host, id, id, REST, now);
    assert_eq!(
        kept,
        GivenBack::Kept {
            evicted: vec![oldest]
        }
    );
    assert_eq!(hosts.take_idle(&target("a")), None);
}

#[test]
fn idle_ones_are_bounded_by_what_they_keep_of_memory_and_those_behind_tls_keep_more() {
    let plain_bytes = target("a").idle_bytes();
    let (mut hosts, now) = (Plain::new(100, 8 * plain_bytes), Instant::now());
    let hosts_of_plain = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for authority in hosts_of_plain {
        with_idle(&mut hosts, &target(authority), now);
    }
    assert_eq!(hosts.idle(), 8);
    let tls = Target {
        is_https: true,
        ..target("a")
    };
    let pushed_out = tls.idle_bytes().div_ceil(plain_bytes);
    let place = hosts.wait(&tls, 0);
    let id = hosts.connected(place);
    let GivenBack::Kept { evicted } = hosts.give_back(place.host, id, id, REST, now) else {
        panic!("nobody waits for it");
    };
    assert_eq!((evicted.len(), hosts.idle()), (pushed_out, 9 - pushed_out));
    assert!(pushed_out > 1);
    // What is taken or closed leaves its room to others.
    assert_eq!(hosts.take_idle(&tls), Some(id));
    for authority in &hosts_of_plain[..pushed_out] {
        with_idle(&mut hosts, &target(authority), now);
    }
    assert_eq!(hosts.idle(), 8);
}

#[test]
fn what_was_let_go_counts_until_it_is_closed_and_what_is_closed_does_not() {
    let (mut hosts, a, now) = (Plain::new(10, usize::MAX), target("a"), Instant::now());
    let (host, one) = with_idle(&mut hosts, &a, now);
    let place = hosts.wait(&a, 1);
    let two = hosts.connected(place);
    assert_eq!(hosts.take_idle(&a), Some(one));
    hosts.let_go(one);
    hosts.let_go(one);
    hosts.let_go(two);
    assert_eq!(hosts.closing(), 2);
    hosts.closed(host, one);
    assert_eq!(hosts.closing(), 1);
    // Whoever learns too late that it is closed leaves no trace.
    hosts.let_go(one);
    hosts.closed(host, two);
    assert_eq!(hosts.closing(), 0);
    assert!(hosts.open.is_empty());
}

#[test]
fn hosts_are_forgotten_with_their_last_connection_and_old_ids_mean_nothing() {
    let (mut hosts, a, now) = (Plain::new(10, usize::MAX), target("a"), Instant::now());
    let (id, connection) = with_idle(&mut hosts, &a, now);
    assert_eq!(hosts.closed(id, connection), Some(connection));
    assert!(hosts.hosts.is_empty() && hosts.idle.is_empty() && hosts.expiring.is_empty());
    with_idle(&mut hosts, &target("b"), now);
    assert_eq!(hosts.closed(id, connection), None);
    assert_eq!(
        hosts.give_back(id, connection, connection, REST, now),
        GivenBack::Closed(connection)
    );
}

/// A small generator with a seed: the same disorder on every run.
struct Disorder(u64);

impl Disorder {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// What the model knows of one host.
#[derive(Default)]
struct Model {
    waiting: Vec<(u64, Place)>,
    connecting: Vec<Place>,
    in_use: Vec<(HostId, u64)>,
    idle: HashSet<u64>,
    opened: usize,
    closed: usize,
    max_in_flight: usize,
    host: Option<HostId>,
}

impl Model {
    fn check(&mut self) {
        let in_flight = self.waiting.len() + self.in_use.len();
        self.max_in_flight = self.max_in_flight.max(in_flight);
        let alive = self.connecting.len() + self.in_use.len() + self.idle.len();
        assert!(
            alive <= self.max_in_flight,
            "{alive} connections for {} in flight",
            self.max_in_flight
        );
        assert!(
            self.connecting.len() >= self.waiting.len().min(1),
            "somebody waits for nothing"
        );
    }

    fn ask(&mut self, hosts: &mut Plain, target: &Target, contact: u64) {
        if let Some(connection) = hosts.take_idle(target) {
            assert!(self.idle.remove(&connection));
            let id = self.host.expect("a host with an idle connection");
            self.in_use.push((id, connection));
            return;
        }
        let place = hosts.wait(target, contact);
        self.host = Some(place.host);
        self.waiting.push((contact, place));
        if place.must_connect {
            self.connecting.push(place);
        }
    }
}

impl Model {
    fn put(&mut self, hosts: &mut Plain, id: HostId, connection: u64, now: Instant) {
        match hosts.give_back(id, connection, connection, REST, now) {
            GivenBack::Handed(contact, connection) => {
                let longest = self.waiting.remove(0);
                assert_eq!(longest.0, contact, "first come, first served");
                self.in_use.push((id, connection));
            }
            GivenBack::Kept { evicted } => {
                self.idle.insert(connection);
                for evicted in evicted {
                    assert!(self.idle.remove(&evicted));
                    assert_eq!(hosts.closed(id, evicted), None);
                    self.closed += 1;
                }
            }
            GivenBack::Closed(_) => panic!("a connection in use keeps its host"),
        }
    }

    fn connect(&mut self, hosts: &mut Plain, place: Place, succeeds: bool, now: Instant) {
        let position = self
            .waiting
            .iter()
            .position(|waiter| waiter.1.waiter_id == place.waiter_id);
        let own = position.map(|position| self.waiting.remove(position));
        if succeeds {
            let connection = hosts.connected(place);
            self.opened += 1;
            match own {
                Some(_) => self.in_use.push((place.host, connection)),
                None => self.put(hosts, place.host, connection, now),
            }
        } else if let Some(contact) = hosts.not_connected(place) {
            let position = self.waiting.iter().position(|waiter| waiter.0 == contact);
            self.waiting.remove(position.expect("whoever is told has waited"));
            self.ask(hosts, &target("a"), contact);
        }
    }
}

#[test]
fn a_host_never_has_more_connections_than_it_had_requests_in_flight() {
    for seed in 1..=40 {
        let (mut hosts, mut disorder, mut model) =
            (Plain::new(6, usize::MAX), Disorder(seed), Model::default());
        let now = Instant::now();
        for step in 0..5_000_u64 {
            match disorder.below(10) {
                0..=3 if model.waiting.len() + model.in_use.len() < 12 => {
                    model.ask(&mut hosts, &target("a"), step);
                }
                4 | 5 if !model.connecting.is_empty() => {
                    let place = model
                        .connecting
                        .swap_remove(disorder.below(model.connecting.len()));
                    let succeeds = disorder.below(4) > 0;
                    model.connect(&mut hosts, place, succeeds, now);
                }
                6 | 7 if !model.in_use.is_empty() => {
                    let (id, connection) = model.in_use.swap_remove(disorder.below(model.in_use.len()));
                    model.put(&mut hosts, id, connection, now);
                }
                8 if !model.in_use.is_empty() => {
                    let (id, connection) = model.in_use.swap_remove(0);
                    assert_eq!(hosts.closed(id, connection), None);
                    model.closed += 1;
                }
                9 if !model.waiting.is_empty() && disorder.below(4) == 0 => {
                    let (_, place) = model.waiting.remove(disorder.below(model.waiting.len()));
                    assert!(hosts.stop_waiting(place));
                    // Whoever gives up drops the connection that it was making.
                    if let Some(position) = model.connecting.iter().position(|other| *other == place) {
                        model.connecting.swap_remove(position);
                        model.connect(&mut hosts, place, false, now);
                    }
                }
                _ => {}
            }
            model.check();
        }
        assert!(
            model.opened <= model.max_in_flight + model.closed,
            "seed {seed}: {} opened",
            model.opened
        );
        assert!(model.opened > 100, "seed {seed} plays");
    }
}

#[test]
fn each_is_idle_for_its_own_time_over_all_hosts() {
    let (mut hosts, now) = (Plain::new(10, usize::MAX), Instant::now());
    let after = |seconds| now + Duration::from_secs(seconds);
    assert_eq!(hosts.next_expiry(), None);
    let (_, long) = with_idle(&mut hosts, &target("a"), now);
    assert_eq!(hosts.next_expiry(), Some(now + REST));
    // Given back later, and to go sooner.
    let place = hosts.wait(&target("b"), 0);
    let short = hosts.connected(place);
    hosts.give_back(place.host, short, short, Duration::from_secs(4), after(1));
    assert_eq!(hosts.next_expiry(), Some(after(5)));
    assert_eq!(hosts.evict_expired(after(4)), None);
    assert_eq!(hosts.evict_expired(after(5)), Some(short));
    assert_eq!(hosts.evict_expired(after(5)), None);
    assert_eq!((hosts.idle(), hosts.closing()), (1, 1));
    assert_eq!(hosts.closed(place.host, short), None);
    // Used again, it has its time anew.
    assert_eq!(hosts.take_idle(&target("a")), Some(long));
    assert_eq!(hosts.next_expiry(), None);
    let waiting = hosts.wait(&target("a"), 0);
    assert!(hosts.stop_waiting(waiting));
    hosts.give_back(waiting.host, long, long, REST, after(6));
    assert_eq!(hosts.next_expiry(), Some(after(6) + REST));
    assert_eq!(hosts.evict_oldest(), Some(long));
    assert!(hosts.idle.is_empty() && hosts.expiring.is_empty() && hosts.idle_bytes == 0);
}

#[test]
fn one_that_may_not_be_idle_goes_to_whoever_waits_and_otherwise_at_once() {
    let (mut hosts, a, now) = (Plain::new(10, usize::MAX), target("a"), Instant::now());
    let first = hosts.wait(&a, 1);
    let id = hosts.connected(first);
    let second = hosts.wait(&a, 2);
    let given_back = hosts.give_back(first.host, id, id, Duration::ZERO, now);
    assert_eq!(given_back, GivenBack::Handed(2, id));
    assert_eq!(hosts.not_connected(second), None);
    let given_back = hosts.give_back(first.host, id, id, Duration::ZERO, now);
    assert_eq!(given_back, GivenBack::Kept { evicted: vec![id] });
    assert_eq!((hosts.idle(), hosts.closing()), (0, 1));
}
