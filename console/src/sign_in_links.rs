//! Links that sign somebody in once: how long they are good for, how long one stays signed in, and where they lead.

use std::time::Duration;

use hookline_store::{Actor, Entrance, OperatorCredential, SessionKey, Store, StoreError};

/// How long a link into a company's dashboard can be opened: it is opened at once, by whoever clicked for it.
pub(crate) const PORTAL_LINK_FOR: Duration = Duration::from_secs(5 * 60);
/// How long the operator's own can: it is printed in a shell, and copied from there.
const OPERATOR_LINK_FOR: Duration = Duration::from_secs(15 * 60);
/// How long the operator stays signed in: a working day.
pub(crate) const OPERATOR_SESSION: Duration = Duration::from_secs(12 * 3600);
/// How long a company's people do: a visit.
pub(crate) const PORTAL_SESSION: Duration = Duration::from_secs(2 * 3600);

/// How one signs in, in the place of the session that the browser has so far.
pub(crate) fn entrance<'a>(
    operator: &'a OperatorCredential,
    replaced: Option<&'a SessionKey>,
) -> Entrance<'a> {
    Entrance {
        operator,
        operator_for: OPERATOR_SESSION,
        portal_for: PORTAL_SESSION,
        replaced,
    }
}

/// Where a link with this key is opened.
pub(crate) fn path(key: &SessionKey) -> String {
    format!("/enter/{}", key.expose())
}

/// The path of a new link for the operator.
pub(crate) async fn for_operator(store: &Store) -> Result<String, StoreError> {
    let made = store
        .create_sign_in_link(None, OPERATOR_LINK_FOR, &Actor::Admin)
        .await;
    Ok(path(&made?.0))
}
