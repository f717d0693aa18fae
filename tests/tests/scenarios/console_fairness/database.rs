//! A company whose questions hang has its share of the database, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hookline_tests::api::{Api, Reply};
use hookline_tests::browser::Browser;
use hookline_tests::console::{Console, console_scenario};
use hookline_tests::database::Database;
use hookline_tests::eventually;
use hookline_tests::log_rows::make_days;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::SOON;

/// Lists that a company asks for at once.
const LISTS: usize = 64;
/// How many of one company's questions are at the database at once, at most.
const SHARE: usize = 4;
const LIST_OF_ACME: &str = "/v1/companies/acme/deliveries?limit=200&status=failed";

/// Two companies; of one the log has many deliveries.
async fn two_companies(console: &Console, database: &Database) {
    make_days(database, 1).await;
    let rows = "INSERT INTO deliveries (company, event, endpoint, created_at, type, origin, status, attempts, \
                last_attempt_at, last_outcome, last_status) SELECT 'acme', 'evt_' || n, 'ep_crm', now(), \
                'booking.created', 'event', 'delivered', 1, now(), 'delivered', 204 FROM generate_series(1, 20000) AS n";
    database.execute(rows).await.unwrap();
    for company in ["acme", "globex"] {
        console
            .register(company, &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
    }
}

/// From now on lists of deliveries take as long as the database lets anybody wait.
async fn hang_lists(database: &Database) -> PgConnection {
    let mut holder = database.connect().await;
    holder.execute("BEGIN; LOCK TABLE deliveries").await.unwrap();
    holder
}

/// How many questions to the log wait at the database.
async fn waiting(database: &Database) -> usize {
    let sql = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() \
               AND application_name = 'hookline-console' AND wait_event_type = 'Lock'";
    database.texts(sql).await[0].parse().unwrap()
}

/// Waits until the company has all of its share, and makes sure that it has no more.
async fn has_its_share(database: &Database) {
    eventually(SOON, "its share of the lists is at the database", async || {
        let now = waiting(database).await;
        assert!(now <= SHARE, "{now} of one company's");
        (now == SHARE).then_some(())
    })
    .await;
}

/// Asks for lists again and again, many at once, each for as long as `patience` has it.
fn ask_for_lists(
    so_far: &Arc<SoFar>,
    patience: Duration,
    mut asks: impl FnMut(usize) -> Asker,
) -> JoinSet<()> {
    let mut lists = JoinSet::new();
    for number in 0..LISTS {
        let (so_far, asker) = (Arc::clone(so_far), asks(number));
        lists.spawn(async move {
            while !so_far.is_over.load(Ordering::Relaxed) {
                if let Ok(reply) = timeout(patience, asker.list()).await {
                    so_far.answered(&reply);
                }
            }
        });
    }
    lists
}

/// What became of the lists so far.
#[derive(Default)]
struct SoFar {
    is_over: AtomicBool,
    refused: AtomicUsize,
}

impl SoFar {
    fn answered(&self, reply: &Reply) {
        assert!(matches!(reply.status, 200 | 429 | 503), "{reply:?}");
        if reply.status == 429 {
            assert_eq!(reply.header("retry-after"), Some("1"), "{reply:?}");
            assert!(reply.body.contains("at once"), "{reply:?}");
            if reply.header("content-type") == Some("application/problem+json") {
                assert_eq!(reply.problem(429), "too_many_at_once");
            }
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn end(&self, mut lists: JoinSet<()>, mut holder: PgConnection) {
        self.is_over.store(true, Ordering::Relaxed);
        holder.execute("ROLLBACK").await.unwrap();
        while let Some(ended) = lists.join_next().await {
            ended.unwrap();
        }
        holder.close().await.unwrap();
    }
}

/// A program, or a person at the dashboard.
enum Asker {
    Program(Api),
    Person(Browser),
}

impl Asker {
    async fn list(&self) -> Reply {
        match self {
            Self::Program(api) => api.get(LIST_OF_ACME).await,
            Self::Person(browser) => browser.get("/companies/acme/deliveries?status=failed").await,
        }
    }
}

/// Others are answered, one after the other, and only with what they asked for.
async fn others_are_answered(console: &Console, database: &Database, globex: &Api, person: &Browser) {
    for _ in 0..5 {
        globex.get("/v1/companies/globex/endpoints").await.expect(200);
        person.get("/companies/globex/endpoints").await.expect(200);
        console
            .admin()
            .get("/v1/companies/acme/endpoints")
            .await
            .expect(200);
        console.process().is_ready_within(SOON).await;
        has_its_share(database).await;
    }
    // A token that was never seen before, too.
    let newcomer = console.company("globex").await;
    newcomer.get("/v1/companies/globex/audit").await.expect(200);
}

#[tokio::test]
async fn a_company_whose_lists_hang_has_its_share_and_all_others_are_answered() {
    console_scenario(async |console, database| {
        two_companies(console, database).await;
        let (acme, globex) = (console.company("acme").await, console.company("globex").await);
        let of_acme = Browser::of_company(console, "acme").await;
        let person = Browser::of_company(console, "globex").await;
        let holder = hang_lists(database).await;
        let so_far = Arc::new(SoFar::default());
        let lists = ask_for_lists(&so_far, 2 * SOON, |number| match number % 2 {
            0 => Asker::Program(acme.clone()),
            _ => Asker::Person(of_acme.clone()),
        });
        for _ in 0..3 {
            has_its_share(database).await;
            others_are_answered(console, database, &globex, &person).await;
        }
        eventually(SOON, "who waits for long is told so", async || {
            (so_far.refused.load(Ordering::Relaxed) > 0).then_some(())
        })
        .await;
        so_far.end(lists, holder).await;
        acme.get(LIST_OF_ACME).await.expect(200);
    })
    .await;
}
