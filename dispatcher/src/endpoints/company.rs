//! One company's endpoints, with what is the same for each of their requests. Pure.

use std::sync::Arc;

use hookline_common::endpoint::Endpoint;
use hookline_common::guard::Policy;
use hookline_common::ids::{EndpointId, EventType};

use crate::request::{self, Destination};

/// An endpoint with everything that is the same for each of its requests.
pub struct Registered {
    /// The endpoint as it was registered.
    pub endpoint: Endpoint,
    /// Where its requests go, or why none may.
    pub destination: Destination,
    /// Its URL as logs and records may show it.
    pub shown_url: String,
}

impl Registered {
    /// Checks where the endpoint's requests may go, and prepares them.
    #[must_use]
    pub fn new(endpoint: Endpoint, policy: &Policy) -> Self {
        Self {
            destination: Destination::new(&endpoint, policy),
            shown_url: request::shown_url(&endpoint.url),
            endpoint,
        }
    }
}

/// All endpoints of one company.
#[derive(Default)]
pub struct CompanyEndpoints {
    /// Ascending by id: a company may have thousands, and each delivery looks for its own.
    by_id: Vec<Arc<Registered>>,
}

/// Which endpoints want an event.
pub enum Matching {
    /// Nobody.
    None,
    /// One: it can be sent without another hop.
    One(Arc<Registered>),
    /// Several.
    Many(Vec<Arc<Registered>>),
}

impl CompanyEndpoints {
    /// The company that has these endpoints. The caller sees to it that they are of one company, and no two of one id.
    #[must_use]
    pub fn new(mut endpoints: Vec<Arc<Registered>>) -> Self {
        endpoints.sort_unstable_by(|a, b| id_of(a).cmp(id_of(b)));
        Self { by_id: endpoints }
    }

    /// The endpoints that want events of this type, disabled ones included, in the order of their ids.
    #[must_use]
    pub fn matching(&self, event_type: &EventType) -> Matching {
        let mut wanting = self
            .by_id
            .iter()
            .filter(|registered| registered.endpoint.wants(event_type));
        match (wanting.next(), wanting.next()) {
            (None, _) => Matching::None,
            (Some(only), None) => Matching::One(Arc::clone(only)),
            (Some(first), Some(second)) => Matching::Many(
                [first, second]
                    .into_iter()
                    .chain(wanting)
                    .map(Arc::clone)
                    .collect(),
            ),
        }
    }

    /// The endpoint of that id, whatever it wants.
    #[must_use]
    pub fn find(&self, id: &EndpointId) -> Option<Arc<Registered>> {
        let found = self
            .by_id
            .binary_search_by(|registered| id_of(registered).cmp(id.as_str()));
        self.by_id.get(found.ok()?).map(Arc::clone)
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Registered>> {
        self.by_id.iter()
    }
}

fn id_of(registered: &Registered) -> &str {
    registered.endpoint.id.as_str()
}
