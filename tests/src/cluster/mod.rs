//! A cluster of three brokers of the tests' own, whose nodes they may kill, freeze, part and start again.

mod nodes; // the three, and what may be done to one of them
mod leaders; // who leads which queue
mod links; // nodes that do not see each other, and clients that none lets in
mod turn; // a few clusters for all tests

pub use links::OnPartition;
pub use nodes::Cluster;
pub use turn::Turn;
