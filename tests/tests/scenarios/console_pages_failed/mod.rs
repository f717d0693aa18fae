//! The page of what failed: problems, rows, retries with their progress, discards; and who may do so, and how often.

mod sent_again; // by its page, one or many
mod stays; // and what cannot be
mod discarded; // what nobody wants
mod reach; // whose it is
mod hostile; // whatever stands in it
mod limits; // how often that may be done
mod told; // and which settings are told to whom

use hookline_tests::api::Reply;
use hookline_tests::browser::Browser;
use hookline_tests::console::{Console, MASTER_KEY};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Setup;
use hookline_tests::log_rows::Row;
use hookline_tests::{World, eventually};

use crate::SOON;

const FAILED: &str = "/companies/acme/failed";

const RETRY: &str = "/companies/acme/failed/retry";

const DISCARD: &str = "/companies/acme/failed/discard";

async fn operator(console: &Console) -> Browser {
    Browser::of_operator(console).await
}

async fn member(console: &Console, company: &str) -> Browser {
    Browser::of_company(console, company).await
}

/// A dispatcher that reads endpoints from this database, and tries twice.
fn dispatcher<'a>(world: &'a World, database: &Database) -> Setup<'a> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database.url().as_str())
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
        .set("HOOKLINE_RETRY_SCHEDULE", "1s")
}

/// Dead letters that the database holds.
async fn filed(database: &Database) -> usize {
    database.texts("SELECT event FROM dead_letters").await.len()
}

async fn are_filed(database: &Database, count: usize) {
    eventually(SOON, "all of it has failed", async || {
        (filed(database).await == count).then_some(())
    })
    .await;
}

/// The text of a page's content, without its markup and with one space between words.
fn text(reply: &Reply) -> String {
    let (_, main) = reply.body.split_once("<main").unwrap_or_default();
    let (main, _) = main.split_once("</main>").unwrap_or((main, ""));
    let mut text = String::new();
    let mut in_tag = true;
    for c in main.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                text.push(' ');
            }
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(" .", ".").replace(" ,", ",")
}

/// Waits until a retry's page says so.
async fn says(browser: &Browser, path: &str, part: &str) -> String {
    eventually(SOON, "the page says so", async || {
        let told = text(&browser.get(path).await.expect(200));
        told.contains(part).then_some(told)
    })
    .await
}

/// Where a form led, which must be the page of a retry.
fn retry_of(reply: &Reply) -> String {
    let location = Browser::location(reply).expect("it is done, and leads somewhere");
    assert!(
        location.starts_with("/companies/acme/failed/retries/rty_"),
        "{location}"
    );
    location.to_owned()
}

/// A dead letter of `acme` that a person could retry.
async fn dead(database: &Database, event: &str, endpoint: &str, outcome: &str, status: u16, ago_s: u32) {
    let row = Row::of(event, endpoint, ago_s).status("failed", outcome, status);
    row.insert_dead(database, "{\"a\":1}").await;
}
