//! The catalogue over HTTP: the built-in types, a platform's own, and how each format shows them.

use hookline_tests::console::{console_scenario, database_scenario, setup, start};
use serde_json::{Value, json};

fn names(listed: &Value) -> Vec<&str> {
    let types = listed["data"].as_array().unwrap();
    types.iter().map(|info| info["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_type_is_listed_and_shown_in_every_format() {
    console_scenario(async |console, _| {
        let acme = console.company("acme").await;
        let listed = acme.get("/v1/event-types").await.expect(200).json();
        let all = [
            "booking.created",
            "booking.rescheduled",
            "booking.cancelled",
            "employee.created",
            "form.submitted",
        ];
        assert!(all.iter().all(|name| names(&listed).contains(name)), "{listed}");
        assert_eq!(listed["next"], Value::Null);
        for info in listed["data"].as_array().unwrap() {
            assert!(info["schema"].is_object() && info["sample"].is_object(), "{info}");
            assert!(!info["description"].as_str().unwrap().is_empty());
            for format in ["meeva", "meetergo", "meetergo-flat", "standard"] {
                let own_name = info["names"][format].as_str().unwrap();
                for name in [own_name, info["name"].as_str().unwrap()] {
                    let path = format!("/v1/event-types/{name}?format={format}");
                    let shown = acme.get(&path).await.expect(200).json();
                    assert_eq!(
                        (&shown["name"], &shown["format"]),
                        (&info["name"], &json!(format))
                    );
                    let body = shown["request"]["body"].as_str().unwrap();
                    assert!(body.contains(own_name), "{path}: {body}");
                    assert!(shown["request"]["headers"].is_array());
                }
            }
        }
        let shown = acme
            .get("/v1/event-types/booking_created")
            .await
            .expect(200)
            .json();
        assert_eq!(
            (&shown["name"], &shown["format"]),
            (&json!("booking.created"), &json!("meeva"))
        );
        for missing in ["/v1/event-types/nothing", "/v1/event-types/%00"] {
            assert_eq!(acme.get(missing).await.problem(404), "not_found", "{missing}");
        }
        let refused = acme.get("/v1/event-types/booking.created?format=xml").await;
        assert_eq!(refused.problem(400), "invalid_request");
    })
    .await;
}

#[tokio::test]
async fn a_platforms_own_types_stand_beside_the_built_in_ones() {
    database_scenario(async |world, database| {
        let file = world.path("event-types.toml");
        let own = "[[event_type]]\nname = \"invoice.paid\"\ndescription = \"Paid.\"\nschema = '{\"type\":\"object\"}'\n\
                   sample = '{ \"total\": 1.0 }'\n";
        std::fs::write(&file, own).unwrap();
        let setup = setup(world, database).set("HOOKLINE_EVENT_TYPES_FILE", file.display().to_string());
        let console = start(setup).await;
        let listed = console.admin().get("/v1/event-types").await.expect(200).json();
        assert!(names(&listed).contains(&"invoice.paid") && names(&listed).contains(&"booking.created"));
        let shown = console.admin().get("/v1/event-types/invoice.paid").await.expect(200);
        assert!(shown.body.contains("\"total\":1.0"), "{shown:?}");
        assert_eq!(shown.json()["own"], json!(true));
    })
    .await;
}
