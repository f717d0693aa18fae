//! Published vectors of HMAC and of both schemes.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::signature::tests::{BODY, BODY_SIGNED, ID, K1, K2, TIME, keys, secret, standard};

#[test]
fn rfc_4231_vectors_hold() {
    let from_1_to_25: Vec<u8> = (1..=25).collect();
    let long =
        b"This is a test using a larger than block-size key and a larger than block-size data. The key \
        needs to be hashed before being used by the HMAC algorithm.";
    let vectors: [(&[u8], &[u8], &str); 7] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            &from_1_to_25,
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        // The RFC prints the first 128 bits of this one.
        (
            &[0x0c; 20],
            b"Test With Truncation",
            "a3b6167473100ee06e0c796c2955552bfa6f7c0a6a8aef8b93f860aab0cd20c5",
        ),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &[0xaa; 131],
            long,
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (key, data, expected) in vectors {
        assert_eq!(meeva_value(keyed(key), data), format!("sha256={expected}"));
    }
}

#[test]
fn published_vectors_of_standard_webhooks_hold() {
    assert_eq!(standard(K1, ID, TIME, BODY), BODY_SIGNED);
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    assert_eq!(
        standard(K2, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
    );
}

#[test]
fn both_schemes_sign_any_bytes_as_they_are() {
    let vectors: [(&[u8], &str, &str); 9] = [
        (
            BODY,
            "80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c",
            &BODY_SIGNED[3..],
        ),
        (
            b"",
            "da5f5865984e699a69cfec62ce49a76daf8ae4601b54a781fa13f3b2d3b2088a",
            "v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A=",
        ),
        (
            b"{}",
            "6cbbcdf2c8016ca85b50543b19e8e121ef16137967bdfa3ce660972922bafaeb",
            "aZgkZHxTDvZJsDWtN4dfyyZWkpgTgg60bdob9DOG8Mc=",
        ),
        (
            "{\"name\":\"Zoë 你好 🎉\"}".as_bytes(),
            "891e79f87b28f142646dbd6a567e650ee9375a5d22618c882800a14cba7210ad",
            "B84Gq1l8jtTXLpt+WnEWy6tSuCLcOJVn+FzBQK0kwZg=",
        ),
        (
            &[0xff, 0xfe, 0x00, 0x01],
            "2ddd6bb42fc14c62361311bdb9be50e1191e4864f488d3e4198909fdc37c93a2",
            "W7qjtYy0OS8D2qv5IwYEFRY3HRjC2noXdGSKRY1DGWs=",
        ),
        (
            b"{}\n",
            "f4e32319f97d57b43818f969062838dc021030f3219e78ef02e01ed64ec92fd3",
            "b4luQ7sANW6j/c87WLeEusvsXHX7GwoHgcS4WsCjynY=",
        ),
        (
            b"{}\r\n",
            "c48e1c22d2555caf98046e89a6010c9f894edc3e47b1ed8123026512d29c8874",
            "kJYsmVEC/O73X9i7Fnx68Xet7HN6gz+afuxa7OcuZeQ=",
        ),
        (
            b"\xef\xbb\xbf{}",
            "9ac2f0bd2a00ff3f497d0eb0aff7e93898873a7f1e0a5cf8033764c359f990cc",
            "c6GTItmAwbOx6p4W1z3UPeZOoWZFPBiNo46aigDIswc=",
        ),
        (
            br#"{"name":"Zo\u00eb"}"#,
            "a7c979db2c648217b56445fdfc2a77f42a3f5afeb55d20a65722d8bd99200d72",
            "STpdqv6Tj8bR9Q2hKTMz3nqIeQnZfNjnPaEUJiwfUKI=",
        ),
    ];
    for (body, own, base64) in vectors {
        assert_eq!(keys(K1).meeva(body), format!("sha256={own}"));
        assert_eq!(standard(K1, ID, TIME, body), format!("v1,{base64}"));
        assert_eq!(
            verify_meeva(&[secret(K1)], &format!("sha256={own}"), body),
            Ok(())
        );
    }
    let large = vec![b'a'; 204_800];
    assert_eq!(
        keys(K1).meeva(&large),
        "sha256=53889adb0b6e49f535ecdf79dbe17ff5969019ec2f7650ab0635d423514787a6"
    );
}

#[test]
fn keys_of_every_allowed_length_sign() {
    let vectors = [
        (
            24,
            "0a3c4b9bccfbb9e1",
            "OUtxUP5Xag/cdUG+rmAccLg9gRl8qpDVlxjxydxDv0Y=",
        ),
        (
            32,
            "985a3c96a281605f",
            "bXtchBV0Hi1flm60IFUb87JKA3d/Yvv8UoEjbNotegk=",
        ),
        (
            64,
            "e5fe264b398ffa93",
            "EHqybUpkRJtMeISQbotWEGd/fvMWKodrapCWNhIR790=",
        ),
    ];
    for (length, own, base64) in vectors {
        let text = format!("whsec_{}", STANDARD.encode((0..length).collect::<Vec<u8>>()));
        assert!(keys(&text).meeva(b"{}").starts_with(&format!("sha256={own}")));
        assert_eq!(
            standard(&text, "evt_1", 1_700_000_000, b"{}"),
            format!("v1,{base64}")
        );
    }
}

#[test]
fn meeva_signs_with_the_whole_text_and_nothing_less() {
    let with_decoded_bytes = meeva_value(keyed(&STANDARD.decode(&K1[6..]).unwrap()), BODY);
    assert!(with_decoded_bytes.starts_with("sha256=e2cb4f52"));
    let without_prefix = meeva_value(keyed(&K1.as_bytes()[6..]), BODY);
    assert!(without_prefix.starts_with("sha256=5ee0e8e3"));
    for other in [with_decoded_bytes, without_prefix] {
        assert_ne!(other, keys(K1).meeva(BODY));
        assert_eq!(
            verify_meeva(&[secret(K1)], &other, BODY),
            Err(VerifyError::NoMatch)
        );
    }
}
