//! Charts, drawn on this side: each a question, a picture with axes, units and a note at every step, and the same figures as a
//! table. A picture stretches to the width that there is, so its words stand beside it and not in it.

mod scale; // where an axis ends, and what stands at it; pure
mod steps; // the steps of a time axis, those without anything included; pure
mod series; // one value of each step; pure
mod bars; // amounts, one on the other
mod lines; // values that rise and fall
mod chart; // all of it with its words
mod spark; // a day, as small as a word

pub(super) use self::chart::{Chart, Kind};
pub(super) use self::scale::Unit;
pub(super) use self::series::Series;
pub(super) use self::spark::{HOURS, spark};
pub(super) use self::steps::Steps;
