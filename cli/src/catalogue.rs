//! The catalogue of event types as the commands see it: the built-in ones, and a platform's own where its file is named.

use std::path::Path;

use clap::Args;
use hookline_catalogue::{Catalogue, EventTypeInfo};
use hookline_common::settings::{Environment, Faults, NotText, Reader, SettingSource, variables};

use crate::error::CliError;
use crate::settings::help;
use crate::text::escape;

/// The flag that names the file.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CatalogueFlags {
    #[arg(long, value_name = "FILE", help_heading = "Settings", help = help(&variables::EVENT_TYPES_FILE))]
    event_types_file: Option<String>,
}

impl SettingSource for CatalogueFlags {
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        Environment.variable(name)
    }

    fn flag(&self, flag: &str) -> Option<String> {
        (flag == "event-types-file").then(|| self.event_types_file.clone())?
    }
}

impl CatalogueFlags {
    /// Reads the file where one is named.
    pub(crate) fn catalogue(&self) -> Result<Catalogue, Faults> {
        let mut reader = Reader::new(self);
        let own = reader.read(&variables::EVENT_TYPES_FILE, |path| {
            Catalogue::built_in().with_file(Path::new(path))
        });
        reader.finish(|| Some(own.unwrap_or_else(Catalogue::built_in)))
    }
}

/// The type of that name, or a fault that lists those that there are.
pub(crate) fn find<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a EventTypeInfo, CliError> {
    catalogue.find(name).ok_or_else(|| {
        let known: Vec<&str> = catalogue.iter().map(|info| info.name.as_str()).collect();
        CliError::Usage(format!(
            "there is no event type {}; there are {}, and those of a file that --event-types-file names",
            escape(name),
            known.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_type_is_found_by_any_of_its_names_or_the_others_are_told() {
        let catalogue = Catalogue::built_in();
        assert_eq!(
            find(&catalogue, "booking_created").unwrap().name.as_str(),
            "booking.created"
        );
        let told = find(&catalogue, "booking\x1bmade").unwrap_err();
        assert!(matches!(told, CliError::Usage(_)));
        let told = told.to_string();
        assert!(
            told.contains("booking.created, booking.rescheduled") && !told.contains('\x1b'),
            "{told}"
        );
    }

    #[test]
    fn the_example_file_is_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/event-types.toml");
        let flags = CatalogueFlags {
            event_types_file: Some(path.to_owned()),
        };
        let catalogue = flags.catalogue().unwrap();
        assert!(find(&catalogue, "invoice.paid").unwrap().own);
        let missing = CatalogueFlags {
            event_types_file: Some("/nowhere.toml".to_owned()),
        };
        let told = missing.catalogue().unwrap_err().to_string();
        assert!(
            told.contains("HOOKLINE_EVENT_TYPES_FILE") && told.contains("cannot be read"),
            "{told}"
        );
    }
}
