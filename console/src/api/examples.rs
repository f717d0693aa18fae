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
        "health": {"consecutive_failures": 0, "failing_since": null, "last_success_at": CREATED_AT, "last_failure_at": null},
        "created_at": CREATED_AT, "updated_at": CREATED_AT
    });
    let mut created = endpoint.clone();
    created["secret"] = json!(SECRET);
    let explanation = json!({
        "sentence": "The endpoint's server failed while it handled the event (500).",
        "next_step": "Look at the server's log at that time for the error, and mend the handler."
    });
    let logged = json!({
        "event": "evt_0199c2f4a0b17d3e8f5a6b7c8d9e0f1a", "endpoint": "ep_crm", "type": "booking.created",
        "origin": "event", "status": "retrying", "attempts": 1, "last_outcome": "http_status", "last_status": 500,
        "last_error": null, "explanation": explanation, "created_at": CREATED_AT, "last_attempt_at": CREATED_AT,
        "next_attempt_at": "2026-01-05T09:31:00.200Z"
    });
    let mut in_full = logged.clone();
    in_full["attempt_count"] = json!(1);
    in_full["attempts"] = json!([{
        "id": "0199c2f4-a0b1-7d3e-8f5a-6b7c8d9e0f1a", "attempt": 1, "origin": "event",
        "url": "https://crm.example.com/hooks", "started_at": CREATED_AT, "duration_ms": 77, "outcome": "http_status",
        "status": 500, "error": null, "explanation": explanation, "next_attempt_at": "2026-01-05T09:31:00.200Z",
        "final": false, "trace_id": null, "request_headers": {"content-type": "application/json", "webhook-attempt": "1"},
        "response_headers": {"content-type": "text/plain"}, "response": "no room left on disk"
    }]);
    in_full["data"] = json!({"booking": {"id": "b_1"}});
    in_full["data_missing"] = json!(null);
    let dead_letter = json!({
        "event": "evt_0199c2f4a0b17d3e8f5a6b7c8d9e0f1a", "endpoint": "ep_crm", "type": "booking.created",
        "origin": "event", "reason": "retries_exhausted", "last_outcome": "http_status", "last_status": 500,
        "attempts": 4, "explanation": explanation, "failed_at": CREATED_AT, "created_at": CREATED_AT,
        "retried_at": null
    });
    let recorded = json!({
        "id": "evt_0199c2f4a0b17d3e8f5a6b7c8d9e0f1a", "type": "booking.created", "createdAt": CREATED_AT,
        "recorded_at": CREATED_AT, "data": {"booking": {"id": "b_1"}}
    });
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
        ("Delivery", logged),
        ("DeliveryInFull", in_full),
        (
            "FailingGroup",
            json!({"endpoint": "ep_crm", "outcome": "http_status", "status": 500, "explanation": explanation,
                "retrying": 202, "failed": 12, "first_at": CREATED_AT, "last_at": CREATED_AT,
                "sample": {"event": event, "endpoint": "ep_crm"}}),
        ),
        ("FeedPage", json!({"data": [recorded], "next": "e2a"})),
        ("RecordedEvent", recorded),
        ("Replay", json!({"endpoint": "ep_crm"})),
        ("ReplayedEvent", json!({"event": event, "endpoint": "ep_crm"})),
        ("DeadLetter", dead_letter.clone()),
        ("DeadLetterInFull", {
            let mut in_full = dead_letter;
            in_full["data"] = json!({"booking": {"id": "b_1"}});
            in_full
        }),
        (
            "RetryFailed",
            json!({"endpoint": "ep_crm", "since": CREATED_AT, "dry_run": true}),
        ),
        ("FailedFilter", json!({"endpoint": "ep_crm", "type": "booking.*"})),
        (
            "Retried",
            json!({"count": 214, "skipped": 0, "dry_run": false, "retry": "rty_0199c2f4a0b17d3e8f5a6b7c8d9e0f1a"}),
        ),
        ("Counted", json!({"count": 1})),
        (
            "RetryProgress",
            json!({"id": "rty_0199c2f4a0b17d3e8f5a6b7c8d9e0f1a", "state": "running", "total": 214, "done": 50,
                "delivered": 38, "failed_again": 0, "left_otherwise": 0, "under_way": 12, "skipped": 0, "created_at": CREATED_AT, "finished_at": null}),
        ),
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
