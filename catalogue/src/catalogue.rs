//! All types of an installation: the built-in ones, and a platform's own in their place or after them.

use std::collections::HashMap;
use std::path::Path;

use hookline_common::endpoint::{EventFilter, Format};
use hookline_common::ids::EventType;
use hookline_common::text_file::{self, ReadError};
use hookline_common::toml_file::{FileFault, FileFaults};

use crate::built_in;
use crate::file::{self, MAX_FILE_BYTES};
use crate::info::EventTypeInfo;

/// The types of events that there are. Within each format every one has a name of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    types: Vec<EventTypeInfo>,
}

impl Catalogue {
    /// The types that every installation knows.
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            types: built_in::all(),
        }
    }

    /// These and the types of a platform's own file: TOML with an `[[event_type]]` for each (`name`, `description`, and
    /// `schema` and `sample` as JSON text or as tables).
    ///
    /// A type of the file that is called like a built-in one takes its place: the platform knows better what it sends,
    /// and most of all where the built-in schema is a minimal one.
    ///
    /// # Errors
    /// [`EventTypesFileError`]: the file cannot be read, or what is wrong with it.
    pub fn with_file(self, path: &Path) -> Result<Self, EventTypesFileError> {
        let text = text_file::read(path, MAX_FILE_BYTES)?;
        self.with_text(&text).map_err(EventTypesFileError::Faults)
    }

    /// The same from a text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn with_text(mut self, text: &str) -> Result<Self, FileFaults> {
        for own in file::parse(text)? {
            match self.types.iter_mut().find(|known| known.name == own.name) {
                Some(known) => *known = own,
                None => self.types.push(own),
            }
        }
        let faults = self.ambiguous();
        if faults.is_empty() {
            Ok(self)
        } else {
            Err(faults.into_iter().collect())
        }
    }

    /// Types that some format calls like another: a receiver could not tell them apart, nor a filter.
    fn ambiguous(&self) -> Vec<FileFault> {
        let mut faults = Vec::new();
        for format in Format::ALL {
            let mut taken: HashMap<String, &EventType> = HashMap::new();
            for info in &self.types {
                let Some(other) = taken.insert(info.name_in(format), &info.name) else {
                    continue;
                };
                let entry = Some(info.name.to_string());
                // The two formats that share their names would say the same twice.
                if faults.iter().any(|fault: &FileFault| fault.entry == entry) {
                    continue;
                }
                faults.push(FileFault {
                    line: None,
                    noun: file::EVENT_TYPES.noun,
                    entry,
                    key: Some("name".to_owned()),
                    problem: format!(
                        "in the format {format} it is called {}, and so is {other}; give it another name",
                        info.name_in(format)
                    ),
                });
            }
        }
        faults
    }

    /// The type of that name.
    #[must_use]
    pub fn get(&self, name: &EventType) -> Option<&EventTypeInfo> {
        self.types.iter().find(|info| info.name == *name)
    }

    /// The type that `format` calls `name`, or that is called so inside Hookline: what a picker or a filter of an endpoint
    /// of this format may be given.
    #[must_use]
    pub fn find_in(&self, format: Format, name: &str) -> Option<&EventTypeInfo> {
        let inside = self.types.iter().find(|info| info.name.as_str() == name);
        inside.or_else(|| self.types.iter().find(|info| info.name_in(format) == name))
    }

    /// The type that is called `name` inside Hookline or in any format.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&EventTypeInfo> {
        Format::ALL
            .into_iter()
            .find_map(|format| self.find_in(format, name))
    }

    /// All types, the built-in ones first.
    pub fn iter(&self) -> impl Iterator<Item = &EventTypeInfo> {
        self.types.iter()
    }

    /// The types that an endpoint with this format and filter would get.
    pub fn matching(&self, format: Format, filter: &EventFilter) -> impl Iterator<Item = &EventTypeInfo> {
        self.iter().filter(move |info| filter.matches(format, &info.name))
    }
}

/// Why a platform's own types cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EventTypesFileError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What is wrong with it.
    #[error("{}", on_one_line(.0))]
    Faults(FileFaults),
}

fn on_one_line(faults: &FileFaults) -> String {
    faults.told().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_common::endpoint::EventPattern;

    use super::*;

    fn own(names: &[&str]) -> String {
        let entry = |name: &&str| {
            format!(
                "[[event_type]]\nname = \"{name}\"\ndescription = \"Own.\"\nschema = '{{}}'\nsample = '{{\"a\":1}}'\n"
            )
        };
        names.iter().map(entry).collect()
    }

    fn names<'a>(types: impl Iterator<Item = &'a EventTypeInfo>) -> Vec<&'a str> {
        types.map(|info| info.name.as_str()).collect()
    }

    #[test]
    fn own_types_follow_and_take_the_place_of_built_in_ones() {
        let catalogue = Catalogue::built_in()
            .with_text(&own(&["invoice.paid", "form.submitted"]))
            .unwrap();
        let shown: Vec<(&str, bool)> = catalogue
            .iter()
            .map(|info| (info.name.as_str(), info.own))
            .collect();
        assert_eq!(
            shown,
            [
                ("booking.created", false),
                ("booking.rescheduled", false),
                ("booking.cancelled", false),
                ("employee.created", false),
                ("form.submitted", true),
                ("endpoint.disabled", false),
                ("invoice.paid", true),
            ]
        );
        let form = catalogue
            .get(&EventType::parse("form.submitted").unwrap())
            .unwrap();
        assert_eq!(form.sample.as_str(), r#"{"a":1}"#);
    }

    #[test]
    fn a_type_is_found_by_what_its_format_calls_it() {
        let catalogue = Catalogue::built_in();
        for info in catalogue.iter() {
            for format in Format::ALL {
                assert_eq!(
                    catalogue.find_in(format, &info.name_in(format)),
                    Some(info),
                    "{format}"
                );
                assert_eq!(
                    catalogue.find_in(format, info.name.as_str()),
                    Some(info),
                    "{format}"
                );
                assert_eq!(catalogue.find(&info.name_in(format)), Some(info));
                // What a picker shows is a pattern that selects this type, and no other.
                let pattern = EventPattern::parse(&info.name_in(format)).unwrap();
                let filter = EventFilter::new(vec![pattern]);
                assert_eq!(names(catalogue.matching(format, &filter)), [info.name.as_str()]);
            }
        }
        let name = |info: Option<&EventTypeInfo>| info.map(|info| info.name.to_string());
        assert_eq!(
            name(catalogue.find("new_employee")),
            Some("employee.created".to_owned())
        );
        assert_eq!(catalogue.find_in(Format::Meeva, "new_employee"), None);
        assert_eq!(catalogue.find("booking"), None);
    }

    #[test]
    fn types_that_a_format_could_not_tell_apart_are_refused() {
        for (own_names, called) in [
            (&["booking_created"][..], "booking_created"),
            (&["new.employee"], "new_employee"),
            (&["endpoint.disabled"], "Hookline's own"),
            (&["a.b_c", "a_b.c"], "a_b_c"),
        ] {
            let faults = Catalogue::built_in().with_text(&own(own_names)).unwrap_err();
            assert_eq!(faults.count(), 1, "{faults:?}");
            let told = faults.first()[0].to_string();
            assert!(
                told.contains(called) && told.contains(own_names[own_names.len() - 1]),
                "{told}"
            );
        }
    }

    #[test]
    fn a_file_is_read_or_told_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("types.toml");
        let read = || Catalogue::built_in().with_file(&path);
        assert!(
            read()
                .unwrap_err()
                .to_string()
                .contains("types.toml cannot be read")
        );
        std::fs::write(&path, own(&["a.b"])).unwrap();
        assert_eq!(read().unwrap().iter().count(), 7);
        std::fs::write(&path, own(&["A", "B"])).unwrap();
        let told = read().unwrap_err().to_string();
        assert!(
            told.contains("line 2: event type #1") && told.contains("; line 7: event type #2"),
            "{told}"
        );
    }
}
