//! What a seed makes of the world: who is there, what goes wrong, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookline_cases::Random;
use hookline_common::endpoint::{Endpoint, EventFilter, Format};
use hookline_common::guard::Policy;
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::schedule::RetrySchedule;
use hookline_common::secret::Secret;
use hookline_common::signature::SigningKeys;

use crate::endpoints::{CompanyEndpoints, PreparedEndpoint};

/// How long a change of endpoints takes to be known everywhere, in milliseconds: told by a database, and from files, which come to
/// each process in their own time.
const TOLD_WITHIN: u64 = 1_500;
const READ_WITHIN: u64 = 6_000;
/// How long an endpoint may be unknown before it is gone, in milliseconds.
pub(super) const UNKNOWN_GRACE: u64 = 8_000;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEXT_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// What a receiver does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Answers 200, soon.
    Good,
    /// Answers 500 every third time.
    Flaky,
    /// Answers 503 and asks for two seconds, every other time.
    Busy,
    /// Answers 503 and says until when, by its clock, every other time.
    BusyUntil,
    /// Answers 500, always.
    Broken,
    /// Takes the request and says nothing.
    Silent,
    /// Takes the request and closes the connection, every other time.
    Cutting,
}

impl Manner {
    pub(super) const ALL: [Self; 7] = [
        Self::Good,
        Self::Flaky,
        Self::Busy,
        Self::BusyUntil,
        Self::Broken,
        Self::Silent,
        Self::Cutting,
    ];
}

/// Where a process that is to be killed is killed: at this thing that it does outside, before or after it has an effect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kill {
    pub(super) at: u64,
    pub(super) is_after: bool,
}

/// How likely faults are, each in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chances {
    pub(super) loses_channel: usize,
    pub(super) loses_publish: usize,
    pub(super) loses_confirm: usize,
    /// That a subscription is lost while a message waits to be taken in.
    pub(super) cancels: usize,
}

/// What becomes of an endpoint, in milliseconds after the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Never,
    Added(u64),
    Removed(u64),
    Paused(u64),
    /// It has another secret, and the one before holds no longer.
    Rotated(u64),
}

impl Change {
    pub(super) fn at(self) -> Option<u64> {
        match self {
            Self::Never => None,
            Self::Added(at) | Self::Removed(at) | Self::Paused(at) | Self::Rotated(at) => Some(at),
        }
    }
}

pub(super) struct Planned {
    pub(super) id: String,
    pub(super) company: &'static str,
    pub(super) manner: Manner,
    pub(super) change: Change,
}

/// Where processes know endpoints from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A file, which each process reads whole.
    File,
    /// A database, of which a process knows the companies that it looked up. It may be away from a time to a time.
    Registry { away: Option<(u64, u64)> },
}

pub(super) struct Plan {
    pub(super) schedule: RetrySchedule,
    pub(super) replicas: u64,
    pub(super) window: usize,
    /// Attempts of one queue that begin at once: so few that they are waited for.
    pub(super) at_once: usize,
    pub(super) chances: Chances,
    pub(super) kills: Vec<Kill>,
    /// Clean stops: of which replica, and when.
    pub(super) stops: Vec<(u64, u64)>,
    /// When the clock jumps, and by how many milliseconds.
    pub(super) jumps: Vec<(u64, i64)>,
    pub(super) source: Source,
    pub(super) endpoints: Vec<Planned>,
    /// Company, and when it is published.
    pub(super) events: Vec<(&'static str, u64)>,
    versions: BTreeMap<&'static str, Vec<(u64, Arc<CompanyEndpoints>)>>,
}

/// What most of a history's faults are. Where there is one kind alone, what follows is judged most strictly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Anything,
    /// Nothing but subscriptions are lost.
    Losses,
    /// Nothing happens but clean stops.
    Stops,
    /// A new endpoint is known here and not there, while the clock is set forward.
    Newcomers,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random::of(seed, 1);
        let kind = random.pick(&[
            Kind::Anything,
            Kind::Anything,
            Kind::Anything,
            Kind::Losses,
            Kind::Losses,
            Kind::Stops,
            Kind::Newcomers,
        ]);
        let schedule = random.pick(&["5s,10s,20s", "3s", "1s,6s"]);
        let mut chance = |most| if random.one_in(3) { 0 } else { random.below(most) };
        let mut chances = Chances {
            loses_channel: chance(30),
            loses_publish: chance(100),
            loses_confirm: chance(60),
            cancels: chance(500),
        };
        match kind {
            Kind::Anything => {}
            Kind::Losses => {
                chances.loses_channel += 30;
                chances.cancels += 600;
                chances.loses_confirm = 0;
            }
            Kind::Stops | Kind::Newcomers => {
                chances.loses_channel = 0;
                chances.cancels = 0;
                chances.loses_confirm = 0;
            }
        }
        let replicas = match kind {
            Kind::Losses if random.one_in(2) => 1,
            Kind::Newcomers => 2,
            _ => random.within(1, 2),
        };
        let most_kills = if kind == Kind::Anything { 4 } else { 1 };
        let kills = (0..random.below(most_kills)).map(|_| Kill {
            at: random.within(1, 100),
            is_after: random.one_in(2),
        });
        let kills = kills.collect();
        let stops = match kind {
            Kind::Losses | Kind::Newcomers => 0,
            Kind::Anything => random.below(3),
            Kind::Stops => 1 + random.below(4),
        };
        let stops = (0..stops).map(|_| (random.within(0, replicas - 1), random.within(200, 7_000)));
        let mut stops: Vec<_> = stops.collect();
        stops.sort_by_key(|(_, at)| *at);
        let source = match random.below(3) {
            _ if kind == Kind::Newcomers => Source::File,
            0 => Source::File,
            1 => Source::Registry { away: None },
            _ => {
                let from = random.within(300, 5_000);
                let away = Some((from, from + random.within(500, 5_000)));
                Source::Registry { away }
            }
        };
        let endpoints = endpoints(&mut random, kind);
        let jumps = jumps(&mut random, kind);
        let fewest = if kind == Kind::Anything { 4 } else { 10 };
        let events = (0..fewest + random.below(10)).map(|_| {
            let company = random.pick(&["acme", "acme", "acme", "globex", "globex", "nobody"]);
            let at = random.within(0, 5_000);
            // Several at once wait for each other.
            (company, if kind == Kind::Losses { at - at % 1_000 } else { at })
        });
        let mut events: Vec<_> = events.collect();
        events.sort_by_key(|(_, at)| *at);
        Self {
            schedule: schedule.parse().expect("a schedule"),
            replicas,
            window: 1 + random.below(8),
            at_once: 1 + random.below(2),
            chances,
            kills,
            stops,
            jumps,
            source,
            versions: versions(&endpoints),
            endpoints,
            events,
        }
    }

    /// What a company's endpoints were at a time, and since when.
    pub(super) fn endpoints_at(&self, company: &str, time: u64) -> (u64, Arc<CompanyEndpoints>) {
        let versions = self.versions.get(company).map_or(&[][..], Vec::as_slice);
        let version = versions.iter().rev().find(|(since, _)| *since <= time);
        version.cloned().unwrap_or_default()
    }

    /// When a replica is stopped, in order.
    pub(super) fn stops_of(&self, replica: u64) -> Vec<u64> {
        let stops = self.stops.iter().filter(|(of, _)| *of == replica);
        stops.map(|(_, at)| *at).collect()
    }

    /// From when on every process knows of what happened at `at`.
    pub(super) fn known_by(&self, at: u64) -> u64 {
        let within = self.known_within();
        match self.source {
            Source::Registry {
                away: Some((from, to)),
            } if from < at + within && at < to => to + within,
            _ => at + within,
        }
    }

    /// How long a change takes to be known everywhere.
    pub(super) fn known_within(&self) -> u64 {
        match self.source {
            Source::File => READ_WITHIN,
            Source::Registry { .. } => TOLD_WITHIN,
        }
    }

    /// Whether the database is away.
    pub(super) fn is_away(&self, now: u64) -> bool {
        matches!(self.source, Source::Registry { away: Some((from, to)) } if (from..to).contains(&now))
    }
}

fn jumps(random: &mut Random, kind: Kind) -> Vec<(u64, i64)> {
    let mut jumps: Vec<_> = match kind {
        Kind::Newcomers => (0..4).map(|_| (random.within(500, 7_000), 3_600_000)).collect(),
        _ if random.one_in(3) => (0..1 + random.below(2))
            .map(|_| {
                let by = random.pick(&[-3_600_000, -5_000, 5_000, 3_600_000, 86_400_000]);
                (random.within(100, 12_000), by)
            })
            .collect(),
        _ => Vec::new(),
    };
    jumps.sort_by_key(|(at, _)| *at);
    jumps
}

fn endpoints(random: &mut Random, kind: Kind) -> Vec<Planned> {
    let mut endpoints = Vec::new();
    for (company, most) in [("acme", 3), ("globex", 1)] {
        let fewest = if kind == Kind::Newcomers { most } else { 1 };
        for number in 0..fewest + random.below(most + 1 - fewest) {
            let at = random.within(500, 5_000);
            let is_first = endpoints.is_empty();
            let change = match random.below(10) {
                _ if kind == Kind::Newcomers && is_first => Change::Added(at / 4),
                0 | 1 => Change::Added(at),
                2 | 3 => Change::Removed(at),
                4 => Change::Paused(at),
                5 => Change::Rotated(at),
                _ => Change::Never,
            };
            // What has to wait is what a loss leaves behind.
            let manner = if matches!(kind, Kind::Losses | Kind::Stops) && is_first {
                Manner::Silent
            } else {
                random.pick(&Manner::ALL)
            };
            endpoints.push(Planned {
                id: format!("{company}-{number}"),
                company,
                manner,
                change,
            });
        }
    }
    endpoints
}

fn versions(planned: &[Planned]) -> BTreeMap<&'static str, Vec<(u64, Arc<CompanyEndpoints>)>> {
    let mut versions: BTreeMap<&'static str, Vec<(u64, Arc<CompanyEndpoints>)>> = BTreeMap::new();
    for endpoint in planned {
        if versions.contains_key(endpoint.company) {
            continue;
        }
        let of_company = || planned.iter().filter(|other| other.company == endpoint.company);
        let changes = of_company().filter_map(|endpoint| endpoint.change.at());
        let mut times: Vec<u64> = changes.chain([0]).collect();
        times.sort_unstable();
        let at = |time: &u64| {
            let registered = of_company().filter_map(|endpoint| registered(endpoint, *time));
            (*time, Arc::new(CompanyEndpoints::new(registered.collect())))
        };
        versions.insert(endpoint.company, times.iter().map(at).collect());
    }
    versions
}

/// The endpoint as it is at a time, if it is there.
fn registered(planned: &Planned, time: u64) -> Option<Arc<PreparedEndpoint>> {
    let (mut disabled, mut keys) = (false, old_keys());
    match planned.change {
        Change::Added(at) if time < at => return None,
        Change::Removed(at) if time >= at => return None,
        Change::Paused(at) => disabled = time >= at,
        Change::Rotated(at) if time >= at => keys = new_keys(),
        _ => {}
    }
    let endpoint = Endpoint {
        id: EndpointId::parse(&planned.id).expect("an endpoint"),
        company: CompanyId::parse(planned.company).expect("a company"),
        url: format!("https://{}.example.com/", planned.id),
        format: Format::Meeva,
        events: EventFilter::default(),
        headers: Vec::new(),
        rate: None,
        disabled,
        keys,
    };
    Some(Arc::new(PreparedEndpoint::new(endpoint, &Policy::default())))
}

/// What signs before a rotation.
pub(super) fn old_keys() -> SigningKeys {
    SigningKeys::new(&Secret::parse(SECRET).expect("a secret"), None)
}

/// And after it.
pub(super) fn new_keys() -> SigningKeys {
    SigningKeys::new(&Secret::parse(NEXT_SECRET).expect("a secret"), None)
}
