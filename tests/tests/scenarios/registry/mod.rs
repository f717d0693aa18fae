//! Dispatchers that read endpoints from the console's database.

mod changes; // what is changed there counts within two seconds
mod outage; // a database that is away
mod emptied; // or has lost all that it had
mod trust; // what it must not be taken in by, and what it needs not be allowed

use hookline_common::endpoint::{EventFilter, Format};
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::secret::Secret;
use hookline_producer::Event;
use hookline_store::seal::Keyring;
use hookline_store::{Actor, Database as DatabaseUrl, NewEndpoint, Store, StoreSettings};
use hookline_tests::console::MASTER_KEY;
use hookline_tests::dispatcher::{Dispatcher, Setup};
use hookline_tests::endpoint::SECRET;
use hookline_tests::{Receiver, World};

/// Settings of a program that opens what is sealed under `keys`.
fn settings(database: &str, keys: &str) -> StoreSettings {
    StoreSettings {
        database: DatabaseUrl::parse(database).unwrap(),
        keyring: Keyring::parse(keys).unwrap(),
        application: "scenario",
        max_connections: 2,
    }
}

/// The database as the console has it, with its tables.
async fn store(database: &str, keys: &str) -> Store {
    let store = Store::new(settings(database, keys));
    store.migrate().await.unwrap();
    store
}

/// Registers an endpoint for all events at a receiver.
async fn register(store: &Store, company: &str, id: &str, receiver: &Receiver) {
    let new = NewEndpoint {
        id: EndpointId::parse(id).unwrap(),
        url: receiver.url(),
        format: Format::default(),
        events: EventFilter::default(),
        headers: Vec::new(),
        description: None,
        rate: None,
        disabled: false,
        secret: Secret::parse(SECRET).unwrap(),
    };
    let company = CompanyId::parse(company).unwrap();
    store
        .create_endpoint(&company, &new, 100, &Actor::Admin)
        .await
        .unwrap();
}

/// A dispatcher of this world that reads from this database.
fn dispatcher<'a>(world: &'a World, database: &str) -> Setup<'a> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database)
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
}

/// Publishes an event of a company.
async fn publish(world: &World, company: &str) -> Event {
    let event = Event::new(company, "booking.created", "{}".to_owned()).unwrap();
    world.producer().await.publish(&event).await.unwrap();
    event
}

/// A counter of a dispatcher, 0 where it has not counted yet.
async fn count(dispatcher: &Dispatcher, metric: &str) -> f64 {
    dispatcher.metric(metric).await.unwrap_or(0.0)
}

async fn parked(dispatcher: &Dispatcher) -> f64 {
    count(dispatcher, "hookline_deliveries_parked_total").await
}
