//! The programs that pages hand out to verify requests with, copied and run as people do: each takes what really comes, in every
//! format and while a rotation overlaps, and refuses what another secret signed.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use futures_util::future::join_all;
use hookline_tests::browser::{Browser, between};
use hookline_tests::console::{Console, MASTER_KEY, database_scenario, setup, start};
use hookline_tests::dispatcher::{STARTS_WITHIN, program};
use hookline_tests::ports::free_port;
use hookline_tests::{SOON, World, eventually};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const FORMATS: [&str; 4] = ["meeva", "meetergo", "meetergo-flat", "standard"];

/// One of the languages on the page.
struct Language {
    /// As its tab is called.
    name: &'static str,
    /// What runs it; a machine without it does not test it.
    needs: Option<&'static str>,
}

impl Language {
    /// Whether this machine can run it. Where it cannot, that is told, past what hides the output of tests that pass.
    async fn is_here(&self) -> bool {
        let Some(needs) = self.needs else {
            return true;
        };
        let asked = Command::new("bash")
            .args(["-c", &format!("command -v {needs}")])
            .output()
            .await;
        let is_here = asked.unwrap().status.success();
        if !is_here {
            let told = format!(
                "NOT RUN: the programs in {} ({needs} is not installed)\n",
                self.name
            );
            std::io::stderr().write_all(told.as_bytes()).unwrap();
        }
        is_here
    }
}

/// What a browser shows of an escaped text.
fn unescaped(html: &str) -> String {
    html.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// What is copied by the button beside it.
fn copied(page: &str, what: &str) -> String {
    let start = format!("aria-label=\"{what}\"><code>");
    unescaped(&between(page, &start, "</code>").unwrap_or_else(|| panic!("{what} in {page}")))
}

/// Saves what the page has for this language, and runs it as the page says, with the page's own line for the secret. It is killed
/// when it is dropped.
async fn run(page: &str, language: &Language, folder: &Path, port: u16) -> Child {
    let source = copied(page, &format!("the program in {}", language.name));
    let part = format!("class=\"snippet snippet-{}\"", language.name.to_lowercase());
    let (_, told) = page.split_once(&part).unwrap();
    let file = between(told, "Save it as <code>", "</code>").unwrap();
    let how = unescaped(&between(told, "and run <code>", "</code>").unwrap());
    let how = match language.name {
        // Its compiler may take minutes for what it is told to add: the same program is among the tests' own.
        "Rust" => compiled(&source),
        // Run like this it would outlive the test, as a child of the compiler.
        "Go" => "go build -o receiver receiver.go && exec ./receiver".to_owned(),
        "PHP" => format!(
            "exec {}",
            how.replace("0.0.0.0:9000", &format!("127.0.0.1:{port}"))
        ),
        _ => format!("exec {how}"),
    };
    std::fs::create_dir_all(folder).unwrap();
    if language.name != "Rust" {
        std::fs::write(folder.join(&file), source).unwrap();
    }
    let secret = copied(page, "the line that sets the secret");
    let mut child = Command::new("bash")
        .args(["-c", &format!("{secret}\n{how}")])
        .current_dir(folder)
        .env("PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    eventually(
        STARTS_WITHIN,
        &format!("the program in {}", language.name),
        async || {
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the program in {} ended: {ended:?}",
                language.name
            );
            TcpStream::connect(address).await.ok()
        },
    )
    .await;
    child
}

/// The program that was compiled of this source.
fn compiled(source: &str) -> String {
    let all = [
        (
            "snippet-meeva",
            include_str!("../../../../console/assets/snippets/meeva.rs.txt"),
        ),
        (
            "snippet-standard",
            include_str!("../../../../console/assets/snippets/standard.rs.txt"),
        ),
    ];
    let (name, _) = all.iter().find(|(_, own)| *own == source).expect("one of both");
    format!("exec '{}'", program(name).display())
}

/// Registers by the page's form. Returns the endpoint's path in the API, and the page with its secret.
async fn registered(acme: &Browser, company: &str, format: &str, url: &str) -> (String, String) {
    let fields = [("url", url), ("format", format), ("which", "all")];
    let page = acme
        .post(&format!("/companies/{company}/endpoints"), &fields)
        .await
        .expect(200)
        .body;
    let start = format!("href=\"/companies/{company}/endpoints/ep_");
    let id = between(&page, &start, "/").unwrap();
    let id = id.split('"').next().unwrap();
    (format!("/v1/companies/{company}/endpoints/ep_{id}"), page)
}

/// The status that a test event to this endpoint is answered with.
async fn answer(console: &Console, endpoint: &str) -> Value {
    let body = json!({"type": "booking.created"});
    let path = format!("{endpoint}/test?wait=30s");
    let attempt = console.admin().post(&path, &body).await.expect(200).json();
    attempt["status"].clone()
}

async fn verifies(world: &World, console: &Console, language: &Language, format: &str) {
    let told = format!("{} in {format}", language.name);
    let company = format!("{}-{format}", language.name.to_lowercase());
    let acme = Browser::of_company(console, &company).await;
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/");
    let (endpoint, page) = registered(&acme, &company, format, &url).await;
    let _running = run(&page, language, &world.path(&company), port).await;
    assert_eq!(answer(console, &endpoint).await, 200, "{told}");
    // What another secret signed is not from here.
    let (other, _) = registered(&acme, &company, format, &url).await;
    assert_eq!(answer(console, &other).await, 401, "{told}, with another secret");
    // Both count while a rotation overlaps; then the old one no more.
    let overlap = json!({"overlap": "24h"});
    console
        .admin()
        .post(&format!("{endpoint}/rotate-secret"), &overlap)
        .await
        .expect(200);
    assert_eq!(
        answer(console, &endpoint).await,
        200,
        "{told}, while a rotation overlaps"
    );
    console
        .admin()
        .post(&format!("{endpoint}/rotate-secret/complete"), &json!({}))
        .await
        .expect(200);
    // The dispatcher is told of it a moment later, and signs with both until then.
    eventually(SOON, &format!("{told}, after the rotation"), async || {
        (answer(console, &endpoint).await == 401).then_some(())
    })
    .await;
}

/// What the operator brought along from another system, with all that a shell could take for its own.
async fn verifies_with_an_odd_secret(world: &World, console: &Console, language: &Language) {
    let company = format!("{}-odd", language.name.to_lowercase());
    let operator = Browser::of_operator(console).await;
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/");
    let secret = r#"it's $HOME `id` "of" 1998 \ !!"#;
    let wanted = json!({"url": url, "format": "meeva", "secret": secret});
    let made = console.register(&company, &wanted).await;
    let path = format!("companies/{company}/endpoints/{}", made["id"].as_str().unwrap());
    let page = operator
        .post(&format!("/{path}/secret"), &[])
        .await
        .expect(200)
        .body;
    let _running = run(&page, language, &world.path(&company), port).await;
    assert_eq!(
        answer(console, &format!("/v1/{path}")).await,
        200,
        "{}",
        language.name
    );
}

async fn every_program_verifies(language: Language) {
    if !language.is_here().await {
        return;
    }
    database_scenario(async |world, database| {
        let console = &start(setup(world, database)).await;
        world
            .dispatcher()
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_DATABASE_URL", database.url().as_str())
            .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
            .start()
            .await;
        let language = &language;
        join_all(FORMATS.map(|format| verifies(world, console, language, format))).await;
        verifies_with_an_odd_secret(world, console, language).await;
    })
    .await;
}

#[tokio::test]
async fn the_programs_in_node_verify_what_comes() {
    let needs = Some("node");
    every_program_verifies(Language { name: "Node", needs }).await;
}

#[tokio::test]
async fn the_programs_in_python_verify_what_comes() {
    let needs = Some("python3");
    every_program_verifies(Language {
        name: "Python",
        needs,
    })
    .await;
}

#[tokio::test]
async fn the_programs_in_php_verify_what_comes() {
    let needs = Some("php");
    every_program_verifies(Language { name: "PHP", needs }).await;
}

#[tokio::test]
async fn the_programs_in_go_verify_what_comes() {
    let needs = Some("go");
    every_program_verifies(Language { name: "Go", needs }).await;
}

#[tokio::test]
async fn the_programs_in_rust_verify_what_comes() {
    every_program_verifies(Language {
        name: "Rust",
        needs: None,
    })
    .await;
}
