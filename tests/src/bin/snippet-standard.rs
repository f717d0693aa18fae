//! The program in Rust that pages hand out to verify webhook-signature with, compiled as it is.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "that is how it is handed out"
)]

include!("../../../console/assets/snippets/standard.rs.txt");
