//! How many certificates one console plays at once, and that no company plays more than one of them: whoever removes an endpoint
//! that is being certified and registers it anew would else have as many as it likes, and leave none to others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use hookline_common::ids::{CompanyId, EndpointId};

/// Each has ten connections at most, and a few kilobytes in hand.
const AT_ONCE: usize = 16;

/// Which endpoint each company has played.
type Played = Arc<Mutex<HashMap<CompanyId, EndpointId>>>;

/// Room for those that are being played.
#[derive(Default)]
pub(crate) struct CertificatePlaces(Played);

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// The company has one, against this endpoint, which may be removed by now.
    Own(EndpointId),
    /// Others have them all.
    Full,
}

/// A place, for as long as it is held.
#[derive(Debug)]
pub(crate) struct CertificatePlace {
    played: Played,
    company: CompanyId,
}

impl CertificatePlaces {
    /// The company's place, if it has none yet and there is any.
    pub(crate) fn take(&self, company: &CompanyId, id: &EndpointId) -> Result<CertificatePlace, NoPlace> {
        let mut played = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = played.len() >= AT_ONCE;
        match played.entry(company.clone()) {
            Entry::Occupied(own) => Err(NoPlace::Own(own.get().clone())),
            Entry::Vacant(_) if is_full => Err(NoPlace::Full),
            Entry::Vacant(place) => {
                place.insert(id.clone());
                Ok(CertificatePlace {
                    played: Arc::clone(&self.0),
                    company: company.clone(),
                })
            }
        }
    }
}

impl Drop for CertificatePlace {
    fn drop(&mut self) {
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        played.remove(&self.company);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company(text: &str) -> CompanyId {
        CompanyId::parse(text).unwrap()
    }

    #[test]
    fn a_company_has_one_place_and_all_companies_have_so_many() {
        let places = CertificatePlaces::default();
        let (one, other) = (
            EndpointId::parse("ep_1").unwrap(),
            EndpointId::parse("ep_2").unwrap(),
        );
        let of_acme = places.take(&company("acme"), &one).unwrap();
        assert_eq!(
            places.take(&company("acme"), &other).unwrap_err(),
            NoPlace::Own(one.clone())
        );
        let others: Vec<_> = (1..AT_ONCE)
            .map(|number| places.take(&company(&format!("company-{number}")), &one).unwrap())
            .collect();
        assert_eq!(places.take(&company("late"), &one).unwrap_err(), NoPlace::Full);
        drop(of_acme);
        assert!(places.take(&company("late"), &one).is_ok());
        drop(others);
        assert!(places.take(&company("acme"), &other).is_ok());
    }
}
