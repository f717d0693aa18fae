//! The same in a network where every address on earth is this machine and the kernel counts: not a connection, not a
//! packet, and none of the machine's own files about names.

use std::net::IpAddr;
use std::time::Duration;

use hookline_certify::{CertifyError, Partner, play};
use hookline_common::endpoint::Format;
use hookline_common::outcome::Outcome;
use hookline_dispatcher::client::Resolver;
use hookline_tests::hostile::namespace::{self, Counts};
use hookline_tests::hostile::rig::{LONG, policy};
use hookline_tests::hostile::{NameServer, Peer, Reply, Rig, Talk, a, aaaa};

use super::tables::{ALLOWED_V4, ALLOWED_V6, REFUSED_SPELLINGS, REFUSED_V4, REFUSED_V6};
use super::{GOOD, NAME, good_and_bad, literal, once, url};
use crate::SOON;

#[tokio::test]
async fn b54_where_every_address_is_ours_not_a_packet_leaves_for_a_refused_one() {
    if !namespace::is_inside() {
        let this =
            "guard_connect::nowhere::b54_where_every_address_is_ours_not_a_packet_leaves_for_a_refused_one";
        return namespace::run_inside(this).await;
    }
    let names = NameServer::start(|question, _| {
        // v4-10-0-0-1.example.com and v6-fd00--1.example.com say themselves where they are.
        let host = question.name.trim_end_matches(".example.com");
        match (
            host.strip_prefix("v4-"),
            host.strip_prefix("v6-"),
            question.kind.as_str(),
        ) {
            (Some(text), _, "A") => Reply::Records(vec![a(&question.name, &text.replace('-', "."))]),
            (_, Some(text), "AAAA") => Reply::Records(vec![aaaa(&question.name, &text.replace('-', ":"))]),
            _ => Reply::Records(Vec::new()),
        }
    })
    .await;
    let everywhere = Peer::listen("[::]:8080", None, once).await;
    let rig = Rig::with(policy(&[]), names.resolver(), None, LONG);

    // The oracle sees what there is to be seen.
    for address in ALLOWED_V4.iter().chain(ALLOWED_V6) {
        let before = Counts::now();
        let status = rig.past_the_url_rule(&url(&literal(address), &everywhere)).await;
        assert_eq!(status.ok(), Some(200), "{address}");
        let after = Counts::now();
        assert_eq!(after.connects - before.connects, 1, "{address}");
        assert!(after.packets > before.packets, "{address}");
    }
    let heard = everywhere.connections();
    assert_eq!(heard, ALLOWED_V4.len() + ALLOWED_V6.len());

    // Literal addresses: not a packet of any kind.
    everywhere.is_left(heard, SOON).await;
    everywhere_is_quiet().await;
    let before = Counts::now();
    for address in REFUSED_V4.iter().chain(REFUSED_V6) {
        let url = url(&literal(address), &everywhere);
        let failure = rig.past_the_url_rule(&url).await.expect_err(address);
        assert_eq!(failure.outcome, Outcome::Blocked, "{address}");
        assert_eq!(rig.attempt(&url).await.end(), ("blocked", None), "{address}");
        assert_eq!(Counts::now(), before, "{address}: a packet was sent");
    }

    // Names: the questions for them, and not one connection.
    for address in REFUSED_V4.iter().chain(REFUSED_V6) {
        let written: IpAddr = address.parse().unwrap();
        let name = match written {
            IpAddr::V4(_) => format!("v4-{}.example.com", address.replace('.', "-")),
            IpAddr::V6(v6) => {
                let groups: Vec<_> = v6.segments().iter().map(|group| format!("{group:x}")).collect();
                format!("v6-{}.example.com", groups.join("-"))
            }
        };
        let tried = rig.attempt(&url(&name, &everywhere)).await;
        assert_eq!(tried.end(), ("blocked", None), "{name}: {tried:?}");
    }
    for host in REFUSED_SPELLINGS {
        assert_eq!(
            rig.attempt(&url(host, &everywhere)).await.end(),
            ("blocked", None),
            "{host}"
        );
        let url = url(host, &everywhere);
        if url.parse::<hyper::Uri>().is_ok() {
            rig.past_the_url_rule(&url).await.expect_err(host);
        }
    }
    assert_eq!(
        Counts::now().connects,
        before.connects,
        "somebody was connected to"
    );
    assert_eq!(everywhere.connections(), heard);
    agrees_with_the_guard(&rig, &everywhere).await;
}

/// Waits until connections that are being closed have said their last packet.
async fn everywhere_is_quiet() {
    let mut before = Counts::now();
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = Counts::now();
        if now == before {
            return;
        }
        before = now;
    }
}

/// Addresses from everywhere: one connection where the guard lets it, none where not.
async fn agrees_with_the_guard(rig: &Rig, everywhere: &Peer) {
    let guard = policy(&[]);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..1_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let address = IpAddr::from(((random >> 32) as u32).to_be_bytes());
        let is_allowed = guard.check_address(address).is_ok();
        let before = Counts::now();
        let result = rig
            .past_the_url_rule(&url(&address.to_string(), everywhere))
            .await;
        assert_eq!(
            Counts::now().connects - before.connects,
            u64::from(is_allowed),
            "{address}"
        );
        assert_eq!(result.is_ok(), is_allowed, "{address}: {result:?}");
    }
}

#[tokio::test]
async fn b62_the_machine_s_hosts_file_and_search_list_are_not_consulted() {
    if !namespace::is_inside() {
        let this = "guard_connect::nowhere::b62_the_machine_s_hosts_file_and_search_list_are_not_consulted";
        return namespace::run_inside(this).await;
    }
    let names = NameServer::listen("127.0.0.1:53", |question, _| match question.name.as_str() {
        NAME => Reply::Records(vec![a(NAME, GOOD)]),
        name if name.ends_with(".search.example.com") => Reply::Records(vec![a(name, GOOD)]),
        _ => Reply::Code(3),
    })
    .await;
    let (good, _bad) = good_and_bad(Talk::be_kind).await;
    let rig = Rig::with(
        policy(&["127.0.0.0/8"]),
        Resolver::from_system().unwrap(),
        None,
        LONG,
    );
    assert_eq!(
        rig.attempt(&url(NAME, &good)).await.end(),
        ("delivered", Some(200)),
        "resolv.conf is read"
    );
    for name in ["only-in-hosts.example.com", "nowhere.example.com", "a.b"] {
        let tried = rig.attempt(&url(name, &good)).await;
        assert_eq!(tried.end(), ("dns_error", None), "{name}: {tried:?}");
        assert!(
            names.asked().iter().any(|question| question.name == name),
            "{name}"
        );
    }
    let searched = names
        .asked()
        .iter()
        .any(|question| question.name.contains("search"));
    assert!(!searched, "{:?}", names.asked());
}

#[tokio::test]
async fn a_certificate_tells_an_address_that_a_name_has_from_one_that_stands_in_the_url() {
    if !namespace::is_inside() {
        let this = "guard_connect::nowhere::a_certificate_tells_an_address_that_a_name_has_from_one_that_stands_in_the_url";
        return namespace::run_inside(this).await;
    }
    let names = NameServer::listen("127.0.0.1:53", |question, _| match question.kind.as_str() {
        "A" => Reply::Records(vec![a(&question.name, "10.3.4.5")]),
        _ => Reply::Records(Vec::new()),
    })
    .await;
    let before = Counts::now().connects;
    let ended = async |url: &str| {
        let partner = Partner {
            url: url.to_owned(),
            format: Format::Standard,
            keys: None,
            verifies: false,
            headers: Vec::new(),
            policy: policy(&[]),
            ca_pem: None,
            proxy: None,
            timeout: LONG,
            pause: Duration::ZERO,
            within: None,
        };
        play(&partner, |_| {}).await.map(|_| ())
    };
    let of_name = ended(&format!("http://{NAME}/")).await;
    assert!(
        matches!(of_name, Err(CertifyError::AddressRefused(_))),
        "{of_name:?}"
    );
    assert!(!names.asked().is_empty());
    let of_literal = ended("http://10.3.4.5/").await;
    assert!(
        matches!(of_literal, Err(CertifyError::Refused(_))),
        "{of_literal:?}"
    );
    assert_eq!(Counts::now().connects, before, "somebody was connected to");
}
