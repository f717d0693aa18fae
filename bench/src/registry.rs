//! A database of the run's own, for dispatchers that read their endpoints from the console's.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hookline_common::endpoint::{EventFilter, Format, Rate};
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::secret::Secret;
use hookline_store::seal::Keyring;
use hookline_store::{Actor, Database, ImportedEndpoint, NewEndpoint, Store, StoreSettings};
use reqwest::Url;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::endpoints::{Registration, registrations};
use crate::error::{Context as _, Fault, Result};
use crate::names;
use crate::settings::Settings;
use crate::sink::Ports;
use crate::subject::{Registry, Setup};

/// What the names of these databases start with. One benchmark runs at a time.
const OURS: &str = "hookline_bench_";
/// What seals the secrets, which are anything but secret here.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Companies that are registered at once.
const AT_ONCE: usize = 8;

/// The database.
pub(crate) struct Filled {
    server: Url,
    name: String,
    store: Store,
    registry: Registry,
}

impl Filled {
    /// Makes one, with the endpoints of these setups, and takes away what earlier runs have left.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub(crate) async fn with(setups: &[Setup], settings: &Settings, ports: Ports) -> Result<Self> {
        let url = settings.database_url.as_deref();
        let url = url.ok_or_else(|| Fault::new("HOOKLINE_DATABASE_URL is not set; run `make bench`"))?;
        let server: Url = url.parse().context("HOOKLINE_DATABASE_URL")?;
        let name = format!("{OURS}{}", std::process::id());
        let mut connection = connect(&server).await?;
        remove_all(&mut connection).await?;
        execute(&mut connection, &format!("CREATE DATABASE {name}")).await?;
        // What it holds is made anew each time, so nothing waits for the disk.
        execute(
            &mut connection,
            &format!("ALTER DATABASE {name} SET synchronous_commit = off"),
        )
        .await?;
        let mut url = server.clone();
        url.set_path(&name);
        let store = Store::new(StoreSettings {
            database: Database::parse(url.as_str()).context("HOOKLINE_DATABASE_URL")?,
            keyring: Keyring::parse(MASTER_KEY).context("the master key")?,
            application: "hookline-bench",
            max_connections: u32::try_from(AT_ONCE).context("connections")?,
        });
        let registry = Registry {
            database_url: url.to_string(),
            master_key: MASTER_KEY.to_owned(),
        };
        let filled = Self {
            server,
            name,
            store,
            registry,
        };
        filled.store.migrate().await.context("the schema")?;
        for setup in setups {
            filled.fill(registrations(setup, ports)).await?;
        }
        Ok(filled)
    }

    /// What a dispatcher needs to read it.
    pub(crate) fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub(crate) async fn execute(&self, sql: &str) -> Result<()> {
        execute(&mut self.connect().await?, sql).await
    }

    /// The first column of a query's rows, as text.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub(crate) async fn texts(&self, sql: &str) -> Result<Vec<String>> {
        let query = sqlx::query(AssertSqlSafe(sql));
        let rows = query.fetch_all(&mut self.connect().await?).await.context(sql)?;
        rows.iter().map(|row| row.try_get(0).context(sql)).collect()
    }

    async fn connect(&self) -> Result<PgConnection> {
        let url: Url = self.registry.database_url.parse().context("the database")?;
        connect(&url).await
    }

    async fn fill(&self, all: Vec<Registration>) -> Result<()> {
        let of_companies = all.chunk_by(|a, b| a.company == b.company);
        let registering = of_companies.map(|registrations| async {
            let imported: Result<Vec<_>> = registrations.iter().map(imported).collect();
            let company = registrations.first().map_or("", |one| one.company.as_str());
            let company = CompanyId::parse(company).context("a company")?;
            let (imported, actor) = (imported?, Actor::Admin);
            let done = self
                .store
                .import_endpoints(&company, &imported, u32::MAX, false, &actor);
            done.await.map(drop).context("registering endpoints")
        });
        stream::iter(registering)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Registers endpoints `ep_0`, `ep_1` and so on for a company, to which nothing is delivered.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub(crate) async fn register(&self, company: &str, endpoints: u64) -> Result<()> {
        let registered = (0..endpoints).map(|number| {
            let id = format!("ep_{number}");
            Registration {
                company: company.to_owned(),
                url: "https://crm.example.com/hooks".to_owned(),
                secret: names::secret(&id),
                id,
                per_second: None,
            }
        });
        self.fill(registered.collect()).await
    }

    /// Takes it away.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) async fn remove(self) -> Result<()> {
        self.store.close().await;
        let mut connection = connect(&self.server).await?;
        execute(
            &mut connection,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        )
        .await
    }
}

fn imported(one: &Registration) -> Result<ImportedEndpoint> {
    let rate = one.per_second.map(|rate| Rate::parse(&format!("{rate}/s")));
    Ok(ImportedEndpoint {
        endpoint: NewEndpoint {
            id: EndpointId::parse(&one.id).context("an endpoint")?,
            url: one.url.clone(),
            format: Format::default(),
            events: EventFilter::default(),
            headers: Vec::new(),
            description: None,
            rate: rate.transpose().context("a rate")?,
            disabled: false,
            secret: Secret::parse(&one.secret).context("a secret")?,
        },
        previous_secret: None,
    })
}

async fn connect(server: &Url) -> Result<PgConnection> {
    PgConnection::connect(server.as_str()).await.context("PostgreSQL")
}

async fn execute(connection: &mut PgConnection, sql: &str) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    done.map(drop).context(sql)
}

async fn remove_all(connection: &mut PgConnection) -> Result<()> {
    let found = sqlx::query("SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1)")
        .bind(OURS)
        .fetch_all(&mut *connection)
        .await
        .context("databases")?;
    for row in found {
        let name: String = row.try_get(0).context("a database's name")?;
        execute(
            connection,
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )
        .await?;
    }
    Ok(())
}
