//! THIRD-PARTY.txt: what the programs contain, and the licences of it, each text once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use backup_tests::tools;

use super::inventory::Component;
use crate::failed;

/// What files with a licence are called, in capitals.
const NAMES: [&str; 7] = [
    "LICENSE",
    "LICENCE",
    "COPYING",
    "COPYRIGHT",
    "NOTICE",
    "UNLICENSE",
    "AUTHORS",
];

const RULE: &str = "--------------------------------------------------------------------------------";

/// The file's content.
pub(super) fn file(components: &[Component]) -> io::Result<String> {
    let mut list = String::from("What the programs of this release contain of others, and under which licences.\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for component in components {
        let name = format!("{} {}", component.name, component.version);
        writeln!(list, "{name}: {}", component.licence).map_err(io::Error::other)?;
        let found = texts_of(component)?;
        if found.is_empty() {
            without.push(format!("{name}: {}", component.licence));
        }
        for text in found {
            let users = texts.entry(text).or_default();
            if !users.contains(&name) {
                users.push(name.clone());
            }
        }
    }
    if !without.is_empty() {
        list += "\nThese come without the text of their licence, which is among those below:\n\n";
        list += &(without.join("\n") + "\n");
    }
    let mut texts: Vec<(String, Vec<String>)> = texts.into_iter().collect();
    texts.sort_by(|(_, a), (_, b)| a.cmp(b));
    for (text, users) in texts {
        write!(list, "\n{RULE}\n{}\n{RULE}\n\n{text}\n", users.join(", ")).map_err(io::Error::other)?;
    }
    Ok(list)
}

/// The texts that it brings, in its folder and one below, where the sources of a C library have theirs; and the one of ours
/// for a component that forgets it.
fn texts_of(component: &Component) -> io::Result<Vec<String>> {
    let mut texts = Vec::new();
    let entries = fs::read_dir(&component.folder).map_err(|error| {
        let hint = "HINT: Build the programs first.";
        failed(format!(
            "the sources {} cannot be read: {error} ({hint})",
            component.folder.display()
        ))
    })?;
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() && !path.ends_with("node_modules") {
            let mut below: Vec<_> = fs::read_dir(&path)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<_>>()?;
            below.sort();
            for path in below {
                texts.extend(text_in(&path)?);
            }
        } else {
            texts.extend(text_in(&path)?);
        }
    }
    let ours = tools::workspace()
        .join("packaging/licences")
        .join(format!("{}.txt", component.name));
    if ours.exists() {
        texts.push(fs::read_to_string(ours)?.trim_end().to_owned());
    }
    texts.sort();
    texts.dedup();
    Ok(texts)
}

fn text_in(path: &Path) -> io::Result<Option<String>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    let is_code = path
        .extension()
        .is_some_and(|end| ["rs", "c", "h", "js", "json"].iter().any(|code| end == *code));
    if is_code || !path.is_file() || !NAMES.iter().any(|start| name.starts_with(start)) {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&fs::read(path)?).replace("\r\n", "\n");
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::inventory;

    #[test]
    fn every_component_is_listed_and_the_c_libraries_bring_their_texts() {
        let components = inventory::of_programs().unwrap();
        let file = file(&components).unwrap();
        for component in &components {
            assert!(
                file.contains(&format!("{} {}: ", component.name, component.version)),
                "{}",
                component.name
            );
        }
        for owner in [
            "OpenSSL Project",
            "PostgreSQL Global Development Group",
            "Facebook",
            "Eric Biggers",
        ] {
            assert!(file.contains(owner), "{owner}");
        }
    }
}
