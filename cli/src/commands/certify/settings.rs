//! What the dispatcher would be told about endpoints, by flag or variable of the same names.

use std::time::Duration;

use clap::Args;
use hookline_common::endpoint::Format;
use hookline_common::guard::Policy;
use hookline_common::settings::{
    Environment, Faults, NotText, Reader, SettingSource, parse, read_policy, variables as var,
};

use crate::commands::guard_flags::GuardFlags;
use crate::settings::help;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct CertifyFlags {
    #[command(flatten)]
    guard: GuardFlags,
    #[arg(long, value_name = "FILE", help = help(&var::CA_FILE))]
    ca_file: Option<String>,
    #[arg(long, value_name = "DURATION", help = help(&var::REQUEST_TIMEOUT))]
    request_timeout: Option<String>,
}

/// What a certificate is played with.
pub(super) struct CertifySettings {
    pub(super) policy: Policy,
    pub(super) ca_pem: Option<String>,
    pub(super) timeout: Duration,
    /// The format where none is named.
    pub(super) default_format: Format,
}

impl SettingSource for CertifyFlags {
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        Environment.variable(name)
    }

    fn flag(&self, flag: &str) -> Option<String> {
        match flag {
            "ca-file" => self.ca_file.clone(),
            "request-timeout" => self.request_timeout.clone(),
            _ => self.guard.flag(flag).cloned(),
        }
    }
}

impl CertifyFlags {
    pub(super) fn read(&self) -> Result<CertifySettings, Faults> {
        let mut reader = Reader::new(self);
        let policy = read_policy(&mut reader);
        let ca_pem = reader.read_file(&var::CA_FILE);
        let timeout = reader.read(&var::REQUEST_TIMEOUT, |text| {
            parse::duration_within(text, Duration::from_millis(100), Duration::from_secs(600))
        });
        let default_format = reader.read(&var::DEFAULT_FORMAT, str::parse::<Format>);
        reader.finish(|| {
            Some(CertifySettings {
                policy: policy?,
                ca_pem,
                timeout: timeout?,
                default_format: default_format?,
            })
        })
    }
}
