//! The real `hookline-console` as a child process, with a database of its own.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::api::Api;
use crate::database::Database;
use crate::dispatcher::{Dispatcher, Setup, program};
use crate::eventually::{SOON, eventually};
use crate::world::{World, scenario};

/// The operator's token.
pub const ADMIN_TOKEN: &str = "admin-token-of-all-scenarios-0123456789";
/// A master key, and one that comes after it.
pub const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// A newer one.
pub const NEWER_KEY: &str = "ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// How long a command of the console may take.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// A running console.
pub struct Console {
    process: Arc<Dispatcher>,
    api: Api,
}

impl Console {
    /// The API, with the operator's token.
    #[must_use]
    pub fn admin(&self) -> &Api {
        &self.api
    }

    /// The API, without a token.
    #[must_use]
    pub fn stranger(&self) -> Api {
        self.api.with_token(None)
    }

    /// The API, with a new token of this company.
    ///
    /// # Panics
    /// When the console makes none.
    pub async fn company(&self, company: &str) -> Api {
        let made = self
            .api
            .post(&format!("/v1/companies/{company}/tokens"), &json!({}))
            .await;
        let token = made.expect(201).json()["token"].as_str().map(str::to_owned);
        self.api.with_token(token.as_deref())
    }

    /// Registers an endpoint, and returns what the console answered.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn register(&self, company: &str, body: &Value) -> Value {
        let path = format!("/v1/companies/{company}/endpoints");
        self.api.post(&path, body).await.expect(201).json()
    }

    /// The process: its log, signals, memory and end.
    #[must_use]
    pub fn process(&self) -> &Arc<Dispatcher> {
        &self.process
    }
}

/// A console that is about to be started on this database; what [`Setup`] can set, it can.
#[must_use]
pub fn setup<'a>(world: &'a World, database: &Database) -> Setup<'a> {
    setup_on(world, database.url().as_str())
}

/// The same on a database with this URL.
#[must_use]
pub fn setup_on<'a>(world: &'a World, database_url: &str) -> Setup<'a> {
    world
        .dispatcher()
        .program("hookline-console")
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database_url)
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
        .set("HOOKLINE_ADMIN_TOKEN", ADMIN_TOKEN)
}

/// A dispatcher that is about to be started, and reads endpoints from the console's database at this URL.
#[must_use]
pub fn dispatcher_on<'a>(world: &'a World, database_url: &str) -> Setup<'a> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database_url)
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
}

/// Does something that dispatchers are told of, and waits until this one has loaded it: a change counts for it a moment after it
/// was made, and not at once.
///
/// # Panics
/// When it hears of nothing.
pub async fn heard<T>(dispatcher: &Dispatcher, change: impl Future<Output = T>) -> T {
    let loads = async || {
        let loads = dispatcher.metric("hookline_registry_loads_total").await;
        loads.unwrap_or(0.0)
    };
    let before = loads().await;
    let done = change.await;
    eventually(SOON, "the change is loaded", async || {
        (loads().await > before).then_some(())
    })
    .await;
    done
}

/// Starts it and waits until it is ready.
///
/// # Panics
/// When it does not become ready.
pub async fn start(setup: Setup<'_>) -> Console {
    let process = setup.start().await;
    Console {
        api: Api::new(process.port(), Some(ADMIN_TOKEN)),
        process,
    }
}

/// Starts it and waits until it can publish as well: it is ready before it is connected to the broker and has declared its queues.
///
/// # Panics
/// When it does not come to that.
pub async fn start_connected(setup: Setup<'_>) -> Console {
    let console = start(setup).await;
    let stranger = console.stranger();
    eventually(SOON, "the console is connected to the broker", async || {
        // While it is not, a second line says so.
        let ready = stranger.get("/readyz").await;
        (ready.body == "ready\n").then_some(())
    })
    .await;
    console
}

/// Runs `hookline-console` with a subcommand to its end.
///
/// # Panics
/// When it does not end.
pub async fn run(database: &Database, keys: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program("hookline-console"));
    command
        .args(arguments)
        .env_clear()
        .env("HOOKLINE_DATABASE_URL", database.url().as_str())
        .env("HOOKLINE_MASTER_KEY", keys)
        .env("HOOKLINE_ADMIN_TOKEN", ADMIN_TOKEN)
        .env("HOOKLINE_HTTP_ADDR", "127.0.0.1:0")
        .kill_on_drop(true);
    let output = timeout(ENDS_WITHIN, command.output()).await;
    output.expect("the console ends").expect("the console starts")
}

/// A scenario with a database that has the console's tables.
///
/// # Panics
/// When the scenario does, or leaves something behind.
pub async fn database_scenario(body: impl AsyncFnOnce(&World, &Database)) {
    played_on(Database::migrated().await, body).await;
}

/// A scenario with a database that has no tables yet.
///
/// # Panics
/// When the scenario does, or leaves something behind.
pub async fn empty_database_scenario(body: impl AsyncFnOnce(&World, &Database)) {
    played_on(Database::create().await, body).await;
}

async fn played_on(database: Database, body: impl AsyncFnOnce(&World, &Database)) {
    let played = scenario(async |world| body(world, &database).await);
    let ended = AssertUnwindSafe(played).catch_unwind().await;
    database.remove().await;
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

/// A scenario with a console on a database of its own.
///
/// # Panics
/// When the scenario does, or leaves something behind.
pub async fn console_scenario(body: impl AsyncFnOnce(&Console, &Database)) {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        body(&console, database).await;
    })
    .await;
}
