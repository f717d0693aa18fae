//! The API asked at random: by a published fuzzer along its description, and by three companies that all do something at once.
//!
//! E8 tenant isolation, as a property: `three_companies_never_see_or_change_what_is_anothers`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::api::Api;
use hookline_tests::console::{ADMIN_TOKEN, Console, console_scenario, database_scenario, setup, start};
use hookline_tests::hostile::not_run;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::conformance::library::{packages, project};

/// Cases that the fuzzer makes up for each route and way of going about it.
const CASES: &str = "12";
/// More than it takes on a machine ten times as busy.
const ENDS_WITHIN: Duration = Duration::from_secs(900);

#[tokio::test]
async fn a_published_fuzzer_finds_no_fault_and_nothing_that_is_not_described() {
    database_scenario(async |world, database| {
        let folder = "tests/openapi";
        let Some(packages) = packages("pip", folder).await else {
            not_run("the fuzzer of APIs", "its packages cannot be had here");
            return;
        };
        // It registers more than a company may have, and that limit has a scenario of its own.
        let console = start(setup(world, database).set("HOOKLINE_ENDPOINTS_PER_COMPANY", "1000")).await;
        // What it publishes, nobody consumes.
        world.leaves(Queue::Events);
        world.leaves(Queue::Deliveries);
        let scratch = tempfile::tempdir().unwrap();
        let url = format!("http://127.0.0.1:{}/openapi.json", console.process().port());
        let python_path = format!("{}:{}", packages.display(), project().join(folder).display());
        let fuzzing = Command::new("python3")
            .args(["-m", "schemathesis.cli", "--config-file"])
            .arg(project().join(folder).join("schemathesis.toml"))
            .args([
                "run",
                &url,
                "--header",
                &format!("Authorization: Bearer {ADMIN_TOKEN}"),
            ])
            .args([
                "--max-examples",
                CASES,
                "--seed",
                "1",
                "--continue-on-failure",
                // How long it takes to think of cases is its own affair, and longer on a machine that is busy.
                "--suppress-health-check",
                "too_slow",
                "--no-color",
            ])
            .current_dir(scratch.path())
            .env("PYTHONPATH", python_path)
            .env("SCHEMATHESIS_HOOKS", "hooks")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(ENDS_WITHIN, fuzzing)
            .await
            .expect("the fuzzer ends")
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}\n{errors}");
        // It has asked, and not just looked at the description.
        let metrics = console.admin().get("/metrics").await.expect(200).body;
        let asked = |status: &str| {
            let lines = metrics
                .lines()
                .filter(|line| line.starts_with("hookline_api_request_duration_seconds_count"));
            let lines =
                lines.filter(|line| line.contains(&format!("status=\"{status}")) && line.contains("/v1/"));
            let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            counts.sum::<f64>()
        };
        assert!(asked("2") > 20.0 && asked("4") > 100.0, "{metrics}");
        assert_eq!(asked("5"), 0.0, "{metrics}");
    })
    .await;
}

/// Numbers that look drawn at random, and are the same in each run with this seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

const COMPANIES: [&str; 3] = ["acme", "globex", "initech"];

/// A company, what it should have, and its way in.
struct Company {
    name: &'static str,
    api: Api,
    /// By id: whether it is disabled.
    endpoints: BTreeMap<String, bool>,
}

#[tokio::test]
async fn three_companies_never_see_or_change_what_is_anothers() {
    for seed in [1_u64, 0x9e37_79b9_7f4a_7c15] {
        console_scenario(async |console, _| play(console, seed).await).await;
    }
}

async fn play(console: &Console, seed: u64) {
    let mut random = Random(seed);
    let mut all = Vec::new();
    for name in COMPANIES {
        all.push(Company {
            name,
            api: console.company(name).await,
            endpoints: BTreeMap::new(),
        });
    }
    for step in 0..150 {
        let (who, whose) = (random.below(3), random.below(3));
        // An id that somebody has, or that nobody has.
        let ids: Vec<&String> = all.iter().flat_map(|company| company.endpoints.keys()).collect();
        let id = match ids.len() {
            0 => "ep_nobody".to_owned(),
            many => ids[random.below(many)].clone(),
        };
        let path = format!("/v1/companies/{}/endpoints", all[whose].name);
        let one = format!("{path}/{id}");
        let api = all[who].api.clone();
        let is_own = who == whose;
        let is_there = is_own && all[whose].endpoints.contains_key(&id);
        let told = format!("seed {seed}, step {step}: {} at {one}", all[who].name);
        match random.below(6) {
            0 => {
                let reply = api.post(&path, &json!({"url": "https://example.com/"})).await;
                if !is_own {
                    assert_eq!(reply.problem(404), "not_found", "{told}");
                } else if all[who].endpoints.len() == 6 {
                    assert_eq!(reply.problem(409), "endpoint_limit", "{told}");
                } else {
                    let id = reply.expect(201).json()["id"].as_str().unwrap().to_owned();
                    all[who].endpoints.insert(id, false);
                }
            }
            1 => {
                let is_disabled = random.below(2) == 1;
                let reply = api.patch(&one, &json!({"disabled": is_disabled})).await;
                assert_eq!(
                    reply.status,
                    if is_there { 200 } else { 404 },
                    "{told}: {reply:?}"
                );
                if is_there {
                    all[whose].endpoints.insert(id, is_disabled);
                }
            }
            2 => {
                let reply = api.delete(&one).await;
                assert_eq!(
                    reply.status,
                    if is_there { 204 } else { 404 },
                    "{told}: {reply:?}"
                );
                if is_there {
                    all[whose].endpoints.remove(&id);
                }
            }
            3 => {
                let reply = api.get(&format!("{one}/secret")).await;
                assert_eq!(
                    reply.status,
                    if is_there { 200 } else { 404 },
                    "{told}: {reply:?}"
                );
            }
            4 => {
                let reply = api
                    .post(&format!("{one}/rotate-secret"), &json!({"overlap": "0s"}))
                    .await;
                assert_eq!(
                    reply.status,
                    if is_there { 200 } else { 404 },
                    "{told}: {reply:?}"
                );
            }
            _ => {
                let reply = api.get(&format!("{path}?limit=200")).await;
                if is_own {
                    assert_eq!(listed(&reply.expect(200).json()), all[who].endpoints, "{told}");
                } else {
                    assert_eq!(reply.problem(404), "not_found", "{told}");
                }
            }
        }
    }
    for company in &all {
        let paged = pages(company).await;
        assert_eq!(paged, company.endpoints, "seed {seed}: {}", company.name);
        foreign_cursors_show_nothing(company, &all).await;
    }
    audits_are_of_one_company(&all).await;
}

fn listed(page: &Value) -> BTreeMap<String, bool> {
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| {
        (
            row["id"].as_str().unwrap().to_owned(),
            row["disabled"].as_bool().unwrap(),
        )
    })
    .collect()
}

/// All that a company is shown, two a page.
async fn pages(company: &Company) -> BTreeMap<String, bool> {
    let path = format!("/v1/companies/{}/endpoints?limit=2", company.name);
    let (mut all, mut next) = (BTreeMap::new(), String::new());
    loop {
        let page = company.api.get(&format!("{path}{next}")).await.expect(200).json();
        all.extend(listed(&page));
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return all,
        }
    }
}

/// A cursor is a place in one's own list, whoever it came from.
async fn foreign_cursors_show_nothing(company: &Company, all: &[Company]) {
    for other in all.iter().filter(|other| other.name != company.name) {
        for list in ["endpoints", "audit"] {
            let first = other
                .api
                .get(&format!("/v1/companies/{}/{list}?limit=1", other.name))
                .await
                .expect(200)
                .json();
            let Some(cursor) = first["next"].as_str() else {
                continue;
            };
            let own = format!("/v1/companies/{}/{list}?cursor={cursor}&limit=200", company.name);
            let page = company.api.get(&own).await.expect(200);
            for row in page.json()["data"].as_array().unwrap() {
                let id = row["object"].as_str().or(row["id"].as_str()).unwrap();
                assert!(!other.endpoints.contains_key(id), "{} saw {id}", company.name);
            }
        }
    }
}

/// What was done to an object stands in the audit of its company alone.
async fn audits_are_of_one_company(all: &[Company]) {
    let mut seen = BTreeSet::new();
    for company in all {
        let path = format!("/v1/companies/{}/audit?limit=200", company.name);
        let page = company.api.get(&path).await.expect(200).json();
        let objects: BTreeSet<String> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["object"].as_str().unwrap().to_owned())
            .collect();
        assert!(
            company.endpoints.keys().all(|id| objects.contains(id)),
            "{}",
            company.name
        );
        assert!(
            objects.iter().all(|object| seen.insert(object.clone())),
            "{}: {objects:?}",
            company.name
        );
    }
}
