use std::io::Write;

use backup_core::{Entry, EntryKind, EntryPath};
use backup_engine::{Contents, Depth};
use serde_json::json;

use crate::cli::Settings;
use crate::commands::list::human;
use crate::context::repository;
use crate::exit::Failure;
use crate::output::{Output, unwritable};

/// Entries that are read at once.
const PAGE: usize = 1000;

/// Lists what is in a backup, page by page: memory does not grow with it.
pub(crate) async fn contents(
    settings: &Settings,
    id: &str,
    path: Option<&str>,
    recursive: bool,
) -> Result<(), Failure> {
    let place = path.map(place).transpose()?;
    let depth = if recursive { Depth::Tree } else { Depth::Folder };
    let repository = repository(settings).await?;
    let receipt = repository.find_prefix(id).await?;
    let contents = repository.browse(&receipt).await?;
    let mut list = List {
        out: Output::Stdout.open()?,
        json: settings.json,
        count: 0,
    };
    if let Some((part, inner)) = place {
        write_place(&contents, part, &inner, depth, &mut list).await?;
    } else {
        for part in contents.parts() {
            list.part(part)?;
            if recursive {
                write_place(&contents, part, &EntryPath::root(), depth, &mut list).await?;
            }
        }
    }
    list.end()
}

/// Reads `PART/inner/path` as it is shown.
pub(crate) fn place(text: &str) -> Result<(&str, EntryPath), Failure> {
    let (part, inner) = text.split_once('/').unwrap_or((text, ""));
    let inner = EntryPath::from_shown(inner.trim_end_matches('/'));
    Ok((part, inner.map_err(|error| Failure::usage(error.to_string()))?))
}

/// What stands in a folder; anything else alone.
async fn write_place(
    contents: &Contents,
    part: &str,
    place: &EntryPath,
    depth: Depth,
    list: &mut List,
) -> Result<(), Failure> {
    if let Some(entry) = contents.entry(part, place).await?
        && entry.kind != EntryKind::Directory
    {
        return list.entry(part, &entry);
    }
    let mut after = None;
    loop {
        let page = contents.page(part, place.clone(), after, PAGE, depth).await?;
        for entry in &page {
            list.entry(part, entry)?;
        }
        list.flush()?;
        if page.len() < PAGE {
            return Ok(());
        }
        after = page.last().map(|entry| entry.path.clone());
    }
}

/// The list on its way out: lines, or one JSON array that an error leaves without an end.
struct List {
    out: Box<dyn Write + Send>,
    json: bool,
    count: u64,
}

impl List {
    fn part(&mut self, name: &str) -> Result<(), Failure> {
        let kind = EntryKind::Directory.as_str();
        if self.json {
            let part = json!({
                "path": name, "kind": kind, "sizeBytes": 0, "modifiedAt": null, "mode": null, "target": null,
            });
            return self.element(&part.to_string());
        }
        self.line(kind, 0, "", name)
    }

    fn entry(&mut self, part: &str, entry: &Entry) -> Result<(), Failure> {
        let path = format!("{part}/{}", entry.path);
        let (kind, at, target) = (entry.kind.as_str(), entry.modified_at(), entry.shown_target(part));
        if self.json {
            let entry = json!({
                "path": path, "kind": kind, "sizeBytes": entry.size, "modifiedAt": at,
                "mode": format!("{:04o}", entry.mode & 0o7777), "target": target,
            });
            return self.element(&entry.to_string());
        }
        let at = at.map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M:%SZ").to_string());
        let shown = target.map_or_else(|| path.clone(), |target| format!("{path} -> {target}"));
        self.line(kind, entry.size, &at, &shown)
    }

    fn line(&mut self, kind: &str, size: u64, at: &str, shown: &str) -> Result<(), Failure> {
        let size = human(size);
        writeln!(self.out, "{kind:<12} {size:>10}  {at:<20}  {shown}").map_err(|error| unwritable(&error))
    }

    fn element(&mut self, element: &str) -> Result<(), Failure> {
        let before = if self.count == 0 { "[" } else { "," };
        self.count += 1;
        write!(self.out, "{before}\n  {element}").map_err(|error| unwritable(&error))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| unwritable(&error))
    }

    fn end(mut self) -> Result<(), Failure> {
        if self.json {
            let end = if self.count == 0 { "[]" } else { "\n]" };
            writeln!(self.out, "{end}").map_err(|error| unwritable(&error))?;
        }
        self.flush()
    }
}
