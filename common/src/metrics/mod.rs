//! Metrics, declared once as data: programs register them from here, `docs/METRICS.md` is made of them, and tests hold both
//! against what `/metrics` shows. No label may hold a tenant, an endpoint, an event or a URL: their number stays bounded.

mod declaration; // what a metric is
mod instruments; // how it is counted, and told when somebody asks
pub mod dispatcher; // those of the dispatcher
pub mod console; // those of the console
pub mod process; // those of both
mod document; // all of them, for people

pub use self::declaration::{Kind, Label, Metric};
pub use self::document::document;
pub use self::instruments::{Count, Counts, Level};

/// Every metric of a program.
#[must_use]
pub fn all(program: Program) -> Vec<&'static Metric> {
    let own = match program {
        Program::Dispatcher => dispatcher::ALL,
        Program::Console => console::ALL,
    };
    own.iter().chain(process::ALL).collect()
}

/// A program that has metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `hookline-dispatcher`.
    Dispatcher,
    /// `hookline-console`.
    Console,
}

#[cfg(test)]
mod tests;
