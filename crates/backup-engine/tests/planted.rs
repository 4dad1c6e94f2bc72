//! A file that somebody puts among the receipts costs no more memory than its length allows. Alone in its process: it looks
//! at what the whole process took.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

#[path = "it/kit.rs"]
#[allow(dead_code, reason = "it uses its own share of the kit")]
mod kit;

use std::fs;

use backup_core::{BackupSource, PipelineError};
use kit::{Place, backup};

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_receipt_costs_little_memory() {
    let place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Files).await;
    let path = place.path("storage").join(made.storage_path.as_deref().unwrap());
    let path = path.with_file_name(format!("{}.json", made.id));
    let good = fs::read_to_string(&path).unwrap();
    engine.repository().find(made.id).await.unwrap();
    let before = peak();
    // All but the MAC are right: the key is told by every receipt.
    for filling in ["0,", "[],", "{},", "{\"\":0},", "\"\","] {
        let many = filling.repeat((7 << 20) / filling.len());
        let planted = good.replacen('{', &format!("{{\"more\":[{many}0],"), 1);
        fs::write(&path, planted).unwrap();
        let error = engine.repository().find(made.id).await.unwrap_err();
        assert!(matches!(error, PipelineError::Integrity { .. }), "{error}");
        assert!(error.full_text().contains("MAC"), "{error}");
    }
    let wide: Vec<String> = (0..500_000).map(|number| format!("\"{number}\":0")).collect();
    let planted = good.replacen('{', &format!("{{\"more\":{{{}}},", wide.join(",")), 1);
    fs::write(&path, planted).unwrap();
    let error = engine.repository().find(made.id).await.unwrap_err();
    assert!(matches!(error, PipelineError::Integrity { .. }), "{error}");
    let grown = peak() - before;
    assert!(grown < 128 << 20, "{} MiB", grown >> 20);

    // More than any of ours is not read at all.
    fs::write(&path, " ".repeat(9 << 20)).unwrap();
    let error = engine.repository().find(made.id).await.unwrap_err();
    assert!(matches!(error, PipelineError::Integrity { .. }), "{error}");
    assert!(error.full_text().contains("none of ours"), "{error}");
}
