//! The endpoints that were last taken from the file, as each message asks for them. Time is a parameter.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hookline_common::ids::{CompanyId, EndpointId};
use tokio::time::Instant;

use super::super::{CompanyEndpoints, Endpoints, Lookup, PreparedEndpoint, SealedEndpoint};

/// The endpoints of one reading.
#[derive(Default)]
pub(super) struct Listing {
    by_company: HashMap<CompanyId, Arc<CompanyEndpoints>>,
}

impl Listing {
    pub(super) fn new(endpoints: impl IntoIterator<Item = PreparedEndpoint>) -> Self {
        let mut by_company: HashMap<CompanyId, Vec<Arc<PreparedEndpoint>>> = HashMap::new();
        for registered in endpoints {
            let company = registered.endpoint.company.clone();
            by_company.entry(company).or_default().push(Arc::new(registered));
        }
        let by_company = by_company.into_iter();
        Self {
            by_company: by_company
                .map(|(company, endpoints)| (company, Arc::new(CompanyEndpoints::new(endpoints))))
                .collect(),
        }
    }

    /// Whether there is no endpoint at all: a company stands here only with some.
    pub(super) fn is_empty(&self) -> bool {
        self.by_company.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.by_company.values().map(|company| company.iter().len()).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<PreparedEndpoint>> {
        self.by_company.values().flat_map(|company| company.iter())
    }

    fn has(&self, endpoint: &PreparedEndpoint) -> bool {
        let PreparedEndpoint { endpoint, .. } = endpoint;
        let company = self.by_company.get(&endpoint.company);
        company.is_some_and(|company| company.find(&endpoint.id).is_some())
    }
}

/// An endpoint that a reload took away.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Removed {
    company: CompanyId,
    endpoint: EndpointId,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.endpoint, self.company)
    }
}

/// All endpoints of the file, replaced as a whole when it changes.
pub struct FileEndpoints {
    grace: Duration,
    state: ArcSwap<State>,
    nobody: Arc<CompanyEndpoints>,
}

#[derive(Default)]
struct State {
    listing: Listing,
    /// What disappeared a grace ago at most, by company.
    vanished: HashMap<CompanyId, Vanished>,
}

/// What a company had until of late.
struct Vanished {
    /// In the order in which they disappeared.
    endpoints: Vec<(Arc<PreparedEndpoint>, Instant)>,
    /// The company with all of these as endpoints that cannot be sent to yet; nothing where it has no others.
    beside_others: Option<Arc<CompanyEndpoints>>,
}

impl FileEndpoints {
    /// No endpoints yet. What disappears is waited for during `grace`: who broke the file may mend it. A company that loses all
    /// that it has is [`Lookup::NotYet`], so that its events wait; of one that loses some, the others get theirs at once.
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace,
            state: ArcSwap::default(),
            nobody: Arc::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state.load().listing.is_empty()
    }

    /// Puts `listing` in the place of all there was; returns which endpoints are gone, by company and id. One caller at a
    /// time.
    pub(super) fn replace(&self, listing: Listing, now: Instant) -> Vec<Removed> {
        let before = self.state.load_full();
        let gone: Vec<_> = before
            .listing
            .iter()
            .filter(|registered| !listing.has(registered))
            .map(|registered| (Arc::clone(registered), now))
            .collect();
        let mut removed: Vec<Removed> = gone
            .iter()
            .map(|(registered, _)| Removed {
                company: registered.endpoint.company.clone(),
                endpoint: registered.endpoint.id.clone(),
            })
            .collect();
        removed.sort_unstable();
        let earlier = before
            .vanished
            .values()
            .flat_map(|vanished| vanished.endpoints.iter().cloned())
            .filter(|(registered, since)| self.is_recent(*since, now) && !listing.has(registered));
        let mut vanished: HashMap<CompanyId, Vec<_>> = HashMap::new();
        for (registered, since) in earlier.chain(gone) {
            let company = registered.endpoint.company.clone();
            vanished.entry(company).or_default().push((registered, since));
        }
        let vanished = vanished
            .into_iter()
            .map(|(company, endpoints)| {
                let others = listing.by_company.get(&company);
                let beside_others = others.map(|others| with_vanished(others, &endpoints));
                let vanished = Vanished {
                    endpoints,
                    beside_others,
                };
                (company, vanished)
            })
            .collect();
        self.state.store(Arc::new(State { listing, vanished }));
        removed
    }

    fn is_recent(&self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) < self.grace
    }

    fn lookup_at(&self, company: &CompanyId, now: impl FnOnce() -> Instant) -> Lookup {
        let state = self.state.load();
        let others = state.listing.by_company.get(company);
        let Some(vanished) = state.vanished.get(company) else {
            return Lookup::Known(Arc::clone(others.unwrap_or(&self.nobody)));
        };
        let now = now();
        let is_over = |(_, since): &(_, Instant)| !self.is_recent(*since, now);
        let first = vanished.endpoints.partition_point(is_over);
        let recent = vanished.endpoints.get(first..).unwrap_or_default();
        match (others, &vanished.beside_others) {
            (None, _) if recent.is_empty() => Lookup::Known(Arc::clone(&self.nobody)),
            (None, _) => Lookup::NotYet,
            (Some(others), _) if recent.is_empty() => Lookup::Known(Arc::clone(others)),
            (Some(_), Some(all)) if first == 0 => Lookup::Known(Arc::clone(all)),
            (Some(others), _) => Lookup::Known(with_vanished(others, recent)),
        }
    }
}

/// A company's endpoints, and those that it lost of late as some that cannot be sent to yet: what is for them waits.
fn with_vanished(
    others: &CompanyEndpoints,
    vanished: &[(Arc<PreparedEndpoint>, Instant)],
) -> Arc<CompanyEndpoints> {
    let sealed = vanished.iter().map(|(registered, _)| SealedEndpoint {
        id: registered.endpoint.id.clone(),
        format: registered.endpoint.format,
        events: registered.endpoint.events.clone(),
    });
    let others = CompanyEndpoints::new(others.iter().cloned().collect());
    Arc::new(others.with_unopened(sealed.collect()))
}

impl Endpoints for FileEndpoints {
    fn lookup(&self, company: &CompanyId) -> Lookup {
        self.lookup_at(company, Instant::now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_common::endpoint::Format;
    use hookline_common::endpoints_file;
    use hookline_common::guard::Policy;
    use hookline_common::settings::Environment;

    use super::super::super::Matching;
    use super::*;

    const GRACE: Duration = Duration::from_secs(120);

    fn listing(endpoints: &[(&str, &str)]) -> Listing {
        let entry = |(company, id): &(&str, &str)| {
            format!(
                "[[endpoint]]\nid = {id:?}\ncompany = {company:?}\nurl = \"https://example.com/\"\nsecret = \"{}\"\n",
                "s".repeat(16)
            )
        };
        let text: String = endpoints.iter().map(entry).collect();
        let endpoints = endpoints_file::parse(&text, Format::Meeva, &Environment).unwrap();
        let policy = Policy::default();
        Listing::new(
            endpoints
                .into_iter()
                .map(|endpoint| PreparedEndpoint::new(endpoint, &policy)),
        )
    }

    /// Who gets an event of the company, or nothing where that is not known yet.
    fn wanting(endpoints: &FileEndpoints, company: &str, now: Instant) -> Option<Vec<String>> {
        let Lookup::Known(company) = endpoints.lookup_at(&CompanyId::parse(company).unwrap(), || now) else {
            return None;
        };
        Some(match company.matching(&"booking.created".parse().unwrap()) {
            Matching::None => Vec::new(),
            Matching::One(only) => vec![only.endpoint.id.to_string()],
            Matching::Many(ids) => ids.iter().map(ToString::to_string).collect(),
        })
    }

    /// The ids that a company has, or nothing where that is not known yet.
    fn known(endpoints: &FileEndpoints, company: &str, now: Instant) -> Option<Vec<String>> {
        match endpoints.lookup_at(&CompanyId::parse(company).unwrap(), || now) {
            Lookup::Known(company) => Some(company.iter().map(|it| it.endpoint.id.to_string()).collect()),
            Lookup::NotYet => None,
        }
    }

    fn ids(ids: &[&str]) -> Option<Vec<String>> {
        Some(ids.iter().map(|id| (*id).to_owned()).collect())
    }

    #[test]
    fn endpoints_are_found_by_company_and_id() {
        let endpoints = FileEndpoints::new(GRACE);
        let all = [("acme", "ep_2"), ("acme", "ep_1"), ("other", "ep_1")];
        assert_eq!(endpoints.replace(listing(&all), Instant::now()), []);
        assert_eq!(known(&endpoints, "acme", Instant::now()), ids(&["ep_1", "ep_2"]));
        assert_eq!(known(&endpoints, "nobody", Instant::now()), ids(&[]));
        let Lookup::Known(acme) = endpoints.lookup(&CompanyId::parse("acme").unwrap()) else {
            unreachable!("it is known")
        };
        let find = |id: &str| acme.find(&EndpointId::parse(id).unwrap());
        for id in ["ep_1", "ep_2"] {
            assert_eq!(find(id).unwrap().endpoint.id.as_str(), id);
        }
        assert!(find("ep_3").is_none() && find("ep_0").is_none());
    }

    #[test]
    fn what_a_reload_takes_away_is_named() {
        let endpoints = FileEndpoints::new(GRACE);
        let now = Instant::now();
        endpoints.replace(listing(&[("b", "ep_1"), ("a", "ep_2"), ("a", "ep_1")]), now);
        let removed = endpoints.replace(listing(&[("a", "ep_1"), ("b", "ep_2")]), now);
        let named: Vec<String> = removed.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["ep_2 of a", "ep_1 of b"]);
    }

    #[test]
    fn a_company_that_lost_all_its_endpoints_is_not_known_for_the_grace() {
        let endpoints = FileEndpoints::new(GRACE);
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        endpoints.replace(
            listing(&[("acme", "ep_1"), ("acme", "ep_2"), ("b", "ep_1")]),
            at(0),
        );
        // One of several: the rest is known, and so is who never was there.
        endpoints.replace(listing(&[("acme", "ep_2"), ("b", "ep_1")]), at(1));
        assert_eq!(known(&endpoints, "acme", at(1)), ids(&["ep_2"]));
        assert_eq!(known(&endpoints, "nobody", at(1)), ids(&[]));
        endpoints.replace(listing(&[("b", "ep_1")]), at(2));
        assert_eq!(known(&endpoints, "acme", at(2)), None);
        assert_eq!(known(&endpoints, "nobody", at(2)), ids(&[]));
        // Further reloads do not begin the grace anew.
        endpoints.replace(listing(&[("b", "ep_2")]), at(60));
        assert_eq!(known(&endpoints, "acme", at(121)), None);
        assert_eq!(known(&endpoints, "acme", at(122)), ids(&[]));
        assert_eq!(known(&endpoints, "b", at(122)), ids(&["ep_2"]));
    }

    #[test]
    fn what_one_of_several_wanted_waits_for_it_and_the_others_get_theirs() {
        let endpoints = FileEndpoints::new(GRACE);
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let is_waited_for = |id: &str, now: Instant| {
            let company = CompanyId::parse("acme").unwrap();
            match endpoints.lookup_at(&company, || now) {
                Lookup::Known(company) => company.is_unopened(&EndpointId::parse(id).unwrap()),
                Lookup::NotYet => true,
            }
        };
        endpoints.replace(
            listing(&[("acme", "ep_1"), ("acme", "ep_2"), ("acme", "ep_3")]),
            at(0),
        );
        endpoints.replace(listing(&[("acme", "ep_1"), ("acme", "ep_3")]), at(10));
        assert_eq!(
            wanting(&endpoints, "acme", at(10)),
            ids(&["ep_1", "ep_3", "ep_2"])
        );
        endpoints.replace(listing(&[("acme", "ep_1")]), at(70));
        assert_eq!(
            wanting(&endpoints, "acme", at(129)),
            ids(&["ep_1", "ep_2", "ep_3"])
        );
        // Each has a grace of its own.
        assert_eq!(wanting(&endpoints, "acme", at(130)), ids(&["ep_1", "ep_3"]));
        assert!(is_waited_for("ep_3", at(130)) && !is_waited_for("ep_2", at(130)));
        assert_eq!(wanting(&endpoints, "acme", at(190)), ids(&["ep_1"]));
        assert!(!is_waited_for("ep_3", at(190)));
        // One that is back is as it was.
        endpoints.replace(listing(&[("acme", "ep_1"), ("acme", "ep_3")]), at(100));
        assert_eq!(
            wanting(&endpoints, "acme", at(100)),
            ids(&["ep_1", "ep_3", "ep_2"])
        );
        assert!(!is_waited_for("ep_3", at(100)));
    }

    #[test]
    fn a_company_that_comes_back_is_known_at_once_and_forgotten_ones_are_let_go() {
        let endpoints = FileEndpoints::new(GRACE);
        let begin = Instant::now();
        endpoints.replace(listing(&[("acme", "ep_1"), ("b", "ep_1")]), begin);
        endpoints.replace(listing(&[("b", "ep_1")]), begin);
        endpoints.replace(listing(&[("acme", "ep_1"), ("b", "ep_1")]), begin);
        assert_eq!(known(&endpoints, "acme", begin), ids(&["ep_1"]));
        endpoints.replace(listing(&[("b", "ep_1")]), begin);
        endpoints.replace(listing(&[("b", "ep_1")]), begin + GRACE);
        assert!(endpoints.state.load().vanished.is_empty());
    }
}
