//! The dashboard: who sees which page, what a form must prove, what a browser may do with a page, and how one gets in.

mod access; // who sees which page
mod proof; // what a form must prove
mod policy; // what a browser may do with a page
mod hostile; // whatever others wrote there
mod sign_in; // how one gets in
mod link; // or by a link
mod guesses; // and how often one may try
mod endpoints; // what one then does
mod snippets; // and what one verifies requests with

use hookline_console::pages::PageInfo;
use hookline_tests::api::Reply;
use hookline_tests::browser::Browser;
use hookline_tests::console::Console;
use hookline_tests::database::Database;
use hookline_tests::log_rows::{Row, make_days};
use serde_json::json;

const ENDPOINTS: &str = "/companies/acme/endpoints";

fn browser(console: &Console) -> Browser {
    Browser::new(console.process().port())
}

async fn operator(console: &Console) -> Browser {
    Browser::of_operator(console).await
}

async fn member(console: &Console, company: &str) -> Browser {
    Browser::of_company(console, company).await
}

/// A page's path, with what it names.
fn path(page: &PageInfo, company: &str, id: &str) -> String {
    let path = page.path.replace("{company}", company).replace("{id}", id);
    let path = path.replace("{event}", id).replace("{endpoint}", id);
    path.replace("{type}", "booking.created")
        .replace("{file}", "none")
        .replace("{link}", "none")
}

async fn ask(browser: &Browser, page: &PageInfo, path: &str, proof: &str) -> Reply {
    match page.method.as_str() {
        "GET" => browser.get(path).await,
        _ => {
            // A test event would be waited for.
            let fields = [
                ("csrf", proof),
                ("type", "no.such"),
                ("url", "https://example.com/"),
            ];
            browser.bare_post(path, &fields).await
        }
    }
}

async fn id_of(console: &Console, database: &Database, page: &PageInfo, company: &str) -> String {
    if page.path.contains("/tokens/") {
        let path = format!("/v1/companies/{company}/tokens");
        let made = console.admin().post(&path, &json!({})).await.expect(201).json();
        return made["id"].as_str().unwrap().to_owned();
    }
    let made = console
        .register(company, &json!({"url": "https://example.com/"}))
        .await;
    let id = made["id"].as_str().unwrap().to_owned();
    if page.path.contains("{event}") {
        // An event that is called like its endpoint, and whose payload was not kept.
        make_days(database, 0).await;
        let mut row = Row::of(&id, &id, 1);
        company.clone_into(&mut row.company);
        if page.path.contains("/failed/") {
            row.status("failed", "http_status", 500)
                .insert_dead(database, "{}")
                .await;
        } else {
            row.insert(database).await;
        }
    }
    if page.path.contains("/retries/") {
        let retry = format!("rty_{id}");
        let sql = format!(
            "INSERT INTO retries (company, id, filter, total, skipped) VALUES ('{company}', '{retry}', '{{}}', 0, 0)"
        );
        database.execute(&sql).await.unwrap();
        return retry;
    }
    if page.path.ends_with("/certify") {
        // It would be played against somebody else's machine; the guard refuses this one.
        let sql = format!("UPDATE endpoints SET url = 'https://10.0.0.1/' WHERE company = '{company}'");
        database.execute(&sql).await.unwrap();
    }
    id
}

async fn audit_lines(console: &Console, company: &str) -> usize {
    let path = format!("/v1/companies/{company}/audit?limit=200");
    let audit = console.admin().get(&path).await.expect(200).json();
    audit["data"].as_array().unwrap().len()
}
