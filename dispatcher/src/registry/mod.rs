//! Which endpoints a company has. Step 2 of an event's way: it is matched here.

pub mod file;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hookline_common::endpoint::Endpoint;
use hookline_common::guard::Policy;
use hookline_common::ids::{CompanyId, EndpointId, EventType};

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

/// The endpoints of each company, replaced as a whole when they change.
#[derive(Default)]
pub struct Registry {
    by_company: ArcSwap<HashMap<CompanyId, Vec<Arc<Registered>>>>,
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

impl Registry {
    /// Puts `endpoints` in the place of all there were; returns how many these were.
    pub fn replace(&self, endpoints: Vec<Endpoint>, policy: &Policy) -> usize {
        let mut by_company: HashMap<CompanyId, Vec<Arc<Registered>>> = HashMap::new();
        for endpoint in endpoints {
            let destination = Destination::new(&endpoint, policy);
            let shown_url = request::shown_url(&endpoint.url);
            let company = endpoint.company.clone();
            by_company.entry(company).or_default().push(Arc::new(Registered {
                endpoint,
                destination,
                shown_url,
            }));
        }
        let before = self.by_company.swap(Arc::new(by_company));
        before.values().map(Vec::len).sum()
    }

    /// The endpoints of `company` that want events of this type, disabled ones included.
    #[must_use]
    pub fn matching(&self, company: &CompanyId, event_type: &EventType) -> Matching {
        let by_company = self.by_company.load();
        let Some(endpoints) = by_company.get(company) else {
            return Matching::None;
        };
        let mut wanting = endpoints
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
    pub fn find(&self, company: &CompanyId, id: &EndpointId) -> Option<Arc<Registered>> {
        let by_company = self.by_company.load();
        by_company
            .get(company)?
            .iter()
            .find(|registered| registered.endpoint.id == *id)
            .map(Arc::clone)
    }
}
