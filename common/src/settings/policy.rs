//! The guard's policy, from the settings that all programs share.

use super::{Reader, parse, variables as var};
use crate::guard::{AllowedHost, Policy, add_up_to_everything, parse_cidr};

const EVERYTHING: &str = "these networks together hold every address of IPv4 or of IPv6, which would switch the guard off; \
                          name the networks that are meant";

/// Reads `HOOKLINE_ALLOW_HTTP`, `HOOKLINE_ALLOW_CIDRS`, `HOOKLINE_DENY_CIDRS` and `HOOKLINE_ALLOW_HOSTS`; `None` after a
/// fault, which is the reader's to tell.
pub fn read_policy(reader: &mut Reader<'_>) -> Option<Policy> {
    let allow_http = reader.read(&var::ALLOW_HTTP, parse::boolean);
    let allow_cidrs = reader.read(&var::ALLOW_CIDRS, |text| {
        let networks = parse::list(text, parse_cidr)?;
        if add_up_to_everything(&networks) {
            return Err(EVERYTHING.to_owned());
        }
        Ok(networks)
    });
    let deny_cidrs = reader.read(&var::DENY_CIDRS, |text| parse::list(text, parse_cidr));
    let allow_hosts = reader.read(&var::ALLOW_HOSTS, |text| parse::list(text, AllowedHost::parse));
    Some(Policy {
        allow_http: allow_http?,
        allow_cidrs: allow_cidrs.unwrap_or_default(),
        deny_cidrs: deny_cidrs.unwrap_or_default(),
        allow_hosts: allow_hosts.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{NotText, SettingSource};

    struct Allowed(&'static str);

    impl SettingSource for Allowed {
        fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
            Ok((name == var::ALLOW_CIDRS.name).then(|| self.0.to_owned()))
        }
    }

    fn read(allow_cidrs: &'static str) -> Result<Policy, String> {
        let source = Allowed(allow_cidrs);
        let mut reader = Reader::new(&source);
        let policy = read_policy(&mut reader);
        reader.finish(|| policy).map_err(|faults| faults.to_string())
    }

    #[test]
    fn networks_that_would_switch_the_guard_off_are_refused_one_by_one_and_together() {
        for all in [
            "0.0.0.0/0",
            "0.0.0.0/1,128.0.0.0/1",
            "::/1, 8000::/1",
            "::ffff:0:0/96",
        ] {
            let refused = read(all).expect_err(all);
            assert!(
                refused.contains("HOOKLINE_ALLOW_CIDRS") && refused.contains("switch the guard off"),
                "{refused}"
            );
        }
        assert_eq!(
            read("10.0.0.0/8, 127.0.0.1").map(|policy| policy.allow_cidrs.len()),
            Ok(2)
        );
    }
}
