//! Where the console is, and the token that is shown to it: by variable, and the address by flag as well.

use std::fmt;

use clap::Args;
use hookline_common::settings::{Environment, Faults, NotText, Reader, SettingSource, variables as var};

use super::url::ApiUrl;
use crate::out;
use crate::settings::help;

const URL_MISSING: &str =
    "must be set, or --api-url given: the console's address, like http://127.0.0.1:8080";
const TOKEN_MISSING: &str = "must be set, or HOOKLINE_API_TOKEN_FILE name a file that holds it: the operator's token \
                             (HOOKLINE_ADMIN_TOKEN of the console), or one that `hookline tokens add` made";
const TOKEN_ALLOWED: &str = "must be 1 to 1000 printable ASCII characters without spaces";

/// The flag that says where the console is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ApiFlags {
    #[arg(long, value_name = "URL", help_heading = "Settings", help = help(&var::API_URL))]
    api_url: Option<String>,
}

impl SettingSource for ApiFlags {
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        Environment.variable(name)
    }

    fn flag(&self, flag: &str) -> Option<String> {
        (flag == "api-url").then(|| self.api_url.clone())?
    }
}

/// Where the console is, and who asks.
#[derive(Debug, Clone)]
pub(crate) struct ApiSettings {
    pub(super) url: ApiUrl,
    pub(super) token: ApiToken,
}

/// A bearer token; nothing prints it.
#[derive(Clone)]
pub(super) struct ApiToken(pub(super) String);

impl ApiToken {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let is_token = (1..=1000).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| Self(text.to_owned())).ok_or(TOKEN_ALLOWED)
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl ApiFlags {
    /// Reads both settings.
    pub(crate) fn read(&self) -> Result<ApiSettings, Faults> {
        let settings = read(self)?;
        if !settings.url.is_private() {
            out::note(
                "warning: the token is sent over plain http, and whoever is on the way can read it; give an https:// URL \
                 (HOOKLINE_API_URL)",
            );
        }
        Ok(settings)
    }
}

fn read(source: &dyn SettingSource) -> Result<ApiSettings, Faults> {
    let mut reader = Reader::new(source);
    let text = reader.required(&var::API_URL, |text| Ok::<_, &str>(text.to_owned()), URL_MISSING);
    let url = match text.as_deref().map(ApiUrl::parse) {
        None => None,
        Some(Ok(url)) => Some(url),
        Some(Err(error)) => {
            // Without the text: somebody may have put a password into it.
            reader.fault(&var::API_URL, None, error.to_string());
            None
        }
    };
    let token = reader.required(&var::API_TOKEN, ApiToken::parse, TOKEN_MISSING);
    reader.finish(|| {
        Some(ApiSettings {
            url: url?,
            token: token?,
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Given(&'static [(&'static str, &'static str)]);

    impl SettingSource for Given {
        fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
            let found = self.0.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        }
    }

    #[test]
    fn what_is_missing_is_told_together() {
        let told = read(&Given(&[])).unwrap_err().to_string();
        assert!(
            told.contains("HOOKLINE_API_URL") && told.contains("HOOKLINE_API_TOKEN"),
            "{told}"
        );
    }

    #[test]
    fn nothing_secret_is_told_or_printed() {
        let wrong = Given(&[
            ("HOOKLINE_API_URL", "http://u:s3cret@h"),
            ("HOOKLINE_API_TOKEN", "s3cret s3cret"),
        ]);
        let told = read(&wrong).unwrap_err().to_string();
        assert!(
            !told.contains("s3cret") && told.matches('\n').count() == 2,
            "{told}"
        );
        let right = Given(&[("HOOKLINE_API_URL", "http://h"), ("HOOKLINE_API_TOKEN", "s3cret")]);
        let printed = format!("{:?}", read(&right).unwrap());
        assert!(!printed.contains("s3cret"), "{printed}");
    }
}
