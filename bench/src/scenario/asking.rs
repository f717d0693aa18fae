//! How long a console takes to answer one question after the other.

use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::time::Instant;

use super::http_publish::TOKEN;
use crate::broker::http_client;
use crate::error::{Context as _, Fault, Result};

/// Requests of each question; and before them, some that bring what is read into memory, as pages that people look at are.
const REQUESTS: usize = 300;
const WARM_UP: usize = 20;

/// A console that is asked one question after the other, as a person asks.
pub(super) struct Asking {
    client: reqwest::Client,
    address: String,
}

impl Asking {
    /// The console at an address.
    ///
    /// # Errors
    /// There is no client.
    pub(super) fn of(address: String) -> Result<Self> {
        Ok(Self {
            client: http_client()?,
            address,
        })
    }

    /// How long each page took, in milliseconds. A list goes on page after page, and begins anew at its end.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub(super) async fn pages(&self, company: &str, question: &str) -> Result<Vec<f64>> {
        let first = format!("http://{}/v1/companies/{company}/{question}", self.address);
        let joint = if question.contains('?') { '&' } else { '?' };
        let parameter = if question.starts_with("events") {
            "after"
        } else {
            "cursor"
        };
        let (mut took_ms, mut url) = (Vec::with_capacity(REQUESTS), first.clone());
        for number in 0..WARM_UP + REQUESTS {
            let since = Instant::now();
            let request = self.client.get(&url).bearer_auth(TOKEN).send();
            let answer = request.await.context("asking")?;
            let status = answer.status();
            let body = answer.bytes().await.context("reading")?;
            if number >= WARM_UP {
                took_ms.push(since.elapsed().as_secs_f64() * 1e3);
            }
            if !status.is_success() {
                return Err(Fault::new(format!("{url} is answered {status}")));
            }
            let page: Value = serde_json::from_slice(&body).context("a page")?;
            let is_empty = page["data"].as_array().is_some_and(Vec::is_empty);
            url = match page["next"].as_str().filter(|_| !is_empty) {
                Some(next) => format!("{first}{joint}{parameter}={next}"),
                None => first.clone(),
            };
        }
        Ok(took_ms)
    }

    /// How long each answer to the same body took, in milliseconds, and the last one.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub(super) async fn answers(&self, path: &str, body: &Value) -> Result<(Vec<f64>, Value)> {
        let url = format!("http://{}/v1/companies/{path}", self.address);
        let (mut took_ms, mut last) = (Vec::with_capacity(REQUESTS), Value::Null);
        for number in 0..WARM_UP + REQUESTS {
            let since = Instant::now();
            let request = self.client.post(&url).bearer_auth(TOKEN);
            let request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
            let answer = request.send().await.context("asking")?;
            let status = answer.status();
            let answered = answer.bytes().await.context("reading")?;
            if number >= WARM_UP {
                took_ms.push(since.elapsed().as_secs_f64() * 1e3);
            }
            if !status.is_success() {
                return Err(Fault::new(format!("{url} is answered {status}")));
            }
            last = serde_json::from_slice(&answered).context("an answer")?;
        }
        Ok((took_ms, last))
    }
}
