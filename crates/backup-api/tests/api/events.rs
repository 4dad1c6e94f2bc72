//! Live events.

use std::time::Duration;

use backup_core::{BackupSource, BackupTrigger};
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{Catalog, Event, TestApp, on_both_catalogs};

on_both_catalogs!(
    changes_come_as_they_happen,
    a_listener_resumes_where_it_was,
    a_listener_that_was_away_too_long_is_told,
    a_session_that_ends_ends_the_stream,
    nobody_takes_all_the_streams,
);

const PATH: &str = "/api/admin/backup/events";

async fn changes_come_as_they_happen(app: TestApp) {
    let viewer = app.as_viewer().await;
    let (mut chinese, mut english) = (viewer.events(PATH).await, viewer.english().events(PATH).await);
    // The first block says where the stream stands: from then on nothing is missed.
    assert!(chinese.next_block().await.unwrap().starts_with("id: "));
    assert!(english.next_block().await.unwrap().starts_with("id: "));
    let backup = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "live").await;
    let event = chinese.next().await.unwrap();
    assert_eq!(
        (event.name.as_str(), &event.data["id"]),
        ("backup", &Value::from(backup.id.to_string()))
    );
    assert_eq!(event.data["currentStep"], "等待執行");
    assert_eq!(english.next().await.unwrap().data["currentStep"], "Waiting to run");
    app.complete(backup.id, 1000).await;
    loop {
        let event = chinese.next().await.unwrap();
        if event.data["status"] == "COMPLETED" {
            assert_eq!(event.data["sizeBytes"], 1000);
            break;
        }
    }
    // Silence is broken by comments, so that proxies keep the connection.
    while chinese.next_block().await.unwrap() != ": alive" {}
}

async fn a_listener_resumes_where_it_was(app: TestApp) {
    let viewer = app.as_viewer().await;
    let mut ids = Vec::new();
    for note in ["a", "b", "c"] {
        ids.push(
            app.new_backup(BackupSource::Files, BackupTrigger::Manual, note)
                .await
                .id
                .to_string(),
        );
    }
    let all: Vec<Event> = collect(&viewer.with("Last-Event-ID", "0"), 3).await;
    assert_eq!(
        all.iter()
            .map(|event| event.data["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>(),
        ids
    );
    let after_first = viewer.with("Last-Event-ID", all[0].id.unwrap().to_string());
    assert_eq!(collect(&after_first, 2).await, all[1..]);
    viewer
        .with("Last-Event-ID", "x")
        .get(PATH)
        .await
        .refused(400, "parameter_invalid");
}

async fn collect(client: &crate::support::Client, count: usize) -> Vec<Event> {
    let mut events = client.events(PATH).await;
    let mut all = Vec::new();
    while all.len() < count {
        all.push(events.next().await.unwrap());
    }
    all
}

async fn a_listener_that_was_away_too_long_is_told(app: TestApp) {
    let viewer = app.as_viewer().await;
    app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await;
    // An id that this catalog has never given: it was restored or made anew.
    let mut events = viewer.with("Last-Event-ID", "1000000").events(PATH).await;
    let reset = events.next().await.unwrap();
    assert_eq!((reset.name.as_str(), reset.id), ("reset", None));
    let backup = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await;
    assert_eq!(events.next().await.unwrap().data["id"], backup.id.to_string());
}

/// As a standby does that took over before it had everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_that_has_lost_its_newest_events_ends_the_streams_and_goes_on() {
    let app = TestApp::start(Catalog::Postgres).await;
    let viewer = app.as_viewer().await;
    let mut events = viewer.events(PATH).await;
    for note in ["a", "b"] {
        app.new_backup(BackupSource::Files, BackupTrigger::Manual, note).await;
    }
    let mut seen = 0;
    while seen < 2 {
        seen = events.next().await.unwrap().id.unwrap();
    }
    let database = app.database.as_ref().unwrap();
    database.psql("DELETE FROM events WHERE seq > 1; UPDATE event_counter SET last_seq = 1");
    let end = async { while events.next_block().await.is_some() {} };
    timeout(Duration::from_secs(20), end)
        .await
        .expect("the stream waits for what was lost");
    let mut events = viewer.with("Last-Event-ID", seen.to_string()).events(PATH).await;
    assert_eq!(events.next().await.unwrap().name, "reset");
    let backup = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "c").await;
    assert_eq!(events.next().await.unwrap().data["id"], backup.id.to_string());
}

async fn a_session_that_ends_ends_the_stream(app: TestApp) {
    let viewer = app.as_viewer().await;
    let mut events = viewer.events(PATH).await;
    viewer.post("/api/auth/logout", "").await.expect(200);
    let end = async { while events.next_block().await.is_some() {} };
    timeout(Duration::from_secs(20), end)
        .await
        .expect("the stream goes on after the log-out");
}

async fn nobody_takes_all_the_streams(app: TestApp) {
    let (viewer, again, admin) = (app.as_viewer().await, app.as_viewer().await, app.as_admin().await);
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(viewer.events(PATH).await);
    }
    for client in [&viewer, &again] {
        let refused = client.get(PATH).await.refused(429, "too_many_streams");
        assert!(refused.header("retry-after").is_some());
    }
    let mut other = admin.events(PATH).await;
    assert!(other.next_block().await.is_some(), "another is not concerned");
    // The place of one that has gone is free as soon as the server notices.
    drop(open.pop());
    let next = async {
        while let Err(status) = again.try_events(PATH).await {
            assert_eq!(status, 429);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), next)
        .await
        .expect("the place of a stream that has ended is still taken");
}
