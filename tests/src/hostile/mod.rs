//! What means us no good: receivers that break every rule of HTTP and TLS, name servers that lie, and a network in
//! which every address is ours, so that no connection goes unseen.

pub mod certificates; // good and bad ones
pub mod names; // what a name server says
pub mod name_server; // one with a script
pub mod namespace; // a network that leads nowhere
pub mod peer; // the other end of a connection, byte by byte
pub mod proxy; // what stands between
pub mod rig; // one attempt, in the test's own process

pub use name_server::NameServer;
pub use names::{Reply, a, aaaa, cname};
pub use peer::{Hole, Peer, Talk};
pub use proxy::{Tunnel, WebProxy};
pub use rig::{Rig, Tried};

/// Says that a test was not run, and why, where whoever runs the tests sees it: what a test prints in the ordinary way
/// is only shown when it fails.
///
/// # Panics
/// When nothing can be said.
pub fn not_run(test: &str, why: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "NOT RUN: {test}: {why}").expect("stderr is open");
}
