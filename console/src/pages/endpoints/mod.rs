//! Endpoints: listed, added, shown, changed, paused, removed, and their secrets.

pub(super) mod draft; // an endpoint as a form holds it
pub(super) mod form; // that form
pub(super) mod check_url; // the guard's word on a URL while it is typed
pub(super) mod health; // how it fares, at a glance
pub(super) mod list; // all of a company's
pub(super) mod add; // a new one, and its secret once
pub(super) mod page; // what all pages of one share
pub(super) mod one; // one of them
pub(super) mod edit; // with other settings
pub(super) mod pause; // not sent to for a while
pub(super) mod remove; // no more, after a question
pub(super) mod secret; // what it verifies with
pub(super) mod rotate; // another one of it
