#![allow(clippy::unwrap_used)]

use super::*;

fn key_length(text: &str) -> Option<usize> {
    Secret::parse(text)
        .unwrap()
        .standard_key()
        .map(|key| key.expose_secret().len())
}

#[test]
fn any_printable_text_of_16_to_256_characters_is_a_secret_and_stays_as_it_is() {
    let all: String = ('!'..='~').collect();
    for good in [
        "0123456789abcdef",
        "WHSEC_0123456789",
        "correct horse battery staple",
        all.as_str(),
        &"x".repeat(256),
    ] {
        assert_eq!(Secret::parse(good).unwrap().expose(), good);
    }
}

#[test]
fn a_secret_is_refused_and_never_trimmed() {
    let core = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    assert_eq!(Secret::parse("").unwrap_err(), InvalidSecret::Empty);
    for around in ["\n", "\r\n", " ", "\t", "\u{a0}", "\u{85}"] {
        for bad in [format!("{core}{around}"), format!("{around}{core}")] {
            assert_eq!(
                Secret::parse(&bad).unwrap_err(),
                InvalidSecret::SurroundingWhitespace,
                "{bad:?}"
            );
        }
    }
    for inside in ["\n", "\t", "\0", "\u{7f}", "é", "\u{200b}", "\u{feff}"] {
        assert_eq!(
            Secret::parse(&format!("{core}{inside}x")).unwrap_err(),
            InvalidSecret::Characters,
            "{inside:?}"
        );
    }
    for length in [1, 15, 257, 100_000] {
        assert_eq!(
            Secret::parse(&"x".repeat(length)).unwrap_err(),
            InvalidSecret::Length { characters: length }
        );
    }
}

#[test]
fn what_is_only_taken_for_a_secret_is_refused_with_what_it_is() {
    use InvalidSecret::{BeforePrefix, NoKey, Placeholder, Quoted};
    let core = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for (bad, why) in [
        ("whsec_", NoKey),
        ("${VAR}", Placeholder),
        ("${HOOKLINE_CRM_SECRET}", Placeholder),
        ("${CRM_SECRET:-whsec_MfKQ9r8GKYqr}", Placeholder),
        ("${{ secrets.CRM_SECRET }}", Placeholder),
        ("whsec_${CRM_SECRET_BASE64}", Placeholder),
        ("prefix-${crm_secret}-suffix", Placeholder),
        ("$CRM_WEBHOOK_SECRET", Placeholder),
        ("whsec_$CRM_WEBHOOK_SECRET", Placeholder),
        ("$(cat /run/secrets/crm)", Placeholder),
        ("{{ .Values.crm.secret }}", Placeholder),
        ("whsec_{{crm_secret}}", Placeholder),
        ("<secret>", Placeholder),
        ("<your webhook secret>", Placeholder),
        ("whsec_<base64 of 32 bytes>", Placeholder),
        ("%CRM_WEBHOOK_SECRET%", Placeholder),
        (&format!("v1,{core}"), BeforePrefix),
        (&format!("CRM_SECRET={core}"), BeforePrefix),
        (&format!("whsec_{core}"), BeforePrefix),
        (&format!("{core},{core}"), BeforePrefix),
        (&format!("{core} {core}"), BeforePrefix),
        (&format!("\"{core}\""), BeforePrefix),
        ("\"0123456789abcdef\"", Quoted),
        ("'0123456789abcdef'", Quoted),
        ("`0123456789abcdef`", Quoted),
    ] {
        assert_eq!(Secret::parse(bad).unwrap_err(), why, "{bad}");
    }
}

#[test]
fn a_secret_may_look_a_little_like_a_placeholder() {
    for good in [
        "$aB3dE6gH9jK2mN5p",
        "$2b$10$N9qo8uLOickgx2ZMRZoMye",
        "a${0123456789abc}f",
        "}}0123456789ab{{",
        "<0123456789/abc>",
        "<0123456789abcdef",
        "%0123456789abcde%",
        "%x0123456789abcd%",
        "\"0123456789abcdef'",
        "whsec-0123456789ab",
        "v1,0123456789abcde",
    ] {
        assert_eq!(Secret::parse(good).unwrap().expose(), good);
    }
}

proptest::proptest! {
    #[test]
    fn what_is_drawn_at_random_is_a_secret(text in "[A-Za-z0-9+/=_-]{16,256}") {
        let is_ours = text.get(1..).is_some_and(|rest| rest.contains(STANDARD_PREFIX));
        proptest::prop_assert!(is_ours || Secret::parse(&text).is_ok());
    }
}

#[test]
fn neither_debug_nor_an_error_shows_the_secret() {
    let text = "whsec_MARKERMARKERMARKER";
    let secret = Secret::parse(text).unwrap();
    assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
    for bad in [
        format!("{text} "),
        format!("{text}\n{text}"),
        text.repeat(20),
        format!("v1,{text}"),
        format!("${{{text}}}"),
        "x".repeat(300) + "MARKER",
    ] {
        let fault = Secret::parse(&bad).unwrap_err();
        assert!(!format!("{fault} {fault:?}").contains("MARKER"));
    }
}

#[test]
fn a_standard_key_is_24_to_64_bytes_in_padded_standard_base64() {
    for (length, expected) in [
        (23, None),
        (24, Some(24)),
        (32, Some(32)),
        (64, Some(64)),
        (65, None),
        (75, None),
    ] {
        let encoded = STANDARD.encode(vec![0xfb_u8; length]);
        assert_eq!(
            key_length(&format!("whsec_{encoded}")),
            expected,
            "{length} bytes"
        );
        assert_eq!(key_length(&encoded), None, "{length} bytes without the prefix");
        assert_eq!(
            key_length(&format!("WHSEC_{encoded}")),
            None,
            "{length} bytes, other case"
        );
        let url_safe = encoded.replace('+', "-").replace('/', "_");
        assert_eq!(
            key_length(&format!("whsec_{url_safe}")),
            None,
            "{length} bytes, URL-safe"
        );
    }
    let unpadded = STANDARD.encode([7_u8; 32]).replace('=', "");
    assert_eq!(key_length(&format!("whsec_{unpadded}")), None);
    // The last character's unused bits are not zero, so two texts would be one key.
    let encoded = STANDARD.encode([0_u8; 32]);
    let loose = format!("{}B=", &encoded[..encoded.len() - 2]);
    assert_eq!(key_length(&format!("whsec_{loose}")), None);
}
