//! Whatever a name server answers, or does not.

use hookline_common::outcome::Outcome;
use hookline_tests::eventually;
use hookline_tests::hostile::names::Record;
use hookline_tests::hostile::rig::{AT_ONCE, LONG, SHORT, TOLERANCE, resolver};
use hookline_tests::hostile::{NameServer, Reply, Rig, Talk, a, aaaa, cname};
use tokio::task::JoinSet;

use super::tables::{REFUSED_V4, REFUSED_V6};
use super::{BAD, BLOCKED, GOOD, NAME, good_and_bad, rig, rules, url};
use crate::SOON;

/// What one attempt at `NAME` ends in, where the server says this.
async fn assert_blocked(records: Vec<Record>) {
    let what = format!("{records:?}");
    let names = NameServer::knowing(records).await;
    let (good, bad) = good_and_bad(Talk::be_kind).await;
    let tried = rig(&names, LONG).attempt(&url(NAME, &good)).await;
    assert_eq!(tried.end(), ("blocked", None), "{what}");
    assert_eq!(tried.error(), BLOCKED, "the owner learns nothing of our network");
    assert!(tried.paced < AT_ONCE, "{what}: {tried:?}");
    assert_eq!((good.connections(), bad.connections()), (0, 0), "{what}");
}

#[tokio::test]
async fn b54_a_name_with_an_address_that_is_not_allowed_is_blocked() {
    for address in REFUSED_V4.iter().filter(|address| **address != GOOD) {
        assert_blocked(vec![a(NAME, address)]).await;
    }
    for address in REFUSED_V6 {
        assert_blocked(vec![aaaa(NAME, address)]).await;
    }
}

#[tokio::test]
async fn b55_one_bad_address_refuses_the_whole_answer() {
    assert_blocked(vec![a(NAME, GOOD), a(NAME, BAD)]).await;
    assert_blocked(vec![a(NAME, BAD), a(NAME, GOOD)]).await;
    assert_blocked(vec![a(NAME, GOOD), aaaa(NAME, "fd00::1")]).await;
    assert_blocked(vec![a(NAME, GOOD), aaaa(NAME, "::ffff:127.0.0.2")]).await;
    assert_blocked(vec![a(NAME, "10.0.0.1"), aaaa(NAME, "2606:4700:4700::1111")]).await;
    let mut many: Vec<_> = (0..20).map(|_| a(NAME, GOOD)).collect();
    many.push(a(NAME, BAD));
    assert_blocked(many).await;
}

#[tokio::test]
async fn b56_another_name_leads_nowhere_that_its_addresses_may_not() {
    assert_blocked(vec![cname(NAME, "localhost")]).await;
    assert_blocked(vec![cname(NAME, "x.localhost")]).await;
    assert_blocked(vec![cname(NAME, "db.internal"), a("db.internal", "10.0.0.1")]).await;
    assert_blocked(vec![
        cname(NAME, "a.example.net"),
        a("a.example.net", GOOD),
        a("a.example.net", BAD),
    ])
    .await;
    assert_blocked(chain(12, BAD)).await;
}

/// `NAME` is another name of another name …, and the last one has this address.
fn chain(length: usize, address: &str) -> Vec<Record> {
    let name = |link: usize| {
        if link == 0 {
            NAME.to_owned()
        } else {
            format!("l{link}.example.net")
        }
    };
    let mut records: Vec<_> = (0..length)
        .map(|link| cname(&name(link), &name(link + 1)))
        .collect();
    records.push(a(&name(length), address));
    records
}

#[tokio::test]
async fn b56_a_chain_told_link_by_link_and_a_loop_are_given_up_soon() {
    let looped = vec![cname(NAME, "b.example.net"), cname("b.example.net", NAME)];
    let selfish = vec![cname(NAME, NAME)];
    for records in [chain(12, BAD), chain(200, GOOD), looped, selfish] {
        let records_there = records.clone();
        // One link for each question.
        let names = NameServer::start(move |question, _| {
            let mut here = records_there.clone();
            here.retain(|record| record.name() == question.name);
            if here.is_empty() {
                Reply::Code(3)
            } else {
                Reply::Records(here)
            }
        })
        .await;
        let (good, bad) = good_and_bad(Talk::be_kind).await;
        let tried = rig(&names, LONG).attempt(&url(NAME, &good)).await;
        assert!(
            matches!(tried.record.outcome, Outcome::DnsError | Outcome::Blocked),
            "{tried:?}"
        );
        assert!(tried.paced < AT_ONCE, "{tried:?}");
        assert!(names.asked().len() <= 40, "{} questions", names.asked().len());
        assert_eq!((good.connections(), bad.connections()), (0, 0));
    }
    // The whole loop in one answer.
    let names = NameServer::knowing(vec![cname(NAME, "b.example.net"), cname("b.example.net", NAME)]).await;
    let tried = rig(&names, LONG).attempt(&format!("http://{NAME}/")).await;
    assert_eq!(tried.end(), ("dns_error", None), "{tried:?}");
    assert!(tried.paced < AT_ONCE && names.asked().len() <= 40, "{tried:?}");
}

#[tokio::test]
async fn b61_where_the_name_servers_have_no_answer_it_is_a_dns_error_without_their_reason() {
    for reply in [
        Reply::Code(3),
        Reply::Code(2),
        Reply::Code(5),
        Reply::Records(Vec::new()),
    ] {
        let there = reply.clone();
        let names = NameServer::start(move |_, _| there.clone()).await;
        let tried = rig(&names, LONG).attempt(&format!("http://{NAME}/")).await;
        assert_eq!(tried.end(), ("dns_error", None), "{reply:?}: {tried:?}");
        assert_eq!(
            tried.error(),
            "no usable answer from the name servers",
            "{reply:?}"
        );
        assert!(tried.paced < AT_ONCE, "{reply:?}: {tried:?}");
        assert!(
            names.asked().len() <= 12,
            "{reply:?}: {} questions",
            names.asked().len()
        );
    }
}

#[tokio::test]
async fn b61_where_the_name_servers_are_away_or_talk_nonsense_it_is_a_dns_error_in_time() {
    let silent = NameServer::start(|_, _| Reply::Nothing).await;
    let noisy = NameServer::start(|_, _| Reply::Noise).await;
    let away = Rig::with(rules(), resolver(9, &[]), None, SHORT);
    for rig in [rig(&silent, SHORT), rig(&noisy, SHORT), away] {
        let tried = rig.attempt(&format!("http://{NAME}/")).await;
        assert_eq!(tried.end(), ("dns_error", None), "{tried:?}");
        assert_eq!(tried.error(), "no usable answer from the name servers");
        assert!(tried.paced <= SHORT + TOLERANCE, "{tried:?}");
    }
}

#[tokio::test]
async fn b61_an_answer_of_one_family_is_an_answer() {
    for (kind, reply) in [
        ("AAAA", Reply::Code(2)),
        ("AAAA", Reply::Code(3)),
        ("AAAA", Reply::Records(Vec::new())),
    ] {
        let names = NameServer::start(move |question, _| {
            if question.kind == kind {
                reply.clone()
            } else {
                Reply::Records(vec![a(NAME, GOOD)])
            }
        })
        .await;
        let (good, _bad) = good_and_bad(Talk::be_kind).await;
        let tried = rig(&names, LONG).attempt(&url(NAME, &good)).await;
        assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
    }
}

#[tokio::test]
async fn b61_names_that_hang_hold_up_no_other() {
    const HUNG: usize = 100;
    let names = NameServer::start(
        |question, _| match (question.name.as_str(), question.kind.as_str()) {
            (NAME, "A") => Reply::Records(vec![a(NAME, GOOD)]),
            (NAME, _) => Reply::Records(Vec::new()),
            _ => Reply::Nothing,
        },
    )
    .await;
    let (good, _bad) = good_and_bad(Talk::be_kind).await;
    let rig = rig(&names, LONG);
    let mut hanging = JoinSet::new();
    // As many as have places to be waited for, beside so many connections.
    for number in 0..HUNG {
        let rig = rig.clone();
        hanging.spawn(async move { rig.attempt(&format!("http://h{number}.example.org/")).await });
    }
    eventually(SOON, "all of them are asked for", async || {
        (names.asked().len() >= 2 * HUNG).then_some(())
    })
    .await;
    let tried = rig.attempt(&url(NAME, &good)).await;
    assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
    assert!(tried.paced < AT_ONCE, "{tried:?}");
    assert!(
        hanging.try_join_next().is_none(),
        "they hang, and are not turned away"
    );
}

#[tokio::test]
async fn b53_b62_a_name_is_asked_for_as_it_stands() {
    let names = NameServer::start(|question, _| {
        // Only with a search domain is there something to be found.
        if question.name == NAME {
            Reply::Code(3)
        } else {
            Reply::Records(vec![a(&question.name, GOOD)])
        }
    })
    .await;
    let resolver = resolver(names.port(), &["corp.example.com", "example.org"]);
    let rig = Rig::with(rules(), resolver, None, LONG);
    let tried = rig.attempt(&format!("http://{NAME}/")).await;
    assert_eq!(tried.end(), ("dns_error", None), "{tried:?}");
    assert!(
        names.asked().iter().all(|question| question.name == NAME),
        "{:?}",
        names.asked()
    );
}
