//! A PostgreSQL database of a scenario's own, on the server that `make test` started.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hookline_store::seal::Keyring;
use hookline_store::{Database as DatabaseUrl, Store, StoreSettings};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::sync::OnceCell;
use url::Url;

use crate::console::MASTER_KEY;

/// What the names of all our databases start with.
const OURS: &str = "hookline_scenario_";
/// Databases of runs that were killed are older than this.
const STALE_S: i64 = 1800;

/// A database. [`Database::remove`] takes it away, and the next run what is left of killed ones.
pub struct Database {
    url: Url,
    name: String,
}

impl Database {
    /// Makes an empty one.
    ///
    /// # Panics
    /// When the server does not answer, or the environment names none.
    pub async fn create() -> Self {
        Self::create_from("template1").await
    }

    /// Makes one that holds the console's tables, and no row: a copy of the first, as each step of the schema takes its time.
    ///
    /// # Panics
    /// When the server does not answer, or the environment names none.
    pub async fn migrated() -> Self {
        static FIRST: OnceCell<String> = OnceCell::const_new();
        let first = async || {
            let first = Self::create().await;
            let store = Store::new(StoreSettings {
                database: DatabaseUrl::parse(first.url.as_str()).expect("a database's URL"),
                keyring: Keyring::parse(MASTER_KEY).expect("a key"),
                application: "scenario",
                max_connections: 1,
            });
            store.migrate().await.expect("the tables are made");
            store.close().await;
            first.name
        };
        Self::create_from(FIRST.get_or_init(first).await).await
    }

    async fn create_from(template: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static SWEPT: OnceCell<()> = OnceCell::const_new();
        static STRATEGY: OnceCell<&str> = OnceCell::const_new();
        let now = jiff::Timestamp::now().as_second();
        SWEPT.get_or_init(|| sweep(now)).await;
        let strategy = STRATEGY.get_or_init(strategy).await;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{OURS}{now}_{}_{count}", std::process::id());
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}");
        run(&server(), &sql).await;
        let mut url = server();
        url.set_path(&name);
        Self { url, name }
    }

    /// Its URL, with user and password.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// A connection of the test's own.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(self.url.as_str())
            .await
            .expect("PostgreSQL answers")
    }

    /// Runs statements.
    ///
    /// # Errors
    /// What the database said.
    pub async fn execute(&self, sql: &str) -> Result<(), String> {
        let mut connection = self.connect().await;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    /// All rows of a query, its first column as text.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let mut connection = self.connect().await;
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
        let text = |row: &PgRow| {
            row.try_get::<Option<String>, _>(0)
                .expect("a text")
                .unwrap_or_default()
        };
        rows.expect("a query").iter().map(text).collect()
    }

    /// Every row of every table as text, as a dump would hold it.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn dump(&self) -> String {
        let tables = self
            .texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            .await;
        let mut dump = String::new();
        for table in tables {
            for row in self.texts(&format!("SELECT t::text FROM {table} t")).await {
                dump.push_str(&row);
                dump.push('\n');
            }
        }
        dump
    }

    /// Takes it away, whoever is connected.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn remove(self) {
        run(&server(), &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

fn server() -> Url {
    let url = std::env::var("HOOKLINE_DATABASE_URL");
    let url = url.expect("HOOKLINE_DATABASE_URL is not set: run the scenarios with `make test`");
    url.parse().expect("HOOKLINE_DATABASE_URL is no URL")
}

/// How databases are made: by copies of files, and not through the log of all changes, which takes several times as long. Before
/// version 15 there was no other way.
async fn strategy() -> &'static str {
    let mut connection = PgConnection::connect(server().as_str())
        .await
        .expect("PostgreSQL answers");
    let version = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4");
    let version: i32 = version.fetch_one(&mut connection).await.expect("a version");
    if version >= 150_000 {
        "STRATEGY file_copy"
    } else {
        ""
    }
}

async fn run(url: &Url, sql: &str) {
    let mut connection = PgConnection::connect(url.as_str())
        .await
        .expect("PostgreSQL answers");
    // Two databases made at once may both want the template; and one that goes may just be vacuumed, by a process that only a
    // superuser may end. Both pass.
    for _ in 0..300 {
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await {
            Ok(_) => return,
            Err(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some("55006" | "42501")) =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!("{sql}: {error}"),
        }
    }
    panic!("{sql}: it stays in use");
}

async fn sweep(now: i64) {
    let mut connection = PgConnection::connect(server().as_str())
        .await
        .expect("PostgreSQL answers");
    let names = sqlx::query("SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1)")
        .bind(OURS)
        .fetch_all(&mut connection)
        .await
        .expect("a list of databases");
    for row in names {
        let name: String = row.try_get(0).expect("a name");
        let made = name
            .strip_prefix(OURS)
            .and_then(|rest| rest.split('_').next()?.parse::<i64>().ok());
        if made.is_some_and(|made| now - made > STALE_S) {
            // Another run may do the same.
            let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            drop(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await);
        }
    }
}
