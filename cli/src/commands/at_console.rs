//! What the commands that ask the console have in common: whose things they are about, and where the console is.

use clap::Args;
use hookline_common::ids::CompanyId;

use crate::api::{Api, ApiFlags};
use crate::error::CliError;

/// Whose things, and which console is asked for them.
#[derive(Debug, Clone, Args)]
pub(super) struct AtConsole {
    /// Whose they are: the company's id.
    #[arg(long, value_name = "COMPANY")]
    pub(super) company: CompanyId,
    #[command(flatten)]
    flags: ApiFlags,
}

impl AtConsole {
    /// A client of the console that flags and environment name.
    pub(super) fn api(&self) -> Result<Api, CliError> {
        Ok(Api::new(self.flags.read()?)?)
    }
}
