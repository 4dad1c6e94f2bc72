//! `docs/embedding.md`, executed as it stands: a crate of its own, outside this workspace, whose part of a backup comes back.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::path::Path;
use std::process::Command;

use backup_tests::process::{Program, built};
use backup_tests::system::System;
use backup_tests::tools;

const DOCUMENT: &str = include_str!("../../docs/embedding.md");
const WORKSPACE: &str = include_str!("../../Cargo.toml");

/// The code of this language.
fn code(language: &str) -> &'static str {
    let begin = format!("```{language}\n");
    DOCUMENT.split_once(&begin).unwrap().1.split_once("```").unwrap().0
}

/// How this workspace is built for tests: what others have built of the dependencies fits then, which takes ten minutes otherwise.
fn profile() -> &'static str {
    let from = WORKSPACE.find("[profile.dev]").unwrap();
    let to = WORKSPACE.find("[profile.release]").unwrap();
    &WORKSPACE[from..to]
}

/// Builds the document's program in `folder`, with the versions of this workspace, and where its crates have been built.
fn build(folder: &Path) -> Program {
    let workspace = tools::workspace();
    let place = format!("path = \"{}/", workspace.display());
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/main.rs"), code("rust")).unwrap();
    let manifest = code("toml").replace("path = \"backup/", &place);
    fs::write(folder.join("Cargo.toml"), format!("{manifest}\n{}", profile())).unwrap();
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let target = built("backupctl").ancestors().nth(2).unwrap().to_owned();
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--quiet", "--config"])
        .arg(workspace.join(".cargo/config.toml"))
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", &target);
    tools::run(&mut cargo).unwrap();
    Program::at(&target.join("debug/my-service"))
}

#[test]
fn a_service_outside_of_this_workspace_saves_and_restores_what_only_it_knows() {
    let lines = code("rust").lines().filter(|line| !line.is_empty()).count();
    assert!(lines < 60, "the program has {lines} lines");
    let system = System::embedded();
    system.fill_a_little();
    let done = system
        .with_environment(build(&system.folder().join("my-service")))
        .run()
        .expect(0);
    let said: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(
        said,
        ["COMPLETED: ", "words.txt: kept by my service"],
        "{}",
        done.stderr
    );

    // The program's backup is one like all others.
    let listed: serde_json::Value =
        serde_json::from_str(&system.backupctl(&["list", "--json"]).expect(0).stdout).unwrap();
    let id = listed[0]["id"].as_str().unwrap();
    let _verified = system.backupctl(&["verify", id]).expect(0);
    let one = system
        .backupctl(&["extract", id, "words/words.txt", "-o", "-"])
        .expect(0);
    assert_eq!(one.stdout, "kept by my service");
    system.assert_restores(id);
}
