//! The catalogue: which types of events there are, what they mean, how their data is built, and what a receiver gets of
//! them in each format. For whoever chooses among them (pickers, the API, the command line) and for whoever writes a
//! receiver. It is beside an event's way: no message is judged by it.
//!
//! Nothing here does I/O but [`Catalogue::with_file`].

mod json_text; // JSON kept as it was written, but for whitespace
mod info; // one type
mod built_in; // those of every installation
mod check; // a sample against its schema
mod file; // those of one platform
mod catalogue; // all of them
mod render; // one as a request
mod markdown; // all of them as a page

pub use self::catalogue::{Catalogue, EventTypesFileError};
pub use self::file::{MAX_FILE_BYTES, MAX_SCHEMA_BYTES, MAX_TYPES};
pub use self::info::EventTypeInfo;
pub use self::json_text::JsonText;
pub use self::markdown::markdown;
pub use self::render::{EXAMPLE_ID, EXAMPLE_SECRET, EXAMPLE_TIME, ExampleRequest, RenderError, RenderedType};
