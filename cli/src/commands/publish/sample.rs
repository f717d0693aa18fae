//! Sample events, for whoever has none at hand: those of the catalogue.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command};
use hookline_catalogue::{Catalogue, EventTypeInfo};
use hookline_producer::Event;

use crate::error::CliError;

/// Takes any name, because those of a platform's own file are known only when it is read; help and shells are told those that
/// are built in.
#[derive(Debug, Clone)]
pub(super) struct SampleName;

impl TypedValueParser for SampleName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let catalogue = Catalogue::built_in();
        let values: Vec<PossibleValue> = catalogue.iter().map(possible_value).collect();
        Some(Box::new(values.into_iter()))
    }
}

fn possible_value(info: &EventTypeInfo) -> PossibleValue {
    PossibleValue::new(info.name.to_string()).help(info.summary().to_owned())
}

/// The sample of a type as an event of that company.
pub(super) fn event(info: &EventTypeInfo, company: &str) -> Result<Event, CliError> {
    Event::new(company, info.name.as_str(), info.sample.to_string())
        .map_err(|error| CliError::Failed(format!("the sample is no event: {error}; report this")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_sample_is_an_event_of_its_type() {
        for info in Catalogue::built_in().iter() {
            let event = event(info, "acme").unwrap();
            assert_eq!(event.event_type, info.name);
            assert_eq!(event.data.as_str(), info.sample.as_str());
        }
    }
}
