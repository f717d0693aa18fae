//! What stands for a session in a browser: a cookie that no script can read and no other site can send along with a form.

use std::time::Duration;

use axum::http::header::{COOKIE, HeaderValue, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName};
use hookline_store::SessionKey;

use crate::app::App;

const NAME: &str = "hookline_session";
/// Browsers take this name over https alone, and from nobody but this host.
const SECURE_NAME: &str = "__Host-hookline_session";

fn is_secure(app: &App) -> bool {
    let url = app.settings().public_url.as_ref();
    url.is_some_and(crate::public_url::PublicUrl::is_https)
}

fn name(app: &App) -> &'static str {
    if is_secure(app) { SECURE_NAME } else { NAME }
}

/// The session that the browser says it has.
pub(super) fn presented(app: &App, headers: &HeaderMap) -> Option<SessionKey> {
    let pairs = headers.get_all(COOKIE).iter();
    let pairs = pairs
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'));
    let mut ours = pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(found, _)| *found == name(app));
    ours.next().and_then(|(_, text)| SessionKey::parse(text))
}

/// The header that gives a browser its session.
pub(super) fn given(app: &App, key: &SessionKey, lifetime: Duration) -> (HeaderName, HeaderValue) {
    set(app, key.expose(), lifetime.as_secs())
}

/// The header that takes it away.
pub(super) fn taken(app: &App) -> (HeaderName, HeaderValue) {
    set(app, "", 0)
}

fn set(app: &App, text: &str, max_age_s: u64) -> (HeaderName, HeaderValue) {
    let secure = if is_secure(app) { "; Secure" } else { "" };
    let cookie = format!(
        "{}={text}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}",
        name(app)
    );
    // A key has letters, digits, - and _ alone.
    let mut value = HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    (SET_COOKIE, value)
}
