//! One company's endpoints, with what is the same for each of their requests. Pure.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use hookline_common::endpoint::{Endpoint, EventFilter, Format};
use hookline_common::guard::Policy;
use hookline_common::ids::{CompanyId, EndpointId, EventType};
use hookline_common::signature::SigningKeys;
use hookline_outbound::request::{self, Destination};
use jiff::Timestamp;

/// Tells an endpoint from all others. Clones are cheap, and so is hashing one: it is looked up several times for each delivery.
#[derive(Debug, Clone)]
pub struct EndpointKey {
    hash: u64,
    ids: Arc<(CompanyId, EndpointId)>,
}

impl EndpointKey {
    fn new(company: CompanyId, endpoint: EndpointId) -> Self {
        let ids = (company, endpoint);
        let mut hasher = DefaultHasher::new();
        ids.hash(&mut hasher);
        Self {
            hash: hasher.finish(),
            ids: Arc::new(ids),
        }
    }
}

impl Hash for EndpointKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.hash);
    }
}

impl PartialEq for EndpointKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && (Arc::ptr_eq(&self.ids, &other.ids) || self.ids == other.ids)
    }
}

impl Eq for EndpointKey {}

/// An endpoint with everything that is the same for each of its requests.
pub struct PreparedEndpoint {
    /// Which one it is.
    pub key: EndpointKey,
    /// The endpoint as it was registered.
    pub endpoint: Endpoint,
    /// Where its requests go, or why none may.
    pub destination: Destination,
    /// Its URL as logs and records may show it.
    pub shown_url: String,
    /// When other keys take the place of the endpoint's, and which: at the end of a rotation.
    later_keys: Option<Box<(Timestamp, SigningKeys)>>,
}

impl PreparedEndpoint {
    /// Checks where the endpoint's requests may go, and prepares them.
    #[must_use]
    pub fn new(endpoint: Endpoint, policy: &Policy) -> Self {
        Self {
            key: EndpointKey::new(endpoint.company.clone(), endpoint.id.clone()),
            destination: Destination::new(&endpoint, policy),
            shown_url: request::shown_url(&endpoint.url),
            endpoint,
            later_keys: None,
        }
    }

    /// The same, signed for with other keys from a time on.
    #[must_use]
    pub fn with_later_keys(self, later_keys: Option<(Timestamp, SigningKeys)>) -> Self {
        Self {
            // Few have any at a time.
            later_keys: later_keys.map(Box::new),
            ..self
        }
    }

    /// What signs a request that is made at `now`.
    #[must_use]
    pub fn keys_at(&self, now: Timestamp) -> &SigningKeys {
        match self.later_keys.as_deref() {
            Some((from, keys)) if *from <= now => keys,
            _ => &self.endpoint.keys,
        }
    }
}

/// An endpoint whose secrets cannot be opened.
pub struct SealedEndpoint {
    /// Which one.
    pub id: EndpointId,
    /// How its requests would be written.
    pub format: Format,
    /// What it wants.
    pub events: EventFilter,
}

/// All endpoints of one company.
#[derive(Default)]
pub struct CompanyEndpoints {
    /// Ascending by id: a company may have thousands, and each delivery looks for its own.
    by_id: Vec<Arc<PreparedEndpoint>>,
    /// Those that cannot be sent to yet.
    unopened: Vec<SealedEndpoint>,
}

/// Which endpoints want an event.
pub enum Matching {
    /// Nobody.
    None,
    /// One: it can be sent without another hop.
    One(Arc<PreparedEndpoint>),
    /// Several, or some that cannot be sent to yet: each gets a message of its own, so that nobody waits for another.
    Many(Vec<EndpointId>),
}

impl CompanyEndpoints {
    /// The company that has these endpoints. The caller sees to it that they are of one company, and no two of one id.
    #[must_use]
    pub fn new(mut endpoints: Vec<Arc<PreparedEndpoint>>) -> Self {
        endpoints.sort_unstable_by(|a, b| id_of(a).cmp(id_of(b)));
        Self {
            by_id: endpoints,
            unopened: Vec::new(),
        }
    }

    /// With endpoints that are there, and cannot be sent to until somebody has mended what is wrong with them.
    #[must_use]
    pub fn with_unopened(self, unopened: Vec<SealedEndpoint>) -> Self {
        Self { unopened, ..self }
    }

    /// Whether there is such an endpoint that cannot be sent to yet.
    #[must_use]
    pub fn is_unopened(&self, id: &EndpointId) -> bool {
        self.unopened.iter().any(|unopened| unopened.id == *id)
    }

    /// The endpoints that want events of this type, disabled ones included, in the order of their ids; those that cannot be
    /// sent to yet come last.
    #[must_use]
    pub fn matching(&self, event_type: &EventType) -> Matching {
        let mut wanting = self
            .by_id
            .iter()
            .filter(|registered| registered.endpoint.wants(event_type));
        let wants = |endpoint: &&SealedEndpoint| endpoint.events.matches(endpoint.format, event_type);
        let mut unopened = self.unopened.iter().filter(wants).peekable();
        match (wanting.next(), wanting.next()) {
            (None, _) if unopened.peek().is_none() => Matching::None,
            (Some(only), None) if unopened.peek().is_none() => Matching::One(Arc::clone(only)),
            (first, second) => {
                let wanting = first.into_iter().chain(second).chain(wanting);
                let ids = wanting.map(|registered| registered.endpoint.id.clone());
                Matching::Many(ids.chain(unopened.map(|unopened| unopened.id.clone())).collect())
            }
        }
    }

    /// The endpoint of that id, whatever it wants.
    #[must_use]
    pub fn find(&self, id: &EndpointId) -> Option<Arc<PreparedEndpoint>> {
        let found = self
            .by_id
            .binary_search_by(|registered| id_of(registered).cmp(id.as_str()));
        self.by_id.get(found.ok()?).map(Arc::clone)
    }

    /// How many there are, those that cannot be sent to included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_id.len() + self.unopened.len()
    }

    /// Those that can be sent to, in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<PreparedEndpoint>> {
        self.by_id.iter()
    }
}

fn id_of(registered: &PreparedEndpoint) -> &str {
    registered.endpoint.id.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(id: &str, events: &str) -> Arc<PreparedEndpoint> {
        let secret = hookline_common::secret::Secret::parse("a-secret-of-sixteen").unwrap();
        let endpoint = Endpoint {
            id: EndpointId::parse(id).unwrap(),
            company: CompanyId::parse("acme").unwrap(),
            url: "https://example.com/".to_owned(),
            format: Format::default(),
            events: filter(events),
            headers: Vec::new(),
            rate: None,
            disabled: false,
            keys: SigningKeys::new(&secret, None),
        };
        Arc::new(PreparedEndpoint::new(endpoint, &Policy::default()))
    }

    fn filter(events: &str) -> EventFilter {
        EventFilter::new(vec![
            hookline_common::endpoint::EventPattern::parse(events).unwrap(),
        ])
    }

    fn unopened(id: &str, events: &str) -> SealedEndpoint {
        SealedEndpoint {
            id: EndpointId::parse(id).unwrap(),
            format: Format::default(),
            events: filter(events),
        }
    }

    fn names(matching: Matching) -> Vec<String> {
        match matching {
            Matching::None => Vec::new(),
            Matching::One(only) => vec![only.endpoint.id.to_string()],
            Matching::Many(ids) => ids.iter().map(|id| format!("{id} by a message")).collect(),
        }
    }

    #[test]
    fn nobody_waits_for_an_endpoint_that_cannot_be_opened_and_it_misses_nothing() {
        let company = CompanyEndpoints::new(vec![endpoint("b", "booking.created"), endpoint("a", "form.*")])
            .with_unopened(vec![unopened("c", "booking.*"), unopened("d", "form.*")]);
        let matching = |name: &str| names(company.matching(&EventType::parse(name).unwrap()));
        assert_eq!(matching("booking.created"), ["b by a message", "c by a message"]);
        assert_eq!(matching("booking.cancelled"), ["c by a message"]);
        assert!(matching("employee.created").is_empty());
        let sound = CompanyEndpoints::new(vec![endpoint("b", "booking.created"), endpoint("a", "form.*")]);
        assert_eq!(
            names(sound.matching(&EventType::parse("form.submitted").unwrap())),
            ["a"]
        );
        assert_eq!(company.count(), 4);
    }
}
