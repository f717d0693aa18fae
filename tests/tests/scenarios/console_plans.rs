//! How the log is looked up: by its indexes, whatever the filter, so that a list of a large log is as quick as one of a small.

use hookline_common::ids::{CompanyId, EndpointId, EventId, EventType};
use hookline_common::outcome::Outcome;
use hookline_store::seal::Keyring;
use hookline_store::{
    Database as DatabaseUrl, DeliveryCursor, DeliveryFilter, DeliveryStatus, Store, StoreSettings,
};
use hookline_tests::console::{MASTER_KEY, database_scenario};
use hookline_tests::database::Database;
use hookline_tests::log_rows::make_days;
use jiff::{Span, Timestamp};

/// Three companies, one of them large; one delivery in twenty has failed, or fails.
async fn fill(database: &Database) {
    make_days(database, 3).await;
    database
        .execute(
            "INSERT INTO deliveries SELECT CASE WHEN i % 10 = 0 THEN 'small' WHEN i % 1000 = 1 THEN 'tiny' ELSE 'acme' END, \
             'evt_' || md5(i::text), 'ep_' || i % 6, now() - i * interval '2 s', \
             'booking.' || (ARRAY['created', 'updated', 'cancelled'])[1 + i % 3], 'event', \
             CASE WHEN i % 20 > 0 THEN 'delivered' WHEN i % 40 = 0 THEN 'retrying' ELSE 'failed' END, 1, \
             now() - i * interval '2 s', 'http_status', 500, NULL, NULL FROM generate_series(1, 90000) i; \
             INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, last_outcome, \
             last_status, created_at, data) SELECT company, event, endpoint, created_at, type, origin, 'retries_exhausted', \
             4, last_outcome, last_status, created_at, convert_to('{\"a\":\"' || repeat('x', 500) || '\"}', 'UTF8') \
             FROM deliveries WHERE status = 'failed'; \
             INSERT INTO events (recorded_at, company, id, type, created_at, data) SELECT created_at, company, event, type, \
             created_at, '{}' FROM deliveries ORDER BY created_at",
        )
        .await
        .unwrap();
}

fn parsed<T, E: std::fmt::Debug>(parse: impl Fn(&str) -> Result<T, E>, text: &str) -> Option<T> {
    Some(parse(text).unwrap())
}

/// Filters as people set them, alone and together.
fn filters() -> Vec<(&'static str, DeliveryFilter)> {
    let (none, ago) = (DeliveryFilter::default, |hours: i64| {
        Some(Timestamp::now() - Span::new().hours(hours))
    });
    let endpoint = || parsed(EndpointId::parse, "ep_3");
    let event_type = || parsed(EventType::parse, "booking.updated");
    let failed = Some(DeliveryStatus::Failed);
    let event = parsed(EventId::parse, "evt_c4ca4238a0b923820dcc509a6f75849b");
    vec![
        ("none", none()),
        (
            "endpoint",
            DeliveryFilter {
                endpoint: endpoint(),
                ..none()
            },
        ),
        (
            "type",
            DeliveryFilter {
                event_type: event_type(),
                ..none()
            },
        ),
        (
            "failed",
            DeliveryFilter {
                status: failed,
                ..none()
            },
        ),
        (
            "retrying",
            DeliveryFilter {
                status: Some(DeliveryStatus::Retrying),
                ..none()
            },
        ),
        (
            "discarded, of which there is none",
            DeliveryFilter {
                status: Some(DeliveryStatus::Discarded),
                ..none()
            },
        ),
        (
            "delivered",
            DeliveryFilter {
                status: Some(DeliveryStatus::Delivered),
                ..none()
            },
        ),
        (
            "answered with an error",
            DeliveryFilter {
                outcome: Some(Outcome::HttpStatus),
                ..none()
            },
        ),
        (
            "timed out, of which there is none",
            DeliveryFilter {
                outcome: Some(Outcome::Timeout),
                ..none()
            },
        ),
        (
            "failed with an error at an endpoint",
            DeliveryFilter {
                outcome: Some(Outcome::HttpStatus),
                status: failed,
                endpoint: endpoint(),
                ..none()
            },
        ),
        (
            "failed at an endpoint",
            DeliveryFilter {
                status: failed,
                endpoint: endpoint(),
                ..none()
            },
        ),
        (
            "failed of a type",
            DeliveryFilter {
                status: failed,
                event_type: event_type(),
                ..none()
            },
        ),
        (
            "type at an endpoint",
            DeliveryFilter {
                event_type: event_type(),
                endpoint: endpoint(),
                ..none()
            },
        ),
        (
            "event",
            DeliveryFilter {
                event: event.clone(),
                ..none()
            },
        ),
        (
            "event at an endpoint",
            DeliveryFilter {
                event,
                endpoint: endpoint(),
                ..none()
            },
        ),
        (
            "since",
            DeliveryFilter {
                since: ago(2),
                ..none()
            },
        ),
        (
            "until",
            DeliveryFilter {
                until: ago(30),
                ..none()
            },
        ),
        (
            "between, failed",
            DeliveryFilter {
                since: ago(40),
                until: ago(20),
                status: failed,
                ..none()
            },
        ),
    ]
}

#[tokio::test]
async fn every_list_of_deliveries_is_read_from_an_index_with_statistics_and_without() {
    database_scenario(async |_, database| {
        let store = Store::new(StoreSettings {
            database: DatabaseUrl::parse(database.url().as_str()).unwrap(),
            keyring: Keyring::parse(MASTER_KEY).unwrap(),
            application: "scenario",
            max_connections: 2,
        });
        store.migrate().await.unwrap();
        fill(database).await;
        let cursor = {
            let company = CompanyId::parse("acme").unwrap();
            let page = store
                .deliveries(&company, &DeliveryFilter::default(), None, 200)
                .await;
            page.unwrap().next.unwrap()
        };
        for has_statistics in [false, true] {
            if has_statistics {
                database.execute("ANALYZE").await.unwrap();
            }
            for company in ["acme", "small", "tiny", "nobody"] {
                let company = CompanyId::parse(company).unwrap();
                for (name, filter) in filters() {
                    for after in [None, Some(&cursor)] {
                        let told = format!(
                            "{name} of {company}, statistics: {has_statistics}, later page: {}",
                            after.is_some()
                        );
                        check(&store, &company, &filter, after, &told).await;
                    }
                }
            }
        }
    })
    .await;
}

async fn check(
    store: &Store,
    company: &CompanyId,
    filter: &DeliveryFilter,
    after: Option<&DeliveryCursor>,
    told: &str,
) {
    let plan = store
        .plan_of_deliveries(company, filter, after, 50)
        .await
        .unwrap();
    let plan = plan.join("\n");
    assert!(
        plan.contains("Index") || plan.contains("One-Time Filter: false"),
        "{told}:\n{plan}"
    );
    // A day without a row may be read whole.
    let whole = plan
        .lines()
        .filter(|line| line.contains("Seq Scan on deliveries_"));
    let large: Vec<&str> = whole.filter(|line| !line.contains("rows=1 ")).collect();
    assert!(large.is_empty(), "{told}: {large:?}\n{plan}");
    // Rows of other types and endpoints are passed over in the index, and not read: there may be very many of them.
    let mut filtered = plan.lines().filter(|line| line.contains("Filter: ("));
    assert!(
        filter.event.is_some()
            || !filtered.any(|line| line.contains("type =") || line.contains("endpoint =")),
        "{told}:\n{plan}"
    );
    // What is found in its order is not put into it anew, but for the few of one event, and for those of one instant.
    let sorts = plan.matches("Sort Key: deliveries").count();
    let of_instants = plan.matches("Presorted Key: deliveries.created_at").count();
    assert!(filter.event.is_some() || sorts == of_instants, "{told}:\n{plan}");
}
