//! The companies' endpoints, registered with the console as a company's own people would do it.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, StatusCode};
use serde_json::json;

use crate::Result;
use crate::companies::{ALL, Company, Endpoint, Temper};

/// Above the ports that Linux gives to whoever asks for any, so that nobody listens there by chance.
const NOBODYS_PORT: u16 = 64_999;

/// Registers all that are not there yet. What somebody changed meanwhile stays changed.
pub(crate) async fn register_all(console: &str, token: &str, port: u16) -> Result<()> {
    // The client wants one, although a console on this machine is asked without TLS. Somebody may have chosen one already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::new();
    for company in ALL {
        for endpoint in company.endpoints {
            let url = format!(
                "{}/v1/companies/{}/endpoints",
                console.trim_end_matches('/'),
                company.id
            );
            let request = client
                .post(&url)
                .header(AUTHORIZATION, format!("Bearer {token}"))
                .header(CONTENT_TYPE, "application/json")
                .body(registration(&company, endpoint, port));
            let answer = request
                .send()
                .await
                .map_err(|error| format!("{console} (HOOKLINE_API_URL): {error}"))?;
            let status = answer.status();
            // Of an earlier day.
            if status == StatusCode::CONFLICT {
                continue;
            }
            if !status.is_success() {
                let told = answer.text().await?;
                return Err(format!(
                    "{} {} was not registered: {status}: {told}",
                    company.id, endpoint.id
                )
                .into());
            }
        }
    }
    Ok(())
}

fn registration(company: &Company, endpoint: &Endpoint, port: u16) -> String {
    let port = if endpoint.temper == Temper::Gone {
        NOBODYS_PORT
    } else {
        port
    };
    json!({
        "id": endpoint.id,
        "url": format!("http://127.0.0.1:{port}/{}/{}", company.id, endpoint.id),
        "description": endpoint.description,
        "format": endpoint.format,
        "events": endpoint.events,
    })
    .to_string()
}
