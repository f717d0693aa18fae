//! Asks the console over HTTP: bounded in time and size, without proxies of the environment, following nobody elsewhere.

use std::time::Duration;

use hookline_common::ids::CompanyId;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::error::{ApiError, Refusal};
use super::settings::{ApiSettings, ApiToken};
use super::url::ApiUrl;
use crate::out;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The console gives its database five seconds; what takes so much longer has no answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A refusal for asking too often is waited out for so long in all: an import of many companies goes on by itself, and nobody
/// waits for ever.
const MAX_WAIT_S: u64 = 60;
/// Far above what a page of 200 endpoints with all their headers takes; more is not read.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// One console and one token. Cheap to make: it connects when it is asked.
pub(crate) struct Api {
    client: Client,
    url: ApiUrl,
    token: ApiToken,
}

/// A request that is being put together.
pub(crate) struct Ask<'a> {
    method: Method,
    url: Url,
    company: &'a CompanyId,
    /// What the request is about: `endpoints`, `tokens`.
    list: String,
    body: Option<(&'static str, String)>,
    timeout: Duration,
}

/// What it answered, with a status of success.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The whole body.
    pub(crate) body: String,
    url: String,
}

impl Answer {
    /// The body as `T` has it.
    ///
    /// # Errors
    /// [`ApiError::Unreadable`].
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_str(&self.body).map_err(|error| ApiError::Unreadable {
            url: self.url.clone(),
            why: error.to_string(),
        })
    }
}

impl Ask<'_> {
    /// With a parameter in its query.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// With a body of JSON.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        let text = serde_json::to_string(body).unwrap_or_default();
        self.body = Some(("application/json", text));
        self
    }

    /// With a body of TOML.
    pub(crate) fn toml(mut self, body: String) -> Self {
        self.body = Some(("application/toml", body));
        self
    }

    /// With more time for the answer, which the console was asked to wait with.
    pub(crate) fn waiting(mut self, longer: Duration) -> Self {
        self.timeout += longer;
        self
    }
}

impl Api {
    /// A client of this console.
    ///
    /// # Errors
    /// [`ApiError::SetUp`].
    pub(crate) fn new(settings: ApiSettings) -> Result<Self, ApiError> {
        // Fails only where the process chose a provider already, and then that one serves.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut client = Client::builder()
            // A token is for the console alone: not for what the environment says of proxies, nor for where an answer points.
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT);
        if !settings.url.is_https() {
            // The system's roots take time to read, and a small machine may have none.
            client = client.tls_certs_only([]);
        }
        Ok(Self {
            client: client.build().map_err(ApiError::SetUp)?,
            url: settings.url,
            token: settings.token,
        })
    }

    /// A request about what a company has: `parts` stand behind `/v1/companies/{company}/`.
    pub(crate) fn ask<'a>(&self, method: Method, company: &'a CompanyId, parts: &[&str]) -> Ask<'a> {
        let parts = [&["v1", "companies", company.as_str()], parts].concat();
        Ask {
            method,
            url: self.url.join(&parts),
            company,
            list: parts.get(3).copied().unwrap_or_default().to_owned(),
            body: None,
            timeout: TIMEOUT,
        }
    }

    /// Asks, and waits where it is told to ask less often.
    ///
    /// # Errors
    /// [`ApiError`] says why there is no answer, or what the console refuses.
    pub(crate) async fn answer(&self, ask: Ask<'_>) -> Result<Answer, ApiError> {
        let mut waited_s = 0;
        loop {
            let response = self.send(&ask).await?;
            let status = response.status();
            let retry_after = retry_after(response.headers());
            let is_problem = is_problem(response.headers());
            let body = self.body(response, &ask).await?;
            if status.is_success() {
                let (status, url) = (status.as_u16(), self.url.to_string());
                return Ok(Answer { status, body, url });
            }
            if status == StatusCode::TOO_MANY_REQUESTS
                && let Some(seconds) = retry_after.filter(|seconds| waited_s + seconds <= MAX_WAIT_S)
            {
                out::note(&format!("notice: the console asks to wait {seconds} s"));
                sleep(Duration::from_secs(seconds)).await;
                // One at least, so that this ends.
                waited_s += seconds.max(1);
                continue;
            }
            return Err(ApiError::refused(&Refusal {
                url: &self.url,
                status,
                is_problem,
                body: &body,
                retry_after,
                company: ask.company.as_str(),
                list: &ask.list,
            }));
        }
    }

    /// A part of an answer as `T` has it.
    ///
    /// # Errors
    /// [`ApiError::Unreadable`].
    pub(crate) fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, ApiError> {
        serde_json::from_str(text).map_err(|error| self.unreadable(error.to_string()))
    }

    /// A fault of what it answered.
    pub(crate) fn unreadable(&self, why: impl Into<String>) -> ApiError {
        let (url, why) = (self.url.to_string(), why.into());
        ApiError::Unreadable { url, why }
    }

    async fn send(&self, ask: &Ask<'_>) -> Result<Response, ApiError> {
        let mut request = self
            .client
            .request(ask.method.clone(), ask.url.clone())
            .timeout(ask.timeout)
            .header(ACCEPT, "application/json")
            .bearer_auth(&self.token.0);
        if let Some((media_type, body)) = &ask.body {
            request = request.header(CONTENT_TYPE, *media_type).body(body.clone());
        }
        request.send().await.map_err(|error| self.failed(error, ask))
    }

    fn failed(&self, error: reqwest::Error, ask: &Ask<'_>) -> ApiError {
        let url = self.url.to_string();
        // Whatever became of a question that changes nothing, it can be asked again.
        let is_harmless = error.is_connect() || ask.method == Method::GET;
        let source = error.without_url();
        if is_harmless {
            ApiError::Unreachable { url, source }
        } else {
            ApiError::Unanswered { url, source }
        }
    }

    async fn body(&self, mut response: Response, ask: &Ask<'_>) -> Result<String, ApiError> {
        let mut body = Vec::new();
        let cut_short = |error| self.failed(error, ask);
        while let Some(chunk) = response.chunk().await.map_err(cut_short)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(self.unreadable("it has more than 16 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| self.unreadable("it is not UTF-8 text"))
    }
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

fn is_problem(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.starts_with("application/problem+json"))
}
