//! Deliveries on the dashboard: what became of events, why, and what happens next; found again by a filter, and sent again.

mod told; // what became of an event
mod found; // and where that is found
mod kept; // what of it is there, and for whom

use hookline_tests::browser::Browser;
use hookline_tests::console::{Console, MASTER_KEY};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Setup;
use hookline_tests::{SOON, World, eventually};
use serde_json::{Value, json};

const LIST: &str = "/companies/acme/deliveries";
const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'`$(id)";

async fn operator(console: &Console) -> Browser {
    Browser::of_operator(console).await
}

async fn member(console: &Console, company: &str) -> Browser {
    Browser::of_company(console, company).await
}

/// A dispatcher that reads endpoints where the console keeps them.
fn dispatcher<'a>(world: &'a World, database: &Database, schedule: &str) -> Setup<'a> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database.url().as_str())
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
        .set("HOOKLINE_RETRY_SCHEDULE", schedule)
}

/// Publishes an event of `acme` over the API, and returns its id.
async fn publish(console: &Console, data: &Value) -> String {
    let body = json!({"type": "booking.created", "data": data});
    let accepted = console.admin().post("/v1/companies/acme/events", &body).await;
    accepted.expect(202).json()["id"].as_str().unwrap().to_owned()
}

/// The page of a delivery, once it says this.
async fn says(browser: &Browser, event: &str, endpoint: &str, part: &str) -> String {
    let path = format!("{LIST}/{event}/{endpoint}");
    eventually(SOON, &format!("the delivery says {part}"), async || {
        let page = browser.get(&path).await;
        (page.status == 200 && page.body.contains(part)).then_some(page.body)
    })
    .await
}

/// What a browser shows of an escaped text.
fn unescaped(html: &str) -> String {
    html.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// Nothing that others wrote is markup, or turns or hides text.
fn is_harmless(page: &str) {
    for bad in ["<script>", "<img", "\u{202e}", "\u{1b}", "href=\"javascript:"] {
        assert!(!page.contains(bad), "{bad:?} in {page}");
    }
}

/// The words that a shell makes of a command of curl, which is not run.
fn words(command: &str) -> Vec<String> {
    let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{command}");
    let output = std::process::Command::new("bash").args(["-c", &script]).output();
    let output = output.unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}\n{command}"
    );
    let words = String::from_utf8(output.stdout).unwrap();
    words.split_terminator('\0').map(str::to_owned).collect()
}
