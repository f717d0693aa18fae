//! The token of a request, and whose it is.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use hookline_common::ids::CompanyId;
use hookline_store::PresentedToken;

use crate::app::App;
use crate::problem::Problem;

/// Somebody with a good token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    /// The operator.
    Admin,
    /// A company, by one of its tokens.
    Company {
        /// Which.
        company: CompanyId,
        /// The token's id.
        token: String,
    },
}

/// Whose token it is that stands in the headers. A token that was revoked or has expired is nobody's within five seconds; from
/// the next request on where it was revoked here.
pub(crate) async fn principal(
    app: &App,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Result<Option<Principal>, Problem> {
    let Some(text) = bearer(headers) else {
        return Ok(None);
    };
    if app.settings().admin_token.is(text) {
        return Ok(Some(Principal::Admin));
    }
    let Some(presented) = PresentedToken::parse(text) else {
        return Ok(None);
    };
    let found = match app.known_tokens().get(&presented) {
        Some(found) => found,
        None => look_up(app, presented, peer).await?,
    };
    Ok(found.map(|(company, token)| Principal::Company { company, token }))
}

/// Asks the database.
async fn look_up(
    app: &App,
    presented: PresentedToken,
    peer: Option<IpAddr>,
) -> Result<Option<(CompanyId, String)>, Problem> {
    let known = app.known_tokens();
    // Nobody has made-up ones looked up more often than that. One that was good a while ago does not wait for what others
    // at its address make up.
    let was_good = known.was_good(&presented);
    if !was_good && let Some(Err(wait)) = peer.map(|peer| app.rates().lookup(peer)) {
        return Err(Problem::too_many(wait));
    }
    let asked = known.asked();
    let looked_up = app.store().find_token(presented);
    let found = if was_good {
        looked_up.await?
    } else {
        app.database_shares().of_strangers().hold(looked_up).await?
    };
    known.insert(presented, found.clone(), asked);
    Ok(found)
}

/// What follows `Bearer` (whatever its case, RFC 9110 §11.1), if there is one such header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (first, None) = (all.next()?, all.next()) else {
        return None;
    };
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_token_stands_in_one_header_behind_its_scheme() {
        for (value, found) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            assert_eq!(bearer(&headers), found, "{value}");
            headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer other"));
            assert_eq!(bearer(&headers), None, "two of them");
        }
    }
}
