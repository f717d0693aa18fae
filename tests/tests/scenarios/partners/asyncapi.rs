//! `docs/asyncapi.yaml`: valid by the public parser, and true of the message that is taken.

use std::process::Stdio;

use hookline_common::headers::Extent;
use hookline_common::topology::{Namespace, Queue};
use hookline_producer::{CompanyId, Data};
use serde_json::Value;
use tokio::process::Command;

use crate::conformance::library::{packages, project};

/// The document as the parser understands it; nothing where this machine cannot have the parser.
async fn described() -> Option<Value> {
    let packages = packages("npm", "tests/asyncapi").await?;
    let output = Command::new("node")
        .arg(project().join("tests/asyncapi/validate.js"))
        .arg(project().join("docs/asyncapi.yaml"))
        .env("NODE_PATH", packages)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn the_description_is_valid_and_names_what_is_there() {
    let Some(described) = described().await else {
        return;
    };
    assert_eq!(described["faults"], Value::Array(Vec::new()));
    let operations = described["operations"].as_array().unwrap();
    assert!(operations.contains(&Value::from("publishEvent")));
    let namespace = Namespace::default();
    let channels = described["channels"].as_array().unwrap();
    let with = |kind: &str| {
        channels
            .iter()
            .find(|channel| channel["binding"]["is"] == kind)
            .unwrap()
    };
    let exchange = &with("routingKey")["binding"]["exchange"];
    assert_eq!(exchange["name"], namespace.events_exchange().as_str());
    assert_eq!(
        (&exchange["type"], &exchange["durable"]),
        (&Value::from("topic"), &Value::Bool(true))
    );
    let queue = &with("queue")["binding"]["queue"];
    assert_eq!(queue["name"], namespace.queue(Queue::Events).as_str());

    let message = &with("routingKey")["messages"][0];
    let headers = &message["headers"];
    assert_eq!(headers["maxProperties"], Extent::MAX_ENTRIES);
    assert_eq!(headers["required"], serde_json::json!(["company"]));
    let company = &headers["properties"]["company"]["oneOf"][0];
    assert_eq!(company["maxLength"], 64);
    for example in message["examples"].as_array().unwrap() {
        assert!(CompanyId::parse(example["headers"]["company"].as_str().unwrap()).is_ok());
        assert!(Data::new(example["payload"].to_string()).is_ok());
    }
    // 101,888, as people read it.
    let told = message["payload"]["description"]
        .as_str()
        .unwrap()
        .replace(',', "");
    assert!(told.contains(&Data::MAX_BYTES.to_string()), "{told}");
}
