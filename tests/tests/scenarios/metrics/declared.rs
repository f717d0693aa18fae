//! What a dispatcher and a console at work show is what is declared, all of it and nothing else of ours; and the document is made
//! of the declarations.

use std::collections::BTreeSet;
use std::process::Stdio;

use hookline_common::metrics::{Kind, Metric, Program, all};
use hookline_producer::Event;
use hookline_tests::console::database_scenario;
use hookline_tests::dispatcher::{Dispatcher, program};
use hookline_tests::endpoint::SECRET;
use hookline_tests::eventually;
use hookline_tests::hostile::not_run;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{Shown, at_work, file, programs};
use crate::SOON;

#[tokio::test]
async fn the_document_is_what_the_declarations_make() {
    let printed = Command::new(program("hookline-console"))
        .arg("metrics")
        .output()
        .await
        .unwrap();
    assert!(printed.status.success());
    assert!(
        String::from_utf8(printed.stdout).unwrap() == file("docs/METRICS.md"),
        "docs/METRICS.md is out of date: run `target/debug/hookline-console metrics > docs/METRICS.md`"
    );
}

#[tokio::test]
async fn programs_at_work_show_all_that_is_declared_and_nothing_else_of_ours() {
    database_scenario(async |world, database| {
        let installation = at_work(world, database).await;
        let (console, dispatcher) = (&installation.console, &installation.dispatcher);
        console
            .admin()
            .get("/v1/companies/acme/endpoints")
            .await
            .expect(200);
        for (program, process) in [
            (Program::Dispatcher, dispatcher.as_ref()),
            (Program::Console, console.process().as_ref()),
        ] {
            let page = shows_all(process, &all(program)).await;
            is_as_declared(&Shown::read(&page), &all(program));
            promtool_likes(&page).await;
        }
    })
    .await;
}

/// Who scrapes learns nothing of tenants, and however many there are, there are no more series.
#[tokio::test]
async fn no_series_tells_of_a_company_an_endpoint_an_event_an_address_or_a_secret_and_none_is_made_for_one() {
    const COMPANIES: usize = 20;
    database_scenario(async |world, database| {
        let installation = at_work(world, database).await;
        let (console, receiver) = (&installation.console, &installation.receiver);
        let processes = [installation.dispatcher.as_ref(), console.process().as_ref()];
        let series = async || {
            let mut all = BTreeSet::new();
            for process in processes {
                let page = process.get("/metrics").await.unwrap().body;
                let lines = page.lines().filter(|line| line.starts_with("hookline_"));
                all.extend(lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()));
            }
            all
        };
        // What is looked up every few seconds is there by then.
        console
            .admin()
            .get("/v1/companies/acme/endpoints")
            .await
            .expect(200);
        for (program, process) in [Program::Dispatcher, Program::Console].into_iter().zip(processes) {
            shows_all(process, &all(program)).await;
        }
        let (before, taken) = (series().await, receiver.count());
        for number in 0..COMPANIES {
            let company = format!("tenant{number}");
            let endpoint = json!({"url": receiver.url(), "id": format!("ep_of{number}"), "secret": SECRET});
            console.register(&company, &endpoint).await;
            let event = Event::new(&company, "booking.created", "{}").unwrap();
            world.producer().await.publish(&event).await.unwrap();
        }
        receiver.expect(taken + COMPANIES, SOON).await;
        eventually(SOON, "all of it is recorded", async || {
            let written = console
                .process()
                .metric("hookline_log_records_written_total")
                .await?;
            (written as usize >= 5 + COMPANIES).then_some(())
        })
        .await;
        let after = series().await;
        // A few kinds of things may have happened for the first time.
        let new: Vec<_> = after.difference(&before).collect();
        assert!(new.len() < COMPANIES / 2, "{new:#?}");
        for labels in after
            .iter()
            .filter_map(|line| line.split_once('{'))
            .map(|(_, labels)| labels)
        {
            for told in ["acme", "tenant", "ep_", "evt_", "://", "127.0.0.1", "whsec_"] {
                assert!(!labels.contains(told), "{told} in {labels}");
            }
        }
    })
    .await;
}

/// Waits until all of them are there: some are looked up every few seconds.
async fn shows_all(process: &Dispatcher, declared: &[&Metric]) -> String {
    let mut missing = Vec::new();
    let what = format!("all of {} metrics", declared.len());
    let page = eventually(SOON, &what, async || {
        let page = process.get("/metrics").await.ok()?.body;
        missing = declared
            .iter()
            .map(|metric| metric.prometheus_name())
            .filter(|name| !has_sample(&page, name))
            .collect();
        (missing.is_empty()).then_some(page)
    });
    page.await
}

fn has_sample(page: &str, name: &str) -> bool {
    page.lines().any(|line| {
        line.strip_prefix(name).is_some_and(|rest| {
            let rest = rest.strip_prefix("_count").unwrap_or(rest);
            rest.starts_with([' ', '{'])
        })
    })
}

fn is_as_declared(shown: &Shown, declared: &[&Metric]) {
    for (name, (kind, help)) in &shown.metrics {
        if !name.starts_with("hookline_") {
            continue;
        }
        let metric = declared.iter().find(|metric| metric.prometheus_name() == *name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is shown and not declared"));
        assert_eq!(kind, metric.prometheus_type(), "{name}");
        assert_eq!(help, metric.help, "{name}");
        let ends: &[&str] = match metric.kind {
            Kind::Histogram(_) => &["_bucket", "_sum", "_count"],
            Kind::Counter | Kind::Gauge => &[""],
        };
        for end in ends {
            let labels = shown
                .labels
                .get(&format!("{name}{end}"))
                .cloned()
                .unwrap_or_default();
            let others: Vec<_> = labels
                .iter()
                .filter(|label| *label != "le" && metric.labels.iter().all(|known| known.name != *label))
                .collect();
            assert!(
                others.is_empty(),
                "{name} has labels that are not declared: {others:?}"
            );
        }
    }
}

async fn promtool_likes(page: &str) {
    let Some(folder) = programs().await else {
        return not_run("promtool check metrics", "it cannot be had here");
    };
    let mut promtool = Command::new(folder.join("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(page.as_bytes()).await.unwrap();
    drop(input);
    let told = promtool.wait_with_output().await.unwrap();
    let words = [told.stdout, told.stderr].concat();
    assert!(
        told.status.success() && words.is_empty(),
        "{}",
        String::from_utf8_lossy(&words)
    );
}
