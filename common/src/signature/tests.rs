//! Rotation, the ways in which a signature fails, and what must hold for every body.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

pub(super) const K1: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const K2: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OWN: &str = "a secret that is no base64 at all!";
pub(super) const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
pub(super) const TIME: i64 = 1_614_265_330;
pub(super) const BODY: &[u8] = br#"{"test": 2432232314}"#;
pub(super) const BODY_SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

pub(super) fn secret(text: &str) -> Secret {
    Secret::parse(text).unwrap()
}

pub(super) fn keys(text: &str) -> SigningKeys {
    SigningKeys::new(&secret(text), None)
}

fn id(text: &str) -> EventId {
    EventId::parse(text).unwrap()
}

pub(super) fn standard(text: &str, event: &str, time: i64, body: &[u8]) -> String {
    keys(text).standard(&id(event), time, body).unwrap()
}

#[test]
fn while_a_rotation_overlaps_meeva_has_the_old_key_and_standard_both() {
    let rotating = SigningKeys::new(&secret(K2), Some(&secret(K1)));
    assert_eq!(rotating.meeva(BODY), keys(K1).meeva(BODY));
    let both = rotating.standard(&id(ID), TIME, BODY).unwrap();
    assert_eq!(both, format!("{} {BODY_SIGNED}", standard(K2, ID, TIME, BODY)));
    for one in [K1, K2] {
        assert_eq!(
            verify_standard(&[secret(one)], ID, &TIME.to_string(), &both, BODY, TIME),
            Ok(())
        );
    }
}

#[test]
fn secrets_that_are_no_standard_keys_are_left_out_of_webhook_signature() {
    assert_eq!(keys(OWN).standard(&id(ID), TIME, BODY), None);
    assert!(keys(OWN).meeva(BODY).starts_with("sha256="));
    let from_own = SigningKeys::new(&secret(K1), Some(&secret(OWN)));
    assert_eq!(
        from_own.standard(&id(ID), TIME, BODY).as_deref(),
        Some(BODY_SIGNED)
    );
    assert_eq!(from_own.meeva(BODY), keys(OWN).meeva(BODY));
    let to_own = SigningKeys::new(&secret(OWN), Some(&secret(K1)));
    assert_eq!(to_own.standard(&id(ID), TIME, BODY).as_deref(), Some(BODY_SIGNED));
}

#[test]
fn the_keys_are_never_printed() {
    assert_eq!(format!("{:?}", keys(K1)), "SigningKeys(***)");
}

#[test]
fn a_meeva_header_is_refused_with_its_reason() {
    let good = keys(K1).meeva(BODY);
    let verify = |header: &str| verify_meeva(&[secret(OWN), secret(K1)], header, BODY);
    assert_eq!(verify(&good), Ok(()));
    assert_eq!(
        verify(""),
        Err(VerifyError::Missing {
            header: "Meeva-Signature"
        })
    );
    let upper = format!("sha256={}", good[7..].to_uppercase());
    for bad in [
        "sha256=",
        &good[7..],
        &good[..70],
        &format!("{good}0"),
        &format!("{good},{good}"),
        &upper,
        "sha256=é",
    ] {
        assert!(matches!(verify(bad), Err(VerifyError::Malformed { .. })), "{bad}");
    }
    assert_eq!(
        verify(&format!("sha256={}", "0".repeat(64))),
        Err(VerifyError::NoMatch)
    );
    assert_eq!(verify_meeva(&[], &good, BODY), Err(VerifyError::NoMatch));
    assert_eq!(
        verify_meeva(&[secret(K1)], &good, b"{}"),
        Err(VerifyError::NoMatch)
    );
}

fn check(time: &str, signatures: &str, now: i64) -> Result<(), VerifyError> {
    verify_standard(&[secret(K1)], ID, time, signatures, BODY, now)
}

#[test]
fn a_standard_header_that_is_missing_or_malformed_is_named() {
    let time = TIME.to_string();
    let verify = |id: &str, time: &str, signatures: &str| {
        verify_standard(&[secret(K1)], id, time, signatures, BODY, TIME)
    };
    assert_eq!(
        verify("", &time, BODY_SIGNED),
        Err(VerifyError::Missing { header: "webhook-id" })
    );
    assert_eq!(
        verify(ID, "", BODY_SIGNED),
        Err(VerifyError::Missing {
            header: "webhook-timestamp"
        })
    );
    assert_eq!(
        verify(ID, &time, ""),
        Err(VerifyError::Missing {
            header: "webhook-signature"
        })
    );
    for bad in [
        "a",
        "1.5",
        "-1",
        "+1614265330",
        " 1614265330",
        "0x10",
        "99999999999999999999",
        "١٢٣",
    ] {
        assert!(
            matches!(
                verify(ID, bad, BODY_SIGNED),
                Err(VerifyError::Malformed {
                    header: "webhook-timestamp",
                    ..
                })
            ),
            "{bad}"
        );
    }
    for bad in ["a.b", "a b", "é", &"x".repeat(65)] {
        assert!(
            matches!(
                verify(bad, &time, BODY_SIGNED),
                Err(VerifyError::Malformed {
                    header: "webhook-id",
                    ..
                })
            ),
            "{bad}"
        );
    }
}

#[test]
fn a_timestamp_may_lie_300_seconds_off_and_not_one_more() {
    let time = TIME.to_string();
    for off in [-300, -1, 0, 1, 300] {
        assert_eq!(check(&time, BODY_SIGNED, TIME + off), Ok(()), "{off}");
    }
    assert_eq!(
        check(&time, BODY_SIGNED, TIME + 301),
        Err(VerifyError::TooOld { seconds: 301 })
    );
    assert_eq!(
        check(&time, BODY_SIGNED, TIME - 301),
        Err(VerifyError::TooNew { seconds: 301 })
    );
    assert!(matches!(
        check("0", BODY_SIGNED, i64::MAX),
        Err(VerifyError::TooOld { .. })
    ));
    assert!(matches!(
        check(&i64::MAX.to_string(), BODY_SIGNED, i64::MIN),
        Err(VerifyError::TooNew { .. })
    ));
}

#[test]
fn one_valid_v1_signature_among_others_is_enough() {
    let wrong = format!("v1,{}", STANDARD.encode([0_u8; 32]));
    let time = TIME.to_string();
    for good in [
        format!("{wrong} {wrong} {BODY_SIGNED} {wrong}"),
        format!("v2,abc v1a,abc garbage {BODY_SIGNED}"),
        format!(" {BODY_SIGNED} "),
    ] {
        assert_eq!(check(&time, &good, TIME), Ok(()), "{good}");
    }
    let base64 = &BODY_SIGNED[3..];
    for bad in [
        "v1,".to_owned(),
        "v1".to_owned(),
        ",".to_owned(),
        " ".to_owned(),
        base64.to_owned(),
        wrong.clone(),
        format!("v2,{base64}"),
        format!("v1a,{base64}"),
        format!("V1,{base64}"),
        format!("v1,{}", &base64[..40]),
        format!("v1,{}", base64.trim_end_matches('=')),
        format!("v1,{base64}="),
        format!("v1,h{}", &base64[1..]),
        format!("{BODY_SIGNED},{BODY_SIGNED}"),
    ] {
        assert_eq!(check(&time, &bad, TIME), Err(VerifyError::NoMatch), "{bad}");
    }
}

#[test]
fn a_verifier_without_a_usable_key_says_so() {
    for secrets in [vec![], vec![secret(OWN)], vec![secret(&K1[6..])]] {
        let answer = verify_standard(&secrets, ID, &TIME.to_string(), BODY_SIGNED, BODY, TIME);
        assert_eq!(answer, Err(VerifyError::NoKey));
    }
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_one_flipped_bit_does_not(
        body in prop::collection::vec(any::<u8>(), 1..200),
        id_text in "[A-Za-z0-9_-]{1,64}",
        time in 0_i64..4_000_000_000,
        bit in any::<prop::sample::Index>(),
    ) {
        let both = SigningKeys::new(&secret(K1), Some(&secret(K2)));
        let secrets = [secret(K1), secret(K2)];
        let (own, standard) = (both.meeva(&body), both.standard(&id(&id_text), time, &body).unwrap());
        let verify = |body: &[u8], id: &str, time: i64| {
            let time_text = time.to_string();
            (verify_meeva(&secrets, &own, body), verify_standard(&secrets, id, &time_text, &standard, body, time))
        };
        prop_assert_eq!(verify(&body, &id_text, time), (Ok(()), Ok(())));

        let mut flipped = body.clone();
        let at = bit.index(body.len() * 8);
        flipped[at / 8] ^= 1 << (at % 8);
        let refused = (Err(VerifyError::NoMatch), Err(VerifyError::NoMatch));
        prop_assert_eq!(verify(&flipped, &id_text, time), refused);
        prop_assert_eq!(verify(&body, &id_text, time + 1).1, Err(VerifyError::NoMatch));
        let other_id = if id_text == "x" { "y" } else { "x" };
        prop_assert_eq!(verify(&body, other_id, time).1, Err(VerifyError::NoMatch));
    }

    #[test]
    fn a_flipped_bit_of_the_signature_never_verifies(at in 0_usize..256) {
        let mut mac = STANDARD.decode(&BODY_SIGNED[3..]).unwrap();
        mac[at / 8] ^= 1 << (at % 8);
        let header = format!("v1,{}", STANDARD.encode(mac));
        prop_assert_eq!(check(&TIME.to_string(), &header, TIME), Err(VerifyError::NoMatch));
    }

    // Short parts from few letters, so that texts which only differ in where they are cut do come up.
    #[test]
    fn no_two_requests_have_the_same_signed_text(
        a in ("[a1]{1,3}", 0_i64..100, "[a1.]{0,6}"),
        b in ("[a1]{1,3}", 0_i64..100, "[a1.]{0,6}"),
    ) {
        let text = |(id, time, body): &(String, i64, String)| signed_prefix(id, &time.to_string()) + body;
        prop_assert_eq!(a == b, text(&a) == text(&b));
    }

    #[test]
    fn verifying_never_panics(
        header in ".*",
        other in ".*",
        time in ".*",
        now in any::<i64>(),
        body in any::<Vec<u8>>(),
    ) {
        let secrets = [secret(K1)];
        prop_assert!(verify_meeva(&secrets, &header, &body).is_err());
        prop_assert!(verify_standard(&secrets, &other, &time, &header, &body, now).is_err());
    }
}
