//! A real Prometheus scrapes an installation at work, evaluates the rules, and answers every query of the board.

use std::path::Path;
use std::process::Stdio;

use hookline_tests::console::database_scenario;
use hookline_tests::hostile::not_run;
use hookline_tests::{eventually, http, ports};
use serde_json::Value;
use tokio::process::{Child, Command};
use url::Url;

use super::{at_work, file, programs, root};
use crate::SOON;

struct Prometheus {
    _process: Child,
    port: u16,
}

impl Prometheus {
    /// Starts it, with these ports to scrape, and waits until it has scraped both twice.
    async fn start(program: &Path, folder: &Path, targets: [u16; 2]) -> Self {
        let port = ports::free_port();
        let rules = root().join("deploy/prometheus/rules.yaml");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n\
             - job_name: hookline\n  static_configs: [{{targets: ['127.0.0.1:{}', '127.0.0.1:{}'], labels: {{namespace: test}}}}]\n",
            rules.display(),
            targets[0],
            targets[1],
        );
        let path = folder.join("prometheus.yml");
        std::fs::write(&path, config).unwrap();
        let process = Command::new(program)
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let this = Self {
            _process: process,
            port,
        };
        eventually(SOON, "Prometheus has scraped both for ten seconds", async || {
            let up = this
                .ask("min(count_over_time(up{namespace=\"test\"}[5m])) > 10 and count(up == 1) == 2")
                .await?;
            (!up.is_empty()).then_some(())
        })
        .await;
        this
    }

    /// What it answers to a query: its samples.
    async fn ask(&self, query: &str) -> Option<Vec<Value>> {
        let mut url = Url::parse(&format!("http://127.0.0.1:{}/api/v1/query", self.port)).unwrap();
        url.query_pairs_mut().append_pair("query", query);
        let page = http::get(&url).await.ok()?;
        // While it starts.
        if page.status == 503 {
            return None;
        }
        assert_eq!(page.status, 200, "{query}: {}", page.body);
        let answer: Value = serde_json::from_str(&page.body).unwrap();
        Some(answer["data"]["result"].as_array().unwrap().clone())
    }
}

#[tokio::test]
async fn every_query_of_the_board_has_an_answer_and_no_alert_is_raised_that_should_not_be() {
    let Some(folder) = programs().await else {
        return not_run("the board in a real Prometheus", "it cannot be had here");
    };
    database_scenario(async |world, database| {
        let installation = at_work(world, database).await;
        let (console, dispatcher) = (&installation.console, &installation.dispatcher);
        let taken = installation.receiver.count();
        let ports = [dispatcher.port(), console.process().port()];
        let prometheus = Prometheus::start(&folder.join("prometheus"), &world.path(""), ports).await;
        // Rates need something that happens while it looks.
        for _ in 0..3 {
            world.publish("booking.created", "{}").await;
            console
                .admin()
                .get("/v1/companies/acme/endpoints")
                .await
                .expect(200);
        }
        let board: Value = serde_json::from_str(&file("deploy/grafana/hookline.json")).unwrap();
        let panels = board["panels"].as_array().unwrap().iter();
        let queries = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
        let mut asked = 0;
        for query in queries {
            let query = query["expr"].as_str().unwrap();
            let query = query
                .replace("$__rate_interval", "1m")
                .replace("$namespace", ".*");
            asked += 1;
            eventually(SOON, &format!("an answer to {query}"), async || {
                let samples = prometheus.ask(&query).await?;
                (!samples.is_empty()).then_some(())
            })
            .await;
        }
        assert!(asked > 30, "{asked}");
        installation.receiver.expect(taken + 3, SOON).await;
        let raised = prometheus.ask("ALERTS{alertstate=\"firing\"}").await.unwrap();
        assert!(raised.is_empty(), "{raised:?}");
    })
    .await;
}
