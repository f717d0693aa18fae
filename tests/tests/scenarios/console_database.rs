//! The database under programs that run: it hangs, it comes back as another, it lets each role do what it needs, and it is
//! believed only with a certificate that somebody vouches for.

use std::process::Stdio;

use hookline_tests::api::Api;
use hookline_tests::console::{ADMIN_TOKEN, MASTER_KEY, console_scenario, database_scenario, setup, start};
use hookline_tests::dispatcher::program;
use hookline_tests::hostile::certificates::Authority;
use hookline_tests::tls_postgres::TlsPostgres;
use hookline_tests::{Receiver, eventually, scenario, status};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::SOON;

const OF_ACME: &str = "/v1/companies/acme/endpoints";

#[tokio::test]
async fn a_database_that_hangs_is_told_by_the_probe_before_requests_give_it_up() {
    database_scenario(async |world, database| {
        // Connections are accepted, and nobody says a word.
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("postgres://u:s3cret@{}/hookline", silent.local_addr().unwrap());
        let console = setup(world, database).set("HOOKLINE_DATABASE_URL", url).launch();
        eventually(SOON, "it answers", async || console.get("/healthz").await.ok()).await;
        let admin = Api::new(console.port(), Some(ADMIN_TOKEN));
        let probe = async {
            let told = admin.get("/readyz").await;
            assert!(told.status == 503 && told.body.contains("hangs"), "{told:?}");
        };
        tokio::select! {
            biased;
            () = probe => {}
            refused = admin.get(OF_ACME) => panic!("a request was given up before the probe answered: {refused:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_database_that_comes_back_as_another_is_brought_up_to_date_or_refused() {
    console_scenario(async |console, database| {
        console
            .register("acme", &json!({"url": "https://example.com/"}))
            .await;
        // As after a restore of nothing.
        database
            .execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            .await
            .unwrap();
        eventually(SOON, "the schema is made again", async || {
            let listed = console.admin().get(OF_ACME).await;
            (listed.status == 200).then_some(())
        })
        .await;
        console.process().is_ready_within(SOON).await;
        console
            .register("acme", &json!({"url": "https://example.com/"}))
            .await;

        // As after a restore of what a newer version made.
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'of tomorrow', true, '', 0)";
        database.execute(newer).await.unwrap();
        console
            .process()
            .says("a newer version has migrated it", SOON)
            .await;
        let told = eventually(SOON, "it is not ready", async || {
            let told = console.process().get("/readyz").await.ok()?;
            (told.status == 503).then_some(told.body)
        })
        .await;
        assert!(told.contains("schema"), "{told}");
        database
            .execute("DELETE FROM _sqlx_migrations WHERE version = 9999")
            .await
            .unwrap();
        console.process().is_ready_within(SOON).await;
        console.process().says("up to date again", SOON).await;
    })
    .await;
}

/// The statements of the documentation that give a dispatcher's role what it needs.
fn grants() -> String {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATING.md")).unwrap();
    let statements: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("CREATE ROLE dispatcher") || line.starts_with("GRANT "))
        .collect();
    assert!(
        statements.len() >= 2,
        "docs/OPERATING.md does not say what a dispatcher's role needs"
    );
    statements.join("\n")
}

async fn migrate(url: &str) -> (bool, String) {
    let output = Command::new(program("hookline-console"))
        .arg("migrate")
        .env_clear()
        .env("HOOKLINE_DATABASE_URL", url)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test]
async fn a_dispatcher_may_only_read_endpoints_and_the_servers_certificate_must_be_vouched_for() {
    let (authority, other) = (Authority::new("of the test"), Authority::new("of somebody else"));
    let server = TlsPostgres::start(&authority.vouch_for(&["127.0.0.1"])).await;
    let files = tempfile::tempdir().unwrap();
    let trusting = |authority: &Authority, name: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, authority.pem()).unwrap();
        format!("sslmode=verify-full&sslrootcert={}", path.display())
    };
    let (trusted, mistaken) = (trusting(&authority, "ca.pem"), trusting(&other, "other.pem"));

    let (is_done, told) = migrate(server.url("hookline", &mistaken).as_str()).await;
    assert!(!is_done && told.contains("certificate"), "{told}");
    assert!(!told.contains("hookline:hookline"), "{told}");
    let (is_done, told) = migrate(server.url("hookline", "sslmode=disable").as_str()).await;
    assert!(!is_done && told.contains("no encryption"), "{told}");
    let (is_done, told) = migrate(server.url("hookline", &trusted).as_str()).await;
    assert!(is_done, "{told}");

    server
        .execute("postgres", &grants().replace("'…'", "'dispatcher'"))
        .await
        .unwrap();
    for forbidden in [
        "UPDATE endpoints SET url = 'https://example.org/'",
        "DELETE FROM endpoints",
        "INSERT INTO audit (company, actor, action, object) VALUES ('acme', 'x', 'x', 'x')",
        "SELECT * FROM tokens",
        "SELECT * FROM audit",
        "CREATE TABLE mine (id int)",
    ] {
        let refused = server.execute("dispatcher", forbidden).await.unwrap_err();
        assert!(refused.contains("permission denied"), "{forbidden}: {refused}");
    }
    server
        .execute("dispatcher", "SELECT secret FROM endpoints")
        .await
        .unwrap();

    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        let console = world
            .dispatcher()
            .program("hookline-console")
            .unset("HOOKLINE_AMQP_URL")
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_DATABASE_URL", server.url("hookline", &trusted).as_str())
            .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
            .set("HOOKLINE_ADMIN_TOKEN", ADMIN_TOKEN);
        let console = start(console).await;
        console.register("acme", &json!({"url": receiver.url()})).await;
        world
            .dispatcher()
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set(
                "HOOKLINE_DATABASE_URL",
                server.url("dispatcher", &trusted).as_str(),
            )
            .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        receiver.expect(1, SOON).await;
    })
    .await;
}
