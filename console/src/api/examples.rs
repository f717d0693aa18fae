//! What bodies look like, by the names of their schemas.

use serde_json::{Value, json};

use crate::problem::Problem;

/// As long as a real secret, and nobody's.
const SECRET: &str = "whsec_ZXhhbXBsZSBleGFtcGxlIGV4YW1wbGUgZXhhbXBsZSE=";
const CREATED_AT: &str = "2026-01-05T09:30:00.123Z";
const ENDS_AT: &str = "2026-04-05T09:30:00Z";

/// An example for each.
pub(super) fn examples() -> Vec<(&'static str, Value)> {
    let endpoint = json!({
        "id": "ep_0199c2f4a0b17d3e8f5a6b7c8d9e0f1a", "company": "acme", "url": "https://crm.example.com/hooks",
        "format": "meeva", "events": ["booking.*"], "headers": {"x-team": "***"}, "description": "CRM", "rate": "50/s",
        "disabled": false, "disabled_reason": null, "overlap_until": null,
        "created_at": CREATED_AT, "updated_at": CREATED_AT
    });
    let mut created = endpoint.clone();
    created["secret"] = json!(SECRET);
    let token = "tok_0199c2f4a0b17d3e8f5a6b7c8d9e0f1a";
    let event = "evt_0199c2f4a0b17d3e8f5a6b7c8d9e0f1a";
    vec![
        ("Endpoint", endpoint),
        ("CreatedEndpoint", created),
        (
            "CreateEndpoint",
            json!({"url": "https://crm.example.com/hooks", "events": ["booking.*"], "headers": {"x-team": "crm"}}),
        ),
        ("ChangeEndpoint", json!({"disabled": true, "rate": null})),
        ("SecretView", json!({"secret": SECRET})),
        ("RotateSecret", json!({"overlap": "24h"})),
        (
            "RotatedSecret",
            json!({"secret": SECRET, "overlap_until": CREATED_AT}),
        ),
        ("CreateToken", json!({"name": "CI", "expires_in": "90d"})),
        (
            "CreatedToken",
            json!({"id": token, "token": "hkl_…", "name": "CI", "expires_at": ENDS_AT}),
        ),
        (
            "PortalLink",
            json!({"url": "https://hooks.example.com/enter/…", "expires_at": CREATED_AT}),
        ),
        (
            "Token",
            json!({"id": token, "name": "CI", "created_at": CREATED_AT, "expires_at": ENDS_AT, "revoked_at": null,
                "last_used_at": null}),
        ),
        (
            "Imported",
            json!({"dry_run": true, "results": [
                {"row": 1, "company": "acme", "id": "ep_crm", "result": "created", "detail": null}
            ]}),
        ),
        (
            "AuditEntry",
            json!({"id": 7, "at": CREATED_AT, "actor": "admin", "action": "token.created", "object": token,
                "before": null, "after": {"name": "CI", "expires_at": ENDS_AT}}),
        ),
        (
            "NewEvent",
            json!({"type": "booking.created", "data": {"booking": {"id": "b_1"}}}),
        ),
        ("AcceptedEvent", json!({"id": event})),
        ("TestEvent", json!({"type": "booking.created"})),
        ("SentTestEvent", json!({"event": event})),
        ("Problem", json!(Problem::not_found().body())),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn described() -> Value {
        serde_json::from_str(&crate::api::description()).unwrap()
    }

    #[test]
    fn every_example_is_of_a_schema_that_is_there_and_names_only_what_the_schema_has() {
        let api = described();
        for (name, example) in examples() {
            let schema = &api["components"]["schemas"][name];
            assert!(schema.is_object(), "{name}");
            let mut known = Vec::new();
            for part in std::iter::once(schema).chain(schema["allOf"].as_array().into_iter().flatten()) {
                let reference = part["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
                let part = reference.map_or(part, |pointer| api.pointer(pointer).unwrap());
                known.extend(part["properties"].as_object().into_iter().flat_map(Map::keys));
            }
            for member in example.as_object().unwrap().keys() {
                assert!(known.contains(&member), "{name} has no {member}");
            }
        }
    }
}
