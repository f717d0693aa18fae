//! How others know that it is from us: the published libraries of Standard Webhooks verify what came over the wire, and
//! what they sign is verified by us.

pub(crate) mod library; // the published libraries, installed and asked

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use hookline_common::secret::Secret;
use hookline_common::signature::{VerifyError, verify_standard};
use hookline_producer::Data;
use hookline_tests::endpoint::endpoint;
use hookline_tests::{Receiver, World, scenario, status};
use serde_json::{Value, json};

use self::library::libraries;
use crate::SOON;

/// A message with its signature.
#[derive(Clone)]
struct Signed {
    id: String,
    timestamp: String,
    body: Vec<u8>,
    signature: String,
}

impl Signed {
    fn question(&self, secret: &str) -> Value {
        json!({
            "secret": secret, "id": self.id, "timestamp": self.timestamp, "signature": self.signature,
            "body": STANDARD.encode(&self.body),
        })
    }

    /// Everything that a signature covers, and itself, changed a little: what each is called, and what came of it.
    fn tampered(&self) -> Vec<(&'static str, Self)> {
        let timestamp: i64 = self.timestamp.parse().unwrap();
        let change = |what: &'static str, change: fn(&mut Self)| {
            let mut changed = self.clone();
            change(&mut changed);
            (what, changed)
        };
        let mut all = vec![
            change("another id", |it| it.id.push('x')),
            change("another body", |it| it.body[0] = b'['),
            change("a longer body", |it| it.body.push(b'\n')),
            change("another signature", |it| {
                let other = |value: &str| {
                    value.replacen("v1,", if value.starts_with("v1,A") { "v1,B" } else { "v1,A" }, 1)
                };
                let values: Vec<String> = it.signature.split(' ').map(other).collect();
                it.signature = values.join(" ");
            }),
            change("another version", |it| {
                it.signature = it.signature.replace("v1,", "v2,")
            }),
        ];
        for (what, timestamp) in [
            ("a later time", timestamp + 1),
            ("another hour", timestamp - 3600),
        ] {
            let timestamp = timestamp.to_string();
            all.push((
                what,
                Self {
                    timestamp,
                    ..self.clone()
                },
            ));
        }
        all
    }

    fn verify(&self, secrets: &[String]) -> Result<(), VerifyError> {
        let secrets: Vec<Secret> = secrets
            .iter()
            .map(|secret| Secret::parse(secret).unwrap())
            .collect();
        let now = jiff::Timestamp::now().as_second();
        verify_standard(
            &secrets,
            &self.id,
            &self.timestamp,
            &self.signature,
            &self.body,
            now,
        )
    }
}

/// A secret with a key of that many bytes. Its base64 has every kind of character.
fn secret(bytes: u8) -> String {
    let key: Vec<u8> = (0..bytes).map(|byte| byte.wrapping_mul(37) ^ 0xfb).collect();
    format!("whsec_{}", STANDARD.encode(key))
}

/// Nobody's secret.
const STRANGER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// What may be in data: nothing, what libraries write in another way, every length of UTF-8, as much as is allowed.
fn contents() -> [String; 4] {
    let longest = "ü€🎉".repeat(Data::MAX_BYTES / 9);
    let longest = format!(
        r#"{{"a":"{longest}{}"}}"#,
        "x".repeat(Data::MAX_BYTES - 8 - longest.len())
    );
    assert_eq!(longest.len(), Data::MAX_BYTES);
    [
        "{}".to_owned(),
        "{ \"n\":1.0,\"e\":\"\\u00eb \\/\",\n\t\"twice\":1,\"twice\":2 }\r\n".to_owned(),
        "{\"name\":\"Zoë 你好 🎉\",\"unseen\":\"\u{feff}\u{200b}\u{202e}\u{2028}\"}".to_owned(),
        longest,
    ]
}

/// What came over the wire: each content at endpoints with keys of each length, with those secrets that should verify.
async fn deliveries(world: &World) -> Vec<(Signed, Vec<String>)> {
    let (short, usual, long) = (secret(24), secret(32), secret(64));
    let mut receivers = Vec::new();
    let mut endpoints = Vec::new();
    for (id, format, secret, previous) in [
        ("ep_short", "standard", &short, None),
        ("ep_usual", "meeva", &usual, None),
        ("ep_long", "meetergo", &long, None),
        ("ep_rotates", "standard", &usual, Some(&short)),
        ("ep_rotates_back", "meetergo-flat", &short, Some(&long)),
    ] {
        let receiver = Receiver::answering(status(200)).await;
        let mut endpoint = endpoint(id, &receiver)
            .text("format", format)
            .text("secret", secret);
        if let Some(previous) = previous {
            endpoint = endpoint.text("previous_secret", previous);
        }
        endpoints.push(endpoint);
        let secrets: Vec<String> = [Some(secret), previous].into_iter().flatten().cloned().collect();
        receivers.push((receiver, secrets));
    }
    world.endpoints(endpoints);
    world.dispatcher().start().await;
    let contents = contents();
    for content in &contents {
        world.publish("booking.created", content).await;
    }
    let mut all = Vec::new();
    for (receiver, secrets) in &receivers {
        for request in receiver.expect(contents.len(), SOON).await {
            let signature = request.header("webhook-signature").to_owned();
            assert_eq!(signature.split(' ').count(), secrets.len(), "{signature}");
            let signed = Signed {
                id: request.id().to_owned(),
                timestamp: request.header("webhook-timestamp").to_owned(),
                body: request.body.to_vec(),
                signature,
            };
            all.push((signed, secrets.clone()));
        }
    }
    all
}

/// Questions to verify, each with what it is about and whether the answer should be yes.
fn to_be_verified(deliveries: &[(Signed, Vec<String>)]) -> Vec<(String, Value, bool)> {
    let mut all = Vec::new();
    for (signed, secrets) in deliveries {
        let about = |what: &str| format!("{what}, {} secrets, {} bytes", secrets.len(), signed.body.len());
        for secret in secrets {
            all.push((about("as it came"), signed.question(secret), true));
        }
        all.push((about("a stranger's secret"), signed.question(STRANGER), false));
        for (what, changed) in signed.tampered() {
            all.push((about(what), changed.question(&secrets[0]), false));
        }
    }
    all
}

/// What a library is to sign, with each length of key. The signatures are still to come.
fn to_be_signed() -> Vec<(Signed, String)> {
    let timestamp = jiff::Timestamp::now().as_second().to_string();
    let mut all = Vec::new();
    for bytes in [24, 32, 64] {
        for (number, content) in contents().into_iter().enumerate() {
            let signed = Signed {
                id: format!("msg_{bytes}-{number}"),
                timestamp: timestamp.clone(),
                body: content.into_bytes(),
                signature: String::new(),
            };
            all.push((signed, secret(bytes)));
        }
    }
    all
}

#[tokio::test]
async fn published_libraries_verify_what_we_send_and_we_verify_what_they_sign() {
    // First, because it may take longer than a signature is valid.
    let libraries = libraries().await;
    if libraries.is_empty() {
        return;
    }
    scenario(async |world| {
        let (verify, sign) = (to_be_verified(&deliveries(world).await), to_be_signed());
        let mut questions: Vec<Value> = verify.iter().map(|(_, question, _)| question.clone()).collect();
        for (signed, secret) in &sign {
            let mut question = signed.question(secret);
            question.as_object_mut().unwrap().remove("signature");
            questions.push(question);
        }
        let answers = join_all(libraries.iter().map(|library| library.ask(&questions))).await;
        for (library, answers) in libraries.iter().zip(answers) {
            let name = format!("{} for {}", library.name, library.runs);
            let (verdicts, signatures) = answers.split_at(verify.len());
            for ((about, _, wanted), verdict) in verify.iter().zip(verdicts) {
                assert_eq!(verdict["verified"], *wanted, "{name}: {about}");
            }
            for ((unsigned, secret), answer) in sign.iter().zip(signatures) {
                let signature = answer["signature"].as_str().unwrap().to_owned();
                we_verify(
                    &name,
                    &Signed {
                        signature,
                        ..unsigned.clone()
                    },
                    secret,
                );
            }
        }
    })
    .await;
}

/// With its secret, alone or among others, and among other signatures; and no other way.
fn we_verify(name: &str, signed: &Signed, secret: &str) {
    let (secret, stranger) = (secret.to_owned(), STRANGER.to_owned());
    assert_eq!(
        signed.verify(std::slice::from_ref(&secret)),
        Ok(()),
        "{name}: {}",
        signed.id
    );
    assert_eq!(
        signed.verify(&[stranger.clone(), secret.clone()]),
        Ok(()),
        "{name}: {}",
        signed.id
    );
    let among_others = Signed {
        signature: format!("v1a,AAAA v1,AAAA {}", signed.signature),
        ..signed.clone()
    };
    assert_eq!(
        among_others.verify(std::slice::from_ref(&secret)),
        Ok(()),
        "{name}: {}",
        signed.id
    );
    assert_eq!(
        signed.verify(&[stranger]),
        Err(VerifyError::NoMatch),
        "{name}: {}",
        signed.id
    );
    for (what, changed) in signed.tampered() {
        let verdict = changed.verify(std::slice::from_ref(&secret));
        let is_refused = match what {
            "another hour" => matches!(verdict, Err(VerifyError::TooOld { .. })),
            _ => verdict == Err(VerifyError::NoMatch),
        };
        assert!(is_refused, "{name}: {}, {what}: {verdict:?}", signed.id);
    }
}
