//! The first reading: what it misses, nobody remembers. Events of a company that a reload has lost wait for a while; at a start
//! there is nothing to compare with, and they would be acknowledged as events that nobody wants. So the first reading is held
//! to what every other one is: two looks agree on it, or it has not been touched for longer than that.

use std::path::Path;

use super::error::UnusableFile;
use super::reading::Reading;

/// How often a file is looked at that is another each time, before the start is given up: with half a second between looks, longer
/// than anybody takes to write a file whole.
pub(super) const MAX_LOOKS: usize = 21;

/// What `look` finds once it finds the same twice, with a `pause` between.
pub(super) fn at_rest(
    mut look: impl FnMut() -> Result<Reading, UnusableFile>,
    mut pause: impl FnMut(),
    path: &Path,
) -> Result<Reading, UnusableFile> {
    let mut reading = look()?;
    for _ in 1..MAX_LOOKS {
        if reading.stamps.are_of_rest() {
            return Ok(reading);
        }
        pause();
        let next = look()?;
        if next.digest == reading.digest {
            return Ok(next);
        }
        reading = next;
    }
    Err(UnusableFile::Restless {
        path: path.to_owned(),
        looks: MAX_LOOKS,
    })
}
