//! The files of roots that the program is given: for receivers, and for a broker over `amqps://`.

use hookline_tests::endpoint::{Endpoint, endpoint};
use hookline_tests::hostile::certificates::{Authority, Identity};
use hookline_tests::hostile::{Peer, Talk};
use hookline_tests::services::services;
use hookline_tests::{Receiver, eventually, scenario, status};
use url::Url;

use crate::SOON;

#[tokio::test]
async fn c25_a_receiver_is_trusted_by_the_file_of_its_authority() {
    let authority = Authority::new("the receiver's");
    let acceptor = authority.vouch_for(&["127.0.0.1"]).acceptor();
    let peer = Peer::listen("127.0.0.1:0", Some(acceptor), Talk::be_kind).await;
    scenario(async |world| {
        std::fs::write(world.path("ca.pem"), authority.pem()).unwrap();
        world.endpoints([Endpoint::at("ep_crm", &peer.https_url("127.0.0.1"))]);
        world
            .dispatcher()
            .unset("HOOKLINE_ALLOW_HTTP")
            .set("HOOKLINE_CA_FILE", world.path("ca.pem").display().to_string())
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        world.is_settled_within(SOON).await;
        eventually(SOON, "it has come", async || (peer.posts() == 1).then_some(())).await;
    })
    .await;
}

/// The broker's plain port behind TLS, and its URL.
pub(crate) async fn broker_behind(identity: Identity) -> (Peer, String) {
    let plain: Url = services().amqp_url.parse().expect("an AMQP URL");
    let target = format!(
        "{}:{}",
        plain.host_str().expect("a host"),
        plain.port().unwrap_or(5672)
    );
    let peer = Peer::listen("127.0.0.1:0", Some(identity.acceptor()), move |talk| {
        let target = target.clone();
        async move { talk.carry_to(&target).await }
    })
    .await;
    let url = services().amqp_url.replacen("amqp://", "amqps://", 1).replacen(
        &format!(":{}", plain.port().unwrap_or(5672)),
        &format!(":{}", peer.port()),
        1,
    );
    (peer, url)
}

#[tokio::test]
async fn a_broker_over_amqps_is_trusted_by_the_file_of_its_authority() {
    let authority = Authority::new("the broker's");
    let (broker, url) = broker_behind(authority.vouch_for(&["127.0.0.1"])).await;
    scenario(async |world| {
        std::fs::write(world.path("ca.pem"), authority.pem()).unwrap();
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", url)
            .set(
                "HOOKLINE_AMQP_CA_FILE",
                world.path("ca.pem").display().to_string(),
            )
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        receiver.expect_one(SOON).await;
        assert!(!broker.server_names().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_broker_over_amqps_that_proves_nothing_is_not_talked_to_and_the_log_says_why() {
    scenario(async |world| {
        let authority = Authority::new("the broker's");
        std::fs::write(world.path("ca.pem"), authority.pem()).unwrap();
        world.endpoints([]);
        for (identity, ca_file, reason) in [
            (authority.vouch_for(&["127.0.0.1"]), None, "UnknownIssuer"),
            (
                authority.vouch_for(&["broker.example.com"]),
                Some("ca.pem"),
                "not valid for name",
            ),
            (authority.vouched_for(&["127.0.0.1"]), Some("ca.pem"), "expired"),
        ] {
            let (broker, url) = broker_behind(identity).await;
            let mut setup = world.dispatcher().set("HOOKLINE_AMQP_URL", url);
            if let Some(file) = ca_file {
                setup = setup.set("HOOKLINE_AMQP_CA_FILE", world.path(file).display().to_string());
            }
            let dispatcher = setup.launch();
            let line = dispatcher.says(reason, SOON).await;
            assert!(!line.contains("guest:guest"), "{line}");
            assert!(!dispatcher.is_ready().await);
            assert_eq!(broker.bytes(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_file_of_roots_that_holds_none_is_refused_at_the_start() {
    scenario(async |world| {
        world.endpoints([]);
        let path = world.path("ca.pem").display().to_string();
        for text in [
            "",
            "no certificate",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(&path, text).unwrap();
            let dispatcher = world.dispatcher().set("HOOKLINE_CA_FILE", path.clone()).launch();
            assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(2), "{text:?}");
            dispatcher.says("HOOKLINE_CA_FILE", SOON).await;
        }
    })
    .await;
}
