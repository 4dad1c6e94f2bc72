//! Builds the console with npm where `ui/dist` is missing or was made from other sources, and embeds it.

use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::fs::{self, File};
use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the build is made from, below `ui`.
const SOURCES: &[&str] = &[
    "index.html",
    "package-lock.json",
    "public",
    "scripts",
    "src",
    "vite.config.ts",
];

fn main() -> Outcome<()> {
    let ui = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("ui");
    for source in SOURCES.iter().chain(&["dist/index.html"]) {
        println!("cargo::rerun-if-changed={}", ui.join(source).display());
    }
    build(&ui)?;
    let table = table_of(&ui.join("dist"))?;
    fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("assets.rs"), table)?;
    Ok(())
}

/// Makes `ui/dist`, unless it was made from these very sources.
fn build(ui: &Path) -> Outcome<()> {
    // Two builds into different target folders must not make it at the same time.
    let lock = File::open(ui.join("package.json"))?;
    lock.lock()?;
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        for file in files_below(&ui.join(source))? {
            file.hash(&mut hasher);
            fs::read(&file)?.hash(&mut hasher);
        }
    }
    let sources = hasher.finish().to_string();
    let stamp = ui.join("dist/.sources");
    if is(&stamp, &sources) {
        return Ok(());
    }
    let installed = ui.join("node_modules/.installed-lock.json");
    let wanted = fs::read_to_string(ui.join("package-lock.json"))?;
    if !is(&installed, &wanted) {
        npm(
            ui,
            &["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"],
        )?;
        fs::write(installed, wanted)?;
    }
    npm(ui, &["run", "build"])?;
    fs::write(stamp, sources)?;
    Ok(())
}

fn is(file: &Path, text: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|found| found == text)
}

fn npm(ui: &Path, args: &[&str]) -> Outcome<()> {
    let shown = format!("npm {}", args.join(" "));
    let output = Command::new("npm")
        .args(args)
        .current_dir(ui)
        .output()
        .map_err(|error| {
            format!(
                "{shown}: {error} (HINT: Install Node.js 20 or newer, or build api-server with --no-default-features.)"
            )
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Err(format!("{shown}: {}\n{}", output.status, said.concat()).into())
}

/// Every file, in a fixed order.
fn files_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    let below = entries.iter().map(|entry| files_below(entry));
    Ok(below.collect::<io::Result<Vec<_>>>()?.concat())
}

/// The table of assets as Rust: sorted by path, each with its compressed forms.
fn table_of(dist: &Path) -> Outcome<String> {
    let mut rows = Vec::new();
    for file in files_below(dist)? {
        let path = text(file.strip_prefix(dist)?)?;
        let end = path.rsplit_once('.').map(|(_, end)| end);
        if ["index.html", ".sources"].contains(&path) || matches!(end, Some("br" | "gz")) {
            continue;
        }
        let content_type = match end {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("json") => "application/json",
            Some("woff2") => "font/woff2",
            Some("png") => "image/png",
            _ => return Err(format!("no content type is known for {path}").into()),
        };
        let mut hasher = DefaultHasher::new();
        fs::read(&file)?.hash(&mut hasher);
        let tag = hasher.finish();
        let file = text(&file)?;
        let compressed = |end: &str| {
            let file = format!("{file}.{end}");
            if Path::new(&file).is_file() {
                format!("Some(include_bytes!({file:?}))")
            } else {
                "None".to_owned()
            }
        };
        let (brotli, gzip) = (compressed("br"), compressed("gz"));
        rows.push(format!(
            "    Asset {{ path: {path:?}, content_type: {content_type:?}, tag: \"{tag:016x}\", \
             bytes: include_bytes!({file:?}), brotli: {brotli}, gzip: {gzip} }},\n"
        ));
    }
    let page = dist.join("index.html");
    Ok(format!(
        "static PAGE: &str = include_str!({:?});\nstatic ASSETS: &[Asset] = &[\n{}];\n",
        text(&page)?,
        rows.concat()
    ))
}

fn text(path: &Path) -> Outcome<&str> {
    Ok(path.to_str().ok_or("a path that is not UTF-8")?)
}
