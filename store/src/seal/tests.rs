//! What is sealed is opened in its place alone, whole, and under a key that is there.

use super::*;

const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const TWO: &str = "ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const HERE: Place<'static> = Place {
    company: "acme",
    endpoint: "ep_crm",
    purpose: "secret",
};

fn ring(keys: &str) -> Keyring {
    Keyring::parse(keys).unwrap()
}

#[test]
fn what_is_sealed_can_be_opened_and_is_never_the_same_twice() {
    let ring = ring(ONE);
    let blob = ring.seal(HERE, b"whsec_x").unwrap();
    assert_eq!(ring.open(HERE, &blob).unwrap().as_slice(), b"whsec_x");
    assert_ne!(blob, ring.seal(HERE, b"whsec_x").unwrap());
}

#[test]
fn every_bit_matters_and_every_length() {
    let ring = ring(ONE);
    let blob = ring.seal(HERE, b"whsec_x").unwrap();
    for at in 0..blob.len() {
        for bit in 0..8 {
            let mut changed = blob.clone();
            changed[at] ^= 1 << bit;
            assert!(ring.open(HERE, &changed).is_err(), "byte {at}, bit {bit}");
        }
        assert!(ring.open(HERE, &blob[..at]).is_err(), "{at} bytes");
    }
    let longer = [blob.as_slice(), b"x"].concat();
    assert_eq!(ring.open(HERE, &longer).unwrap_err(), SealError::Damaged);
}

#[test]
fn elsewhere_it_cannot_be_opened() {
    let ring = ring(ONE);
    let blob = ring.seal(HERE, b"whsec_x").unwrap();
    for elsewhere in [
        Place {
            company: "globex",
            ..HERE
        },
        Place {
            endpoint: "ep_other",
            ..HERE
        },
        Place {
            purpose: "previous_secret",
            ..HERE
        },
        // The same letters in a row, split elsewhere.
        Place {
            company: "acmee",
            endpoint: "p_crm",
            ..HERE
        },
    ] {
        assert_eq!(ring.open(elsewhere, &blob).unwrap_err(), SealError::Damaged);
    }
}

#[test]
fn the_newest_key_seals_and_an_older_one_still_opens_until_it_is_taken_away() {
    let old = ring(ONE).seal(HERE, b"x").unwrap();
    let both = ring(&format!("{TWO}, {ONE}"));
    assert!(!both.is_newest(&old));
    assert_eq!(both.open(HERE, &old).unwrap().as_slice(), b"x");
    let new = both.seal(HERE, b"x").unwrap();
    assert!(both.is_newest(&new));
    assert_eq!(ring(TWO).open(HERE, &new).unwrap().as_slice(), b"x");
    let gone = ring(TWO).open(HERE, &old).unwrap_err();
    let id = hex(&key_id(&old).unwrap());
    assert!(gone.to_string().contains(&id), "{gone}");
}

#[test]
fn keys_that_are_none_are_refused_without_being_shown() {
    let zero = STANDARD.encode([0; 32]);
    let short = STANDARD.encode([7; 31]);
    for bad in [
        "",
        ",",
        &format!("{ONE},"),
        "not base64!",
        &short,
        &zero,
        &format!("{ONE},{ONE}"),
        &ONE[1..],
    ] {
        let told = Keyring::parse(bad).unwrap_err().to_string();
        assert!(bad.len() < 5 || !told.contains(&bad[..5]), "{told}");
    }
    assert_eq!(format!("{:?}", ring(ONE)), "Keyring(***)");
}

#[test]
fn a_blob_of_any_bytes_is_refused_and_never_a_panic() {
    let ring = ring(ONE);
    let blob = ring.seal(HERE, b"").unwrap();
    assert_eq!(ring.open(HERE, &blob).unwrap().as_slice(), b"");
    for length in 0..=blob.len() {
        for byte in [0, 1, VERSION, 0xff] {
            assert!(
                ring.open(HERE, &vec![byte; length]).is_err(),
                "{length} of {byte}"
            );
        }
    }
    // The ids of two blobs exchanged, and their nonces.
    let other = ring.seal(HERE, b"whsec_y").unwrap();
    let crossed = [&other[..HEAD_BYTES], &blob[HEAD_BYTES..]].concat();
    assert_eq!(ring.open(HERE, &crossed).unwrap_err(), SealError::Damaged);
}
