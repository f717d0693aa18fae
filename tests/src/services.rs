//! The broker that `make test` started, and what its management API knows of a namespace.

use std::path::PathBuf;
use std::sync::OnceLock;

use hyper::Method;
use serde_json::Value;
use url::Url;

use crate::eventually::{SOON, eventually};
use crate::http;

/// Where the services are.
pub struct Services {
    /// The shared broker.
    pub amqp_url: String,
    /// The script that starts brokers of a test's own.
    pub broker_script: PathBuf,
    /// Its management API.
    pub management: Url,
}

/// The services that the environment names.
///
/// # Panics
/// When it names none: with what to do about it.
pub fn services() -> &'static Services {
    // Not a `LazyLock`: a panic would poison it, and only the first test could say what to do.
    static SERVICES: OnceLock<Services> = OnceLock::new();
    SERVICES.get_or_init(|| Services {
        amqp_url: variable("HOOKLINE_AMQP_URL"),
        broker_script: variable("HOOKLINE_TEST_BROKER").into(),
        management: variable("HOOKLINE_TEST_MANAGEMENT_URL")
            .parse()
            .expect("HOOKLINE_TEST_MANAGEMENT_URL is no URL"),
    })
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run the scenarios with `make test`, or first `scripts/services.sh up` and \
             `eval \"$(scripts/services.sh env)\"`"
        )
    })
}

impl Services {
    /// The broker's version, as the management API tells it.
    ///
    /// # Panics
    /// When that does not answer.
    pub async fn rabbitmq_version(&self) -> String {
        let mut url = self.management.clone();
        url.set_path("/api/overview");
        let page = http::get(&url).await.expect("the management API answers");
        let overview: Value = serde_json::from_str(&page.body).expect("JSON");
        overview["rabbitmq_version"]
            .as_str()
            .expect("a version")
            .to_owned()
    }

    /// The queues whose names start with `prefix`, as the broker declared them.
    ///
    /// # Panics
    /// When the management API does not answer.
    pub async fn queues(&self, prefix: &str) -> Vec<Value> {
        self.list("queues", "", prefix).await
    }

    /// The names of the queues or exchanges that start with `prefix`: the broker tells no more of them than that, and many
    /// scenarios ask it all the time.
    ///
    /// # Panics
    /// When the management API does not answer.
    pub async fn names(&self, what: &str, prefix: &str) -> Vec<String> {
        let all = self.list(what, "&columns=name", prefix).await;
        all.iter().map(|object| name(object).to_owned()).collect()
    }

    /// Whether anything is bound to an exchange, which may be missing.
    ///
    /// # Panics
    /// When the broker's answer is no JSON list.
    pub async fn is_bound(&self, exchange: &str) -> bool {
        let mut url = self.management.clone();
        url.set_path(&format!("/api/exchanges/%2F/{exchange}/bindings/source"));
        let page = http::get(&url).await.ok();
        page.filter(|page| page.status == 200).is_some_and(|page| {
            let all: Vec<Value> = serde_json::from_str(&page.body).expect("a JSON list");
            !all.is_empty()
        })
    }

    /// Sets a policy for the queues that match `pattern`, or ends it where there is no `definition`.
    ///
    /// # Panics
    /// When the management API refuses.
    pub async fn policy(&self, name: &str, pattern: &str, definition: Option<&Value>) {
        let mut url = self.management.clone();
        url.set_path(&format!("/api/policies/%2F/{name}"));
        let (method, body) = match definition {
            Some(definition) => {
                let body =
                    serde_json::json!({"pattern": pattern, "definition": definition, "apply-to": "queues"});
                (Method::PUT, body.to_string())
            }
            None => (Method::DELETE, String::new()),
        };
        let page = http::ask(method, &url, &body)
            .await
            .expect("the management API answers");
        assert!((200..300).contains(&page.status), "{page:?}");
    }

    /// Without statistics, which lag by seconds: what exists is known at once.
    async fn list(&self, what: &str, columns: &str, prefix: &str) -> Vec<Value> {
        let mut url = self.management.clone();
        url.set_path(&format!("/api/{what}/%2F"));
        url.set_query(Some(&format!("disable_stats=true{columns}")));
        // It fails now and then while queues come and go beside it.
        let page = eventually(SOON, "the management API answers", async || {
            let page = http::get(&url).await.ok();
            page.filter(|page| page.status == 200)
        })
        .await;
        let mut all: Vec<Value> = serde_json::from_str(&page.body).expect("a JSON list");
        all.retain(|object| name(object).starts_with(prefix));
        all
    }
}

/// The name of an object of the management API.
#[must_use]
pub fn name(object: &Value) -> &str {
    object["name"].as_str().unwrap_or_default()
}
