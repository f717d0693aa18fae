//! One request, for probes and the management API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

/// What a server said.
#[derive(Debug)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: String,
}

/// Asks once, over a connection of its own, with the URL's user and password if it has them.
///
/// # Errors
/// What stood in the way, for people.
pub async fn get(url: &Url) -> Result<Page, String> {
    ask(Method::GET, url, "").await
}

/// The same with another method, and a body of JSON or none.
///
/// # Errors
/// What stood in the way, for people.
pub async fn ask(method: Method, url: &Url, body: &str) -> Result<Page, String> {
    let told = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let address = (
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(80),
    );
    let stream = TcpStream::connect(address).await.map_err(|error| told(&error))?;
    let (mut client, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| told(&error))?;
    tokio::spawn(connection);
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, format!("{}:{}", address.0, address.1));
    if let Some(password) = url.password() {
        let pair = STANDARD.encode(format!("{}:{password}", url.username()));
        request = request.header(AUTHORIZATION, format!("Basic {pair}"));
    }
    let request = request
        .body(Full::new(Bytes::from(body.to_owned())))
        .map_err(|error| told(&error))?;
    let response = client.send_request(request).await.map_err(|error| told(&error))?;
    let status = response.status().as_u16();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| told(&error))?;
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    Ok(Page { status, body })
}
