//! Passing a request on to a program on this machine, and its answer back.

use std::error::Error;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use crate::error::CliError;
use crate::text::escape;

/// As long as Hookline itself waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is passed back; Hookline reads less.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// What speaks of one connection, and so is not passed on, and what the client writes anew.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// An address to pass on to: with a path all requests go to that one, without it each keeps its own.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let allowed =
        "must be an http:// or https:// URL without user and password, like http://127.0.0.1:3000/hooks";
    let url = Url::parse(text).map_err(|_| allowed.to_owned())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if is_web && url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        Err(allowed.to_owned())
    }
}

/// Where requests are passed on to.
pub(super) struct Forward {
    client: Client,
    to: Url,
}

/// What came of passing a request on: what is answered, and a line about it.
pub(super) struct Forwarded {
    pub(super) response: Response,
    pub(super) text: Result<String, String>,
}

impl Forward {
    pub(super) fn new(to: Url) -> Result<Self, CliError> {
        // Fails only where the process chose a provider already, and then that one serves.
        drop(rustls::crypto::ring::default_provider().install_default());
        // As it came and to where it was told: no proxy of the environment's, and what redirects is passed back.
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .build();
        let client = client.map_err(|error| {
            CliError::Failed(format!(
                "--forward-to: no HTTP client can be made: {}; check the machine's certificates",
                causes(&error)
            ))
        })?;
        Ok(Self { client, to })
    }

    /// Sends the request on as it came, and makes of the answer ours. Where there is none, 502 or 504 is.
    pub(super) async fn pass_on(&self, head: &Parts, body: Bytes) -> Forwarded {
        let since = Instant::now();
        match self.ask(head, body).await {
            Ok((status, headers, body)) => {
                let text = format!(
                    "{} after {} ms, {} bytes",
                    status.as_u16(),
                    since.elapsed().as_millis(),
                    body.len()
                );
                let mut response = (status, Body::from(body)).into_response();
                *response.headers_mut() = headers;
                Forwarded {
                    response,
                    text: Ok(text),
                }
            }
            Err((status, why)) => Forwarded {
                text: Err(format!("{why} (answered {})", status.as_u16())),
                response: (status, why).into_response(),
            },
        }
    }

    async fn ask(
        &self,
        head: &Parts,
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), (StatusCode, String)> {
        let mut headers = without_connection(&head.headers);
        // The client writes the address that it connects to, as every client does.
        headers.remove(header::HOST);
        let request = self
            .client
            .request(head.method.clone(), self.target(head))
            .headers(headers)
            .body(body);
        let mut answer = request.send().await.map_err(failure)?;
        let (status, headers) = (answer.status(), without_connection(answer.headers()));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                let why = format!("its answer is longer than {MAX_ANSWER_BYTES} bytes");
                return Err((StatusCode::BAD_GATEWAY, why));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, headers, body))
    }

    fn target(&self, head: &Parts) -> Url {
        let mut target = self.to.clone();
        if target.path() == "/" && target.query().is_none() {
            target.set_path(head.uri.path());
            target.set_query(head.uri.query());
        }
        target
    }
}

fn without_connection(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers
}

/// Why there is no answer, and what is answered instead.
fn failure(error: reqwest::Error) -> (StatusCode, String) {
    let error = error.without_url();
    if error.is_timeout() {
        let why = format!("no answer within {} s", TIMEOUT.as_secs());
        (StatusCode::GATEWAY_TIMEOUT, why)
    } else if error.is_connect() {
        let why = format!("{}; is the program up, and on that port?", causes(&error));
        (StatusCode::BAD_GATEWAY, why)
    } else {
        (StatusCode::BAD_GATEWAY, causes(&error))
    }
}

/// The innermost cause, which is what a person can act on.
fn causes(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    escape(&cause.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::http::{HeaderValue, Request};

    use super::*;

    fn target(to: &str, uri: &str) -> String {
        let forward = Forward::new(url(to).unwrap()).unwrap();
        let (head, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
        forward.target(&head).to_string()
    }

    #[test]
    fn an_address_with_a_path_takes_all_and_one_without_keeps_each() {
        let to = "http://127.0.0.1:3000";
        assert_eq!(target(to, "/hooks?a=1"), "http://127.0.0.1:3000/hooks?a=1");
        let to = "http://127.0.0.1:3000/webhooks/meeva";
        assert_eq!(target(to, "/hooks?a=1"), "http://127.0.0.1:3000/webhooks/meeva");
    }

    #[test]
    fn only_web_addresses_are_taken() {
        assert!(url("https://localhost/x").is_ok());
        for bad in [
            "localhost:3000",
            "ftp://a/",
            "http://",
            "http://u:p@localhost/",
            "/hooks",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_speaks_of_the_connection_stays_behind() {
        let mut headers = HeaderMap::new();
        for name in ["connection", "keep-alive", "content-length", "webhook-id"] {
            headers.insert(name, HeaderValue::from_static("x"));
        }
        let left = without_connection(&headers);
        assert_eq!(
            left.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["webhook-id"]
        );
    }
}
