//! What the dispatcher's guard would be told, for commands that play its part: flags of its settings' names.

use clap::Args;
use hookline_common::settings::variables as var;

use crate::settings::help;

/// Where requests may go, and where they may not.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct GuardFlags {
    #[arg(long, value_name = "BOOL", help = help(&var::ALLOW_HTTP))]
    allow_http: Option<String>,
    #[arg(long, value_name = "NETWORKS", help = help(&var::ALLOW_CIDRS))]
    allow_cidrs: Option<String>,
    #[arg(long, value_name = "NETWORKS", help = help(&var::DENY_CIDRS))]
    deny_cidrs: Option<String>,
    #[arg(long, value_name = "NAMES", help = help(&var::ALLOW_HOSTS))]
    allow_hosts: Option<String>,
}

impl GuardFlags {
    /// The flag of this name, where it is one of these and was given.
    pub(crate) fn flag(&self, flag: &str) -> Option<&String> {
        match flag {
            "allow-http" => self.allow_http.as_ref(),
            "allow-cidrs" => self.allow_cidrs.as_ref(),
            "deny-cidrs" => self.deny_cidrs.as_ref(),
            "allow-hosts" => self.allow_hosts.as_ref(),
            _ => None,
        }
    }
}
