//! What a dispatcher would be told about endpoints, by flag or variable of the same names.

use clap::Args;
use hookline_common::endpoint::Format;
use hookline_common::guard::Policy;
use hookline_common::settings::{
    Environment, Faults, NotText, Reader, SettingSource, read_policy, variables as var,
};

use crate::settings::help;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct CheckFlags {
    #[arg(long, value_name = "BOOL", help = help(&var::ALLOW_HTTP))]
    allow_http: Option<String>,
    #[arg(long, value_name = "NETWORKS", help = help(&var::ALLOW_CIDRS))]
    allow_cidrs: Option<String>,
    #[arg(long, value_name = "NETWORKS", help = help(&var::DENY_CIDRS))]
    deny_cidrs: Option<String>,
    #[arg(long, value_name = "NAMES", help = help(&var::ALLOW_HOSTS))]
    allow_hosts: Option<String>,
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
            "allow-http" => self.allow_http.clone(),
            "allow-cidrs" => self.allow_cidrs.clone(),
            "deny-cidrs" => self.deny_cidrs.clone(),
            "allow-hosts" => self.allow_hosts.clone(),
            "default-format" => self.default_format.clone(),
            _ => None,
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
