//! What all routes of the description have in common, written once: what the parts of a path look like, and each answer
//! that a request can get because of who asks, how often, and in which form.

use serde_json::{Map, Value, json};

use super::examples::examples;
use super::routes::RouteInfo;
use crate::auth::Access;
use crate::problem::Problem;

/// Adds it to the description of these routes.
pub(super) fn complete(api: &mut Value, routes: &[RouteInfo]) {
    for route in routes {
        let pointer = format!("/paths/{}/{}", escaped(&route.path), route.method.to_lowercase());
        if let Some(operation) = api.pointer_mut(&pointer) {
            describe_path(operation);
            describe_body(operation);
            add_answers(operation, route.access);
        }
    }
    refer_to_rows(api);
    let shared: Map<String, Value> = SHARED
        .iter()
        .map(|shared| (shared.name.to_owned(), shared.answer()))
        .collect();
    if let Some(components) = api.pointer_mut("/components").and_then(Value::as_object_mut) {
        components.insert("responses".to_owned(), shared.into());
    }
    for (schema, example) in examples() {
        if let Some(schema) = api.pointer_mut(&format!("/components/schemas/{schema}")) {
            schema["examples"] = json!([example]);
        }
    }
}

/// As RFC 6901 writes a name within a pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What the parameters of a path look like: whatever else is given there is the id of nothing.
fn describe_path(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters
        .into_iter()
        .flatten()
        .filter(|parameter| parameter["in"] == "path")
    {
        let (pattern, example) = match parameter["name"].as_str() {
            Some("company") => ("^[A-Za-z0-9_.-]{1,64}$", "acme"),
            Some("id" | "endpoint") => ("^[A-Za-z0-9_.-]{1,64}$", "ep_crm"),
            Some("event") => ("^[A-Za-z0-9_-]{1,64}$", "evt_0199c2f4a0b17d3e8f5a6b7c8d9e0f1a"),
            _ => continue,
        };
        parameter["schema"] = json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": pattern});
        parameter["example"] = json!(example);
    }
}

/// A body that may be left out is an object all the same, and not null.
fn describe_body(operation: &mut Value) {
    let content = operation
        .pointer_mut("/requestBody/content")
        .and_then(Value::as_object_mut);
    let mut is_optional = false;
    for media in content.into_iter().flat_map(Map::values_mut) {
        let choices = media["schema"]["oneOf"].as_array();
        let is_null = |choice: &Value| choice["type"] == "null";
        if let Some(choices) = choices.filter(|choices| choices.iter().any(is_null)) {
            let given = choices.iter().find(|choice| !is_null(choice)).cloned();
            media["schema"] = given.unwrap_or_default();
            is_optional = true;
        }
    }
    if is_optional {
        operation["requestBody"]["required"] = json!(false);
    }
}

/// The rows of a list have a name already.
fn refer_to_rows(api: &mut Value) {
    let Some(schemas) = api
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    let names: Vec<String> = schemas.keys().cloned().collect();
    for row in &names {
        if let Some(rows) = schemas
            .get_mut(&format!("List_{row}"))
            .and_then(|list| list.pointer_mut("/properties/data"))
        {
            rows["items"] = json!({"$ref": format!("#/components/schemas/{row}")});
        }
    }
}

/// An answer that many routes give.
struct Shared {
    name: &'static str,
    description: &'static str,
    /// A problem as it is answered there.
    problem: fn() -> Problem,
    /// Which operations give it.
    given: fn(Access, &Value) -> bool,
}

const SHARED: [Shared; 10] = [
    Shared {
        name: "InvalidRequest",
        description: "Something in the query or the body is not as it must be; `detail` says what",
        problem: || Problem::invalid("the body: missing field `url` at line 1 column 2"),
        given: |_, operation| has_body(operation) || has_parameter(operation, "query"),
    },
    Shared {
        name: "Unauthorized",
        description: "There is no good token",
        problem: Problem::unauthorized,
        given: |access, _| access != Access::Public,
    },
    Shared {
        name: "Forbidden",
        description: "The token is good, and this is the operator's to do",
        problem: || Problem::forbidden("only the operator's token may do this"),
        given: |access, _| access == Access::Admin,
    },
    Shared {
        name: "NotFound",
        description: "There is no such company, endpoint, token, event or delivery, or this token may not see it",
        problem: Problem::not_found,
        given: |access, operation| access != Access::Public && has_parameter(operation, "path"),
    },
    Shared {
        name: "RequestTimeout",
        description: "The request did not come whole in time",
        problem: Problem::request_timeout,
        given: |_, _| true,
    },
    Shared {
        name: "BodyTooLarge",
        description: "The body is too long",
        problem: || Problem::too_large(crate::limits::MAX_BODY_BYTES),
        given: |_, operation| has_body(operation),
    },
    Shared {
        name: "UnsupportedMediaType",
        description: "The body is of another type than this route takes",
        problem: || Problem::media_type("application/json"),
        given: |_, operation| has_body(operation),
    },
    Shared {
        name: "TooManyRequests",
        description: "This token, or this address without a good one, has asked too often",
        problem: || Problem::too_many(std::time::Duration::from_secs(1)),
        given: |access, _| access != Access::Public,
    },
    Shared {
        name: "Internal",
        description: "It failed on our side; the log says why",
        problem: Problem::internal,
        given: |access, _| access != Access::Public,
    },
    Shared {
        name: "Unavailable",
        description: "Something that the console needs is away; try again after as long as Retry-After says",
        problem: || {
            Problem::unavailable(
                "database_unavailable",
                "the database does not answer; try again in a moment",
            )
        },
        given: |access, _| access != Access::Public,
    },
];

impl Shared {
    fn answer(&self) -> Value {
        let problem = (self.problem)();
        let mut answer = json!({
            "description": self.description,
            "content": {"application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": problem.body(),
            }},
        });
        let headers = problem.headers().into_iter().map(|(name, about, example)| {
            let header = json!({"description": about, "required": true, "schema": {"type": "string"}, "example": example});
            (name.to_owned(), header)
        });
        let headers: Map<String, Value> = headers.collect();
        if !headers.is_empty() {
            answer["headers"] = headers.into();
        }
        answer
    }
}

fn has_body(operation: &Value) -> bool {
    operation.get("requestBody").is_some()
}

fn has_parameter(operation: &Value, place: &str) -> bool {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    parameters
        .into_iter()
        .flatten()
        .any(|parameter| parameter["in"] == place)
}

/// Where a route says more about one of them itself, that stays.
fn add_answers(operation: &mut Value, access: Access) {
    let given: Vec<&Shared> = SHARED
        .iter()
        .filter(|shared| (shared.given)(access, operation))
        .collect();
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    for shared in given {
        let status = (shared.problem)().status().as_u16().to_string();
        let reference = format!("#/components/responses/{}", shared.name);
        responses
            .entry(status)
            .or_insert_with(|| json!({"$ref": reference}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described() -> Value {
        serde_json::from_str(&super::super::description()).unwrap()
    }

    #[test]
    fn every_operation_says_what_it_answers_those_who_may_not_and_those_who_are_too_many() {
        let api = described();
        for route in super::super::routes() {
            let answers = &api["paths"][&route.path][route.method.to_lowercase()]["responses"];
            for (status, access) in [
                ("401", route.access != Access::Public),
                ("403", route.access == Access::Admin),
                ("404", route.path.contains('{') && route.access != Access::Public),
                ("429", route.access != Access::Public),
                ("408", true),
            ] {
                assert_eq!(
                    answers[status].is_object(),
                    access,
                    "{} {} {status}",
                    route.method,
                    route.path
                );
            }
        }
    }
}
