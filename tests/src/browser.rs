//! The dashboard as a browser without scripts meets it: with a cookie, an origin, and forms that prove where they come from.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use url::form_urlencoded::Serializer;

use crate::api::Reply;
use crate::console::{ADMIN_TOKEN, Console};

/// A browser, signed in or not.
#[derive(Debug, Clone)]
pub struct Browser {
    port: u16,
    /// What it sends as its cookies, if it has any.
    pub cookie: Option<String>,
    /// What it says its forms come from; none where it does not say.
    pub origin: Option<String>,
}

impl Browser {
    /// A browser that has never been at the console on this port.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self {
            port,
            cookie: None,
            origin: Some(format!("http://127.0.0.1:{port}")),
        }
    }

    /// One that is signed in as the operator.
    ///
    /// # Panics
    /// When it is not let in.
    pub async fn of_operator(console: &Console) -> Self {
        let browser = Self::new(console.process().port());
        let origin = browser.origin.clone();
        Self::of_operator_from(console, origin.as_deref()).await
    }

    /// The same where its pages have another origin than the console's own address.
    ///
    /// # Panics
    /// When it is not let in.
    pub async fn of_operator_from(console: &Console, origin: Option<&str>) -> Self {
        let mut browser = Self::new(console.process().port());
        browser.origin = origin.map(str::to_owned);
        let entered = browser.bare_post("/sign-in", &[("token", ADMIN_TOKEN)]).await;
        browser.keep_cookie(&entered.expect(303));
        browser
    }

    /// One that is signed in as one of a company's people, by a link.
    ///
    /// # Panics
    /// When it is not let in.
    pub async fn of_company(console: &Console, company: &str) -> Self {
        let path = format!("/v1/companies/{company}/portal-links");
        let made = console.admin().post(&path, &json!({})).await.expect(201).json();
        let url = made["url"].as_str().expect("a link");
        let (_, key) = url.split_once("/enter/").expect("a link to enter by");
        let mut browser = Self::new(console.process().port());
        let entered = browser.bare_post(&format!("/enter/{key}"), &[]).await;
        browser.keep_cookie(&entered.expect(303));
        browser
    }

    /// Loads a page.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None, String::new()).await
    }

    /// Sends a form with these fields and nothing else.
    pub async fn bare_post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let content_type = Some("application/x-www-form-urlencoded");
        self.send(Method::POST, path, content_type, body).await
    }

    /// Sends a form as a page would, with the proof that the start page's forms hold.
    ///
    /// # Panics
    /// When nobody is signed in.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let proof = self.proof().await;
        let mut fields = fields.to_vec();
        fields.push(("csrf", &proof));
        self.bare_post(path, &fields).await
    }

    /// What every form of this session must hold.
    ///
    /// # Panics
    /// When nobody is signed in.
    pub async fn proof(&self) -> String {
        // Any page has the form that signs out, one that is not there, too.
        let page = self.get("/companies/acme/guide/retries").await;
        let page = if page.body.contains("name=\"csrf\"") {
            page
        } else {
            self.get("/companies").await
        };
        between(&page.body, "name=\"csrf\" value=\"", "\"").expect("a form of a session")
    }

    /// Takes the cookie that an answer gave.
    pub fn keep_cookie(&mut self, reply: &Reply) {
        let set = reply
            .headers
            .get(SET_COOKIE)
            .and_then(|value| value.to_str().ok());
        let pair = set.and_then(|set| set.split(';').next());
        self.cookie = pair.map(str::to_owned);
    }

    /// Where an answer leads.
    #[must_use]
    pub fn location(reply: &Reply) -> Option<&str> {
        reply.headers.get(LOCATION)?.to_str().ok()
    }

    /// Any request.
    ///
    /// # Panics
    /// When the console does not answer.
    pub async fn send(&self, method: Method, path: &str, content_type: Option<&str>, body: String) -> Reply {
        let stream = TcpStream::connect(("127.0.0.1", self.port))
            .await
            .expect("the console listens");
        let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(&method)
            .uri(path)
            .header(HOST, format!("127.0.0.1:{}", self.port))
            .header(ACCEPT, "text/html,*/*");
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        if let (Some(origin), false) = (&self.origin, method == Method::GET) {
            request = request.header(ORIGIN, origin);
        }
        let request = request.body(Full::new(Bytes::from(body))).expect("a request");
        let response = client.send_request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        connection.abort();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

/// What stands between two texts, the first time.
#[must_use]
pub fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found.to_owned())
}
