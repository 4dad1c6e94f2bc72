//! What all operations have in common: who may, the refusals that the surroundings of a handler answer, headers.

use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::auth::{Access, COOKIE};
use crate::language::Language;
use crate::routes::Endpoint;

/// A refusal that the surroundings of a handler answer.
struct Refusal {
    status: StatusCode,
    description: &'static str,
    applies: fn(&Endpoint, &Value) -> bool,
}

impl Refusal {
    /// Its name among the components.
    fn name(&self) -> String {
        format!("Error{}", self.status.as_u16())
    }
}

const REFUSALS: &[Refusal] = &[
    Refusal {
        status: StatusCode::BAD_REQUEST,
        description: "A parameter or a field of the body is wrong, missing or unknown; `details` names it.",
        // The probes take any query.
        applies: |endpoint, _| endpoint.path.starts_with("/api/"),
    },
    Refusal {
        status: StatusCode::UNAUTHORIZED,
        description: "`unauthorized`: nobody is logged in, or the token is not known.",
        applies: |endpoint, _| endpoint.access != Access::Public,
    },
    Refusal {
        status: StatusCode::FORBIDDEN,
        description: "`forbidden`: the caller may not do this. `cross_origin`: a browser sends this from another site.",
        applies: |endpoint, _| endpoint.access > Access::Read || writes(&endpoint.method),
    },
    Refusal {
        status: StatusCode::NOT_FOUND,
        description: "There is nothing with this identifier.",
        applies: |endpoint, _| endpoint.path.contains('{'),
    },
    Refusal {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        description: "`body_too_large`: more than 64 KiB.",
        applies: |_, operation| has_body(operation),
    },
    Refusal {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        description: "`content_type_unsupported`: the body is not `application/json`.",
        applies: |_, operation| has_body(operation),
    },
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        description: "The catalog or the storage cannot be reached. Try again later.",
        applies: |endpoint, _| endpoint.access != Access::Public,
    },
];

fn has_body(operation: &Value) -> bool {
    operation.get("requestBody").is_some()
}

fn writes(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Adds to an operation what all have in common.
pub(super) fn complete(operation: &mut Value, endpoint: &Endpoint) {
    operation["x-access"] = json!(endpoint.access.as_str());
    if endpoint.access == Access::Public {
        operation["security"] = json!([]);
    }
    let mut parameters = vec![];
    if endpoint.path.contains("{id}") {
        parameters.push(json!({ "$ref": "#/components/parameters/Id" }));
    }
    if let Some(Value::Array(own)) = operation.get_mut("parameters") {
        parameters.append(own);
    }
    for name in ["AcceptLanguage", "RequestId"] {
        parameters.push(json!({ "$ref": format!("#/components/parameters/{name}") }));
    }
    operation["parameters"] = parameters.into();

    for refusal in REFUSALS {
        let status = refusal.status.as_str();
        if operation["responses"].get(status).is_none() && (refusal.applies)(endpoint, operation) {
            let name = refusal.name();
            operation["responses"][status] = json!({ "$ref": format!("#/components/responses/{name}") });
        }
    }
    let Some(Value::Object(responses)) = operation.get_mut("responses") else {
        return;
    };
    for (status, response) in responses {
        if response.get("$ref").is_none() {
            complete_response(response, status);
        }
    }
    if endpoint.method == Method::HEAD {
        without_content(operation);
    }
}

fn complete_response(response: &mut Value, status: &str) {
    let status = status.parse::<StatusCode>().unwrap_or_default();
    if response["description"].as_str().is_none_or(str::is_empty) {
        response["description"] = json!(status.canonical_reason().unwrap_or_default());
    }
    if response.get("content").is_none() && (status.is_client_error() || status.is_server_error()) {
        let own = std::mem::take(response);
        *response = error_response(own["description"].as_str().unwrap_or_default());
        if let Some(Value::Object(headers)) = own.get("headers") {
            for (name, header) in headers {
                response["headers"][name] = header.clone();
            }
        }
    }
    response["headers"]["X-Request-Id"] = json!({ "$ref": "#/components/headers/X-Request-Id" });
}

fn error_response(description: &str) -> Value {
    json!({
        "description": description,
        "headers": {
            "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" },
            "Content-Language": { "$ref": "#/components/headers/Content-Language" },
            "Retry-After": { "$ref": "#/components/headers/Retry-After" },
        },
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    })
}

/// No answer to a HEAD has a body.
fn without_content(operation: &mut Value) {
    let Some(Value::Object(responses)) = operation.get_mut("responses") else {
        return;
    };
    for (status, response) in responses {
        if let Some(refusal) = REFUSALS.iter().find(|refusal| refusal.status.as_str() == status)
            && response.get("$ref").is_some()
        {
            *response = error_response(refusal.description);
        }
        if let Value::Object(response) = response {
            response.remove("content");
        }
    }
}

/// Adds what operations refer to.
pub(super) fn add_components(components: &mut Value) {
    components["securitySchemes"] = json!({
        "session": {
            "type": "apiKey", "in": "cookie", "name": COOKIE,
            "description": "The cookie that a log-in sets.",
        },
        "token": { "type": "http", "scheme": "bearer", "description": "An API token." },
    });
    components["parameters"] = parameters();
    components["headers"] = headers();
    components["responses"] = REFUSALS
        .iter()
        .map(|refusal| (refusal.name(), error_response(refusal.description)))
        .collect::<Map<_, _>>()
        .into();
}

fn parameters() -> Value {
    json!({
        "Id": {
            "name": "id", "in": "path", "required": true,
            "schema": { "$ref": "#/components/schemas/Id" },
        },
        "AcceptLanguage": {
            "name": "Accept-Language", "in": "header",
            "description": "The language of messages: `zh-TW`, which is the default, or `en`.",
            "schema": { "type": "string" }, "example": "en",
        },
        "RequestId": {
            "name": "X-Request-Id", "in": "header",
            "description": "The request's id in the log; without it, or where it is not 1 to 64 letters, digits, `-`, `_` or \
                `.`, the request gets a new one.",
            "schema": { "type": "string" },
        },
    })
}

fn headers() -> Value {
    json!({
        "X-Request-Id": { "description": "The request's id in the log.", "required": true, "schema": { "type": "string" } },
        "Content-Language": {
            "description": "The language of the message.", "required": true,
            "schema": { "type": "string", "enum": Language::ALL.map(Language::tag) },
        },
        "Retry-After": { "description": "Seconds to wait.", "schema": { "type": "integer", "minimum": 0 } },
    })
}
