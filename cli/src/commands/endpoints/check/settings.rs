//! What a dispatcher would be told about endpoints, by flag or variable of the same names.

use clap::Args;
use hookline_common::endpoint::Format;
use hookline_common::guard::Policy;
use hookline_common::settings::{
    Environment, Faults, NotText, Reader, SettingSource, read_policy, variables as var,
};

use crate::commands::guard_flags::GuardFlags;
use crate::settings::help;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct CheckFlags {
    #[command(flatten)]
    guard: GuardFlags,
    #[arg(long, value_name = "FORMAT", help = help(&var::DEFAULT_FORMAT))]
    default_format: Option<String>,
}

/// What a file is checked with.
#[derive(Debug, Default)]
pub(super) struct CheckSettings {
    pub(super) policy: Policy,
    pub(super) default_format: Format,
}

impl SettingSource for CheckFlags {
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        Environment.variable(name)
    }

    fn flag(&self, flag: &str) -> Option<String> {
        match flag {
            "default-format" => self.default_format.clone(),
            _ => self.guard.flag(flag).cloned(),
        }
    }
}

impl CheckFlags {
    pub(super) fn read(&self) -> Result<CheckSettings, Faults> {
        let mut reader = Reader::new(self);
        let policy = read_policy(&mut reader);
        let default_format = reader.read(&var::DEFAULT_FORMAT, str::parse::<Format>);
        reader.finish(|| {
            Some(CheckSettings {
                policy: policy?,
                default_format: default_format?,
            })
        })
    }
}
