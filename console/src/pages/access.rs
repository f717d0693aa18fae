//! Who may see a page, and the proof that whoever sends a form saw it on one of ours: decided before its handler runs.
//! Another company's path is answered like one that is not there, before anything else is said.

use std::net::IpAddr;

use axum::extract::{RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hookline_common::ids::CompanyId;
use subtle::ConstantTimeEq as _;
use url::form_urlencoded::byte_serialize;

use super::cookie;
use super::error_page::dressed;
use super::fields::{Fields, PROOF};
use super::origin;
use super::refused::Refused;
use super::visitor::{SignedIn, Visitor};
use crate::app::App;
use crate::auth::{Access, Asks, Tenant};
use crate::extract;
use crate::limits::MAX_BODY_BYTES;
use crate::peer::Peer;
use crate::problem::Problem;

/// Lets a request through to its page, or answers it.
pub(super) async fn authorize(
    State((app, asks)): State<(App, Asks)>,
    path: RawPathParams,
    mut request: Request,
    next: Next,
) -> Response {
    let checked = check(&app, asks.access, &path, &mut request).await;
    let visitor = Visitor::of(request.extensions());
    let response = match checked {
        Ok(Checked::Pass) => match with_form(request, visitor.signed_in.as_ref()).await {
            Ok(request) => match may_do(&app, asks, visitor.signed_in.as_ref()) {
                Ok(()) => in_its_share(&app, visitor.signed_in.as_ref(), next.run(request)).await,
                Err(refused) => refused.into_response(),
            },
            Err(refused) => refused.into_response(),
        },
        Ok(Checked::SignInFirst) => sign_in_first(&request),
        Err(refused) => refused.into_response(),
    };
    dressed(response, &visitor)
}

/// Lets anybody through without a look at who that is.
pub(super) async fn anybody(request: Request, next: Next) -> Response {
    dressed(next.run(request).await, &Visitor::default())
}

enum Checked {
    Pass,
    SignInFirst,
}

/// Puts who asks, and the company of the path, beside the request.
async fn check(
    app: &App,
    access: Access,
    path: &RawPathParams,
    request: &mut Request,
) -> Result<Checked, Refused> {
    let is_form = is_form(request.method());
    if is_form && !origin::is_ours(request.headers(), app.settings().public_url.as_ref()) {
        return Err(foreign(
            "this form does not come from a page of this console, or the browser did not say so",
        ));
    }
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let signed_in = signed_in(app, request.headers(), peer).await?;
    if let Some(signed_in) = signed_in.clone() {
        request.extensions_mut().insert(signed_in);
    }
    if access == Access::Public {
        return Ok(Checked::Pass);
    }
    let Some(SignedIn { session, .. }) = signed_in else {
        return if is_form {
            Err(foreign(
                "you are no longer signed in; sign in again, and send the form once more",
            ))
        } else {
            Ok(Checked::SignInFirst)
        };
    };
    if let Some((_, text)) = path.iter().find(|(name, _)| *name == "company") {
        let company = CompanyId::parse(text).map_err(|_| Problem::not_found())?;
        if session.company.as_ref().is_some_and(|own| *own != company) {
            return Err(Problem::not_found().into());
        }
        let actor = session.actor();
        request.extensions_mut().insert(Tenant { company, actor });
    }
    if access == Access::Admin && session.company.is_some() {
        return Err(foreign(
            "this page is the operator's; your company's pages are all in the menu",
        ));
    }
    Ok(Checked::Pass)
}

fn is_form(method: &Method) -> bool {
    *method != Method::GET && *method != Method::HEAD
}

fn foreign(why: &str) -> Refused {
    Problem::forbidden(why).into()
}

async fn signed_in(
    app: &App,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Result<Option<SignedIn>, Refused> {
    let Some(key) = cookie::presented(app, headers) else {
        return Ok(None);
    };
    let session = app.guesses().look_up(peer, app.store().session(&key)).await?;
    Ok(session.map(|session| SignedIn {
        session,
        proof: key.form_proof(),
    }))
}

/// Reads a form, and holds it to the proof that only pages of the same session have.
async fn with_form(request: Request, signed_in: Option<&SignedIn>) -> Result<Request, Refused> {
    if !is_form(request.method()) {
        return Ok(request);
    }
    if extract::media_type(&request) != "application/x-www-form-urlencoded" {
        return Err(Problem::media_type("application/x-www-form-urlencoded").into());
    }
    let (mut head, body) = request.into_parts();
    let body = extract::read(Request::new(body), MAX_BODY_BYTES).await?;
    let fields = Fields::parse(&body);
    if let Some(SignedIn { proof, .. }) = signed_in {
        let is_proven: bool = fields.text(PROOF).as_bytes().ct_eq(proof.as_bytes()).into();
        if !is_proven {
            return Err(foreign(
                "this form is of another session; go back, load the page anew, and send the form once more",
            ));
        }
    }
    head.extensions.insert(fields);
    Ok(Request::from_parts(head, axum::body::Body::empty()))
}

/// Counts what a company's people do that stands in their audit, together with what its tokens do.
fn may_do(app: &App, asks: Asks, signed_in: Option<&SignedIn>) -> Result<(), Refused> {
    let company = signed_in.and_then(|signed_in| signed_in.session.company.as_ref());
    match company {
        Some(company) => Ok(asks.audited.count(app, company)?),
        None => Ok(()),
    }
}

/// Answers within what whoever is signed in may have of the database at once.
async fn in_its_share<T>(app: &App, signed_in: Option<&SignedIn>, answer: impl Future<Output = T>) -> T {
    let Some(SignedIn { session, .. }) = signed_in else {
        return answer.await;
    };
    let share = app.database_shares().of_request(session.company.as_ref());
    share.hold(answer).await
}

/// To the page where one signs in, and back afterwards.
fn sign_in_first(request: &Request) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = if wanted == "/" {
        "/sign-in".to_owned()
    } else {
        let next: String = byte_serialize(wanted.as_bytes()).collect();
        format!("/sign-in?next={next}")
    };
    let location = HeaderValue::from_str(&location).unwrap_or(HeaderValue::from_static("/sign-in"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}
