//! The OpenAPI document: true to the routes, and readable.

use std::collections::BTreeSet;
use std::path::PathBuf;

use backup_api::{ApiSettings, endpoints};
use serde_json::{Value, json};

use crate::support::{Catalog, TestApp};

/// Set, the committed document is written anew.
const RENEW: &str = "BACKUP_RENEW_OPENAPI";

async fn document(app: &TestApp) -> Value {
    let response = app.client.get("/api/openapi.json").await.expect(200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    response.json()
}

/// Method, path and operation of all that is documented.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

#[tokio::test]
async fn the_committed_document_is_the_served_one() {
    let app = TestApp::start(Catalog::Sqlite).await;
    let served = app.client.get("/api/openapi.json").await.expect(200).text();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(&file, &served).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap_or_default() == served,
        "docs/openapi.json is not what is served. Read what changed, and renew it by: \
         {RENEW}=1 cargo test -p backup-api --test api committed_document"
    );
}

#[tokio::test]
async fn every_route_is_documented_and_nothing_else() {
    let app = TestApp::start(Catalog::Sqlite).await;
    let document = document(&app).await;
    let documented: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(method, path, operation)| (method, path, operation["x-access"].as_str().unwrap().to_owned()))
        .collect();
    let served: BTreeSet<_> = endpoints()
        .into_iter()
        .map(|endpoint| {
            let access = endpoint.access.as_str().to_owned();
            (endpoint.method.to_string(), endpoint.path.to_owned(), access)
        })
        .collect();
    assert_eq!(documented, served);

    let tags: Vec<&Value> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(
            ids.insert(operation["operationId"].to_string()),
            "{what}: its id is another's"
        );
        assert!(
            operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
            "{what}: no summary"
        );
        assert!(
            tags.contains(&&operation["tags"][0]),
            "{what}: {} is not described",
            operation["tags"]
        );
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn check(value: &Value, document: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
                }
                fields.values().for_each(|field| check(field, document));
            }
            Value::Array(items) => items.iter().for_each(|item| check(item, document)),
            _ => {}
        }
    }
    let app = TestApp::start(Catalog::Sqlite).await;
    let document = document(&app).await;
    check(&document, &document);
}

#[tokio::test]
async fn what_is_not_documented_is_refused() {
    let app = TestApp::start(Catalog::Sqlite).await;
    let admin = app.as_admin().await;
    for endpoint in endpoints() {
        // Machines that watch may add what they like, and so may identity providers.
        let open = !endpoint.path.starts_with("/api/") || endpoint.path == "/api/auth/oidc/callback";
        if open || endpoint.method == "HEAD" {
            continue;
        }
        let path = endpoint.path.replace("{id}", "01890000-0000-7000-8000-000000000000");
        let body = if endpoint.method == "POST" {
            r#"{"surprise":1}"#
        } else {
            ""
        };
        let response = admin
            .send(endpoint.method.as_str(), &format!("{path}?surprise=1"), body)
            .await;
        assert_eq!(response.status, 400, "{} {path}: {}", endpoint.method, response.text());
    }
}

#[tokio::test]
async fn the_document_knows_its_base_path() {
    let settings = ApiSettings {
        base_path: "/x/y".to_owned(),
        ..ApiSettings::default()
    };
    let app = TestApp::start_with(Catalog::Sqlite, settings).await;
    assert_eq!(document(&app).await["servers"], json!([{ "url": "/x/y" }]));
}

#[tokio::test]
async fn the_page_needs_no_script_and_nothing_from_outside() {
    let app = TestApp::start(Catalog::Sqlite).await;
    let document = document(&app).await;
    for (client, language, title) in [
        (app.client.clone(), "zh-TW", "備份系統 API"),
        (app.client.english(), "en", "Backup system API"),
    ] {
        let page = client.get("/api/docs").await.expect(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("content-language"), Some(language));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
        let html = page.text();
        assert!(html.contains(&format!("<h1>{title}</h1>")), "{html}");
        for outside in ["<script", "http:", "https:", "src=", "@import", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
        for (_, path, operation) in operations(&document) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(html.contains(&format!("<article id=\"{id}\">")), "{path}");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(html.contains(&format!("<article id=\"schema-{name}\">")), "{name}");
        }
    }
}

#[tokio::test]
async fn the_stream_of_events_answers_as_documented() {
    let app = TestApp::start(Catalog::Sqlite).await;
    let document = document(&app).await;
    let operation = &document["paths"]["/api/admin/backup/events"]["get"];
    assert!(operation["responses"]["200"]["content"]["text/event-stream"].is_object());
    let viewer = app.as_viewer().await;
    let path = "/api/admin/backup/events";
    for (client, path, status) in [
        (app.client.clone(), path.to_owned(), 401),
        (viewer.clone(), format!("{path}?surprise=1"), 400),
        (viewer.with("Last-Event-ID", "-1"), path.to_owned(), 400),
    ] {
        let response = client.get(&path).await.expect(status);
        assert!(operation["responses"][status.to_string()].is_object(), "{status}");
        assert_eq!(response.header("content-type"), Some("application/json"));
    }
    let mut events = viewer.events(path).await;
    assert_eq!(events.content_type, "text/event-stream");
    assert!(events.next_block().await.unwrap().starts_with("id: "));
}
