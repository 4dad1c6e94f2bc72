//! The console over HTTP: what a browser is given, and what programs are not.
#![cfg(feature = "console")]

use backup_api::ApiSettings;

use crate::support::{Catalog, TestApp};

/// Addresses that the page names, of this kind.
fn named(page: &str, end: &str) -> String {
    let mut parts = page.split("=\"./").skip(1).filter_map(|part| part.split('"').next());
    parts.find(|path| path.ends_with(end)).unwrap().to_owned()
}

#[tokio::test]
async fn browsers_get_the_page_at_every_address_and_programs_a_404() {
    let settings = ApiSettings {
        base_path: "/x/y".to_owned(),
        ..ApiSettings::default()
    };
    let app = TestApp::start_with(Catalog::Sqlite, settings).await;
    let browser = app.client.with("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    for path in [
        "",
        "/",
        "/backups?page=2",
        "/restore/of/something",
        "/%2e%2e/etc/passwd",
    ] {
        let page = browser.get(path).await.expect(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        assert!(page.text().contains("<base href=\"/x/y/\">"), "{}", page.text());
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("script-src 'self';") && policy.contains("default-src 'none'"),
            "{policy}"
        );
        assert!(
            !page.text().contains("<script>"),
            "a script stands in the page: {}",
            page.text()
        );
    }
    // What is no page is told as such, to browsers too.
    for path in ["/api/admin/nothing", "/api", "/assets/nothing.js"] {
        browser.get(path).await.refused(404, "not_found");
    }
    app.client.get("/backups").await.refused(404, "not_found");
    browser.post("/backups", "{}").await.refused(404, "not_found");
    app.client.get("/").await.expect(200);
}

#[tokio::test]
async fn assets_are_compressed_as_the_browser_knows_and_kept() {
    let app = TestApp::start(Catalog::Sqlite).await;
    let page = app.client.get("/").await.expect(200).text();
    let (script, icon) = (
        format!("/{}", named(&page, ".js")),
        format!("/{}", named(&page, ".svg")),
    );

    let plain = app.client.get(&script).await.expect(200);
    assert_eq!(plain.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    assert!(plain.header("cache-control").unwrap().contains("immutable"));
    let mut tags = vec![plain.header("etag").unwrap().to_owned()];
    for (accepted, encoding) in [("gzip, deflate, br, zstd", "br"), ("gzip, br;q=0", "gzip")] {
        let client = app.client.with("Accept-Encoding", accepted);
        let asset = client.get(&script).await.expect(200);
        assert_eq!(asset.header("content-encoding"), Some(encoding));
        assert!(asset.body.len() * 2 < plain.body.len());
        let tag = asset.header("etag").unwrap().to_owned();
        let again = client.with("If-None-Match", &tag).get(&script).await.expect(304);
        assert!(again.body.is_empty() && again.header("etag") == Some(&tag));
        tags.push(tag);
    }
    tags.dedup();
    assert_eq!(tags.len(), 3, "each form has a tag of its own");

    let icon = app.client.get(&icon).await.expect(200);
    assert_eq!(icon.header("cache-control"), Some("no-cache"));
    assert_eq!(icon.header("content-type"), Some("image/svg+xml"));
}
