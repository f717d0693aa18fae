//! Steps 5 and 6: the signed request, and the way out. Used by the dispatcher for every delivery, and by whoever plays one to
//! somebody's receiver: there is one way to sign and one to connect, behind one guard.

pub mod request; // step 5: the signed request
pub mod client; // step 6: the only socket to customers
pub mod settings; // what an operator sets of it
