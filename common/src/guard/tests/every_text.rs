//! No text makes the guard panic, and what it passes is what it says.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use rustls::pki_types::ServerName;

use super::*;

/// Checks what an allowed target promises, whatever text it came from.
fn check_promises(policy: &Policy, raw: &str) -> Result<(), TestCaseError> {
    let target = match policy.check_url(raw) {
        Ok(target) => target,
        Err(refusal) => {
            prop_assert!(
                refusal
                    .reason()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
            return Ok(());
        }
    };
    let url = target.url().as_str();
    let again = policy.check_url(url);
    prop_assert_eq!(again.as_ref(), Ok(&target), "{:?} is not stable", raw);
    prop_assert!(
        url.len() <= 2048 && url.bytes().all(|b| b.is_ascii_graphic()),
        "{}",
        url
    );
    prop_assert!(url.starts_with("https://") || policy.allow_http && url.starts_with("http://"));
    prop_assert_eq!(target.is_https(), url.starts_with("https://"));
    prop_assert!(
        !url.contains('#') && target.url().username().is_empty() && target.url().password().is_none()
    );
    prop_assert!(matches!(target.port(), 80 | 443 | 1024..));
    match target.host() {
        Host::Address(address) => prop_assert_eq!(policy.check_address(*address), Ok(())),
        Host::Name(name) => {
            prop_assert!(
                name.contains('.') && !name.ends_with('.') && name.parse::<IpAddr>().is_err(),
                "{}",
                name
            );
            prop_assert_eq!(target.url().host_str(), Some(name.as_str()));
            // Whatever passes can be spoken TLS to.
            prop_assert!(ServerName::try_from(name.as_str()).is_ok(), "{}", name);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text(raw in any::<String>()) {
        check_promises(&strict(), &raw)?;
    }

    #[test]
    fn any_text_after_a_scheme(rest in any::<String>(), http in any::<bool>()) {
        check_promises(&allowing(&[], &[]), &format!("{}://{rest}", if http { "http" } else { "https" }))?;
    }

    #[test]
    fn texts_of_the_letters_that_matter(rest in "[a-c0-9xX./:@?#%\\\\\\[\\]①。＠ ]{0,24}") {
        check_promises(&strict(), &format!("https://{rest}"))?;
    }

    #[test]
    fn plausible_urls(
        host in "[a-zA-Z0-9_-]{1,9}(\\.[a-z0-9_-]{1,6}){0,3}\\.?",
        port in "(:[0-9]{0,6})?",
        path in "(/[ -~é]{0,20})?",
    ) {
        check_promises(&strict(), &format!("https://{host}{port}{path}"))?;
    }

    /// However an IPv4 address is spelt, it is judged as itself.
    #[test]
    fn spellings_of_ipv4(number in any::<u32>(), style in 0_usize..6) {
        let [a, b, c, d] = number.to_be_bytes();
        let low = number & 0xff_ffff;
        let host = [
            format!("{a}.{b}.{c}.{d}"),
            number.to_string(),
            format!("{number:#x}"),
            format!("0{a:o}.0{b:o}.0x{c:x}.{d}."),
            format!("{a}.{low}"),
            format!("%3{}.{b}.{c}.{d}", a % 10),
        ][style].clone();
        let first = if style == 5 { a % 10 } else { a };
        let address = IpAddr::from(Ipv4Addr::new(first, b, c, d));
        let got = strict().check_url(&format!("https://{host}/")).map(|target| target.host().clone());
        prop_assert_eq!(got, strict().check_address(address).map(|()| Host::Address(address)), "{}", host);
    }

    #[test]
    fn spellings_of_ipv6(number in any::<u128>()) {
        let address = Ipv6Addr::from(number);
        let long = address.segments().map(|s| format!("{s:04X}")).join(":");
        let got = strict().check_url(&format!("https://[{long}]/")).map(|target| target.host().clone());
        prop_assert_eq!(got, strict().check_address(address.into()).map(|()| Host::Address(address.into())));
    }

    #[test]
    fn settings_never_panic(text in any::<String>(), digits in "[0-9a-f.:/]{0,20}") {
        for text in [text, digits] {
            if let Ok(network) = parse_cidr(&text) {
                prop_assert!(network.prefix_len() > 0);
            }
            if let Ok(host) = AllowedHost::parse(&text) {
                prop_assert_eq!(AllowedHost::parse(host.as_str()), Ok(host.clone()));
            }
        }
    }
}
