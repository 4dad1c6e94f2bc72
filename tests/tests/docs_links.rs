//! The documents hold together: what they link to is there, the book has every page, and files that they name exist.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Folders that are not ours.
const SKIPPED: [&str; 4] = [".git", "data", "node_modules", "target"];

/// What a path in a code span begins with when it is one of this repository.
const PLACES: [&str; 6] = ["bins/", "crates/", "docs/", "migrations/", "packaging/", "tests/"];

/// A document without its blocks of code.
struct Document {
    path: PathBuf,
    lines: Vec<String>,
}

impl Document {
    fn read(path: &Path) -> Self {
        let mut in_code = false;
        let mut lines = Vec::new();
        for line in fs::read_to_string(path).unwrap().lines() {
            if line.trim_start().starts_with("```") {
                in_code = !in_code;
            } else if !in_code {
                lines.push(line.to_owned());
            }
        }
        assert!(!in_code, "{}: a block of code has no end", path.display());
        let path = path.to_owned();
        Self { path, lines }
    }

    /// Where its links lead, those to other hosts left out.
    fn links(&self) -> Vec<String> {
        let mut found = Vec::new();
        for line in &self.lines {
            let text = outside_code(line);
            for after in text.split("](").skip(1) {
                let target = after.split(')').next().unwrap();
                if !target.contains("://") && !target.starts_with("mailto:") {
                    found.push(target.to_owned());
                }
            }
        }
        found
    }

    /// The files of this repository that it names as code.
    fn named(&self) -> Vec<String> {
        let is_path = |span: &&str| {
            PLACES.iter().any(|place| span.starts_with(place))
                && span.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
        };
        self.lines
            .iter()
            .flat_map(|line| line.split('`').skip(1).step_by(2).filter(is_path).map(str::to_owned))
            .collect()
    }

    /// The anchors of its headings, as GitHub and mdBook make them.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.lines.iter().filter(|line| line.starts_with('#'));
        headings
            .map(|line| {
                line.trim_start_matches('#')
                    .trim()
                    .to_lowercase()
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                    .map(|c| if c == ' ' { '-' } else { c })
                    .collect()
            })
            .collect()
    }
}

/// The text outside of code spans.
fn outside_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

fn documents(folder: &Path, found: &mut Vec<Document>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            if !SKIPPED.iter().any(|skipped| name == *skipped) {
                documents(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(Document::read(&path));
        }
    }
}

/// `path` without `..` in it.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            normal.pop();
        } else {
            normal.push(part);
        }
    }
    normal
}

#[test]
fn every_link_leads_somewhere() {
    let (root, mut all, mut broken) = (root(), Vec::new(), Vec::new());
    documents(&root, &mut all);
    assert!(all.len() > 10, "no documents were found below {}", root.display());
    for document in &all {
        let book = root.join("docs");
        let in_book = document.path.starts_with(&book);
        for link in document.links() {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => document.path.clone(),
                file => normal(&document.path.parent().unwrap().join(file)),
            };
            // A page of the book cannot lead out of it.
            let is_there = target.exists() && (!in_book || target.starts_with(&book));
            if !is_there || !anchor.is_empty() && !Document::read(&target).anchors().contains(anchor) {
                broken.push(format!("{}: {link}", document.path.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn every_file_that_is_named_exists() {
    let (root, mut all, mut missing) = (root(), Vec::new(), Vec::new());
    documents(&root, &mut all);
    for document in &all {
        for name in document.named() {
            if !root.join(&name).exists() {
                missing.push(format!("{}: {name}", document.path.display()));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_book_has_every_page() {
    let docs = root().join("docs");
    let summary = Document::read(&docs.join("SUMMARY.md"));
    let listed: BTreeSet<PathBuf> = summary.links().iter().map(|link| docs.join(link)).collect();
    let mut pages = Vec::new();
    documents(&docs, &mut pages);
    let pages: BTreeSet<PathBuf> = pages.into_iter().map(|page| page.path).collect();
    let unlisted: Vec<&PathBuf> = pages
        .iter()
        .filter(|page| !listed.contains(*page) && !page.ends_with("SUMMARY.md"))
        .collect();
    assert_eq!(unlisted, Vec::<&PathBuf>::new(), "docs/SUMMARY.md does not list them");
}
