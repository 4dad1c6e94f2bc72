//! Scenario `download`: a large backup fetched over HTTP, as it is stored and decrypted; resumed; and fetched so slowly
//! that somebody might have to wait for it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use backup_tests::tools;

use super::load::{Load, load};
use super::ours::completed;
use super::served::Served;
use super::{Args, data, table};
use crate::cargo;
use crate::failed;
use crate::setup::Installed;

/// Bytes of the file that is backed up, at scale 1.
const SIZE: u64 = 5_000_000_000;

/// Memory that downloads may add, bytes.
const GROWTH: u64 = 64 << 20;

/// Slow callers at once, who take in a kilobyte a second each.
const SLOW: usize = 32;

/// How long others are asked meanwhile.
const MEANWHILE: Duration = Duration::from_secs(15);

/// What a slow caller may cost another, as a factor of the p99, or in milliseconds where that is next to nothing.
const FACTOR: f64 = 2.0;
const NOTHING: f64 = 10.0;

/// Measures and prints.
pub(super) fn run(args: &Args, _installed: &Installed) -> io::Result<()> {
    let wrk = tools::debian::program("wrk")?;
    let programs = cargo::build_programs(&["api-server"], true)?;
    let folder = tempfile::Builder::new().prefix("download-").tempdir_in(args.keep()?)?;
    let uploads = folder.path().join("uploads");
    fs::create_dir(&uploads)?;
    let size = (SIZE as f64 * args.scale) as u64;
    println!("making a file of {} MB and a backup of it", size / 1_000_000);
    data::make_noise(&uploads.join("noise.bin"), size, 0)?;
    let content = hash(File::open(uploads.join("noise.bin"))?)?;
    let password = backup_tests::unique();
    let backup = {
        let served = Served::start_as(&programs, folder.path(), &[], &password)?;
        completed(&served.client, "FILES")?
    };
    fs::remove_dir_all(&uploads)?;
    fs::create_dir(&uploads)?;

    // A server that has made no backup: its memory is what downloads take.
    let idle = [("BACKUP_WORKERS", "0".to_owned())];
    let served = Served::start_as(&programs, folder.path(), &idle, &password)?;
    let text = |name: &str| backup[name].as_str().unwrap_or_default().to_owned();
    let path = format!("/api/admin/backup/{}/download", text("id"));
    let (checksum, stored) = (text("checksum"), backup["sizeBytes"].as_u64().unwrap_or_default());

    let mut rows = Vec::new();
    let mut downloads = Vec::new();
    for (name, path) in [
        ("as stored", path.clone()),
        ("decrypted", format!("{path}?decrypt=true")),
    ] {
        let before = served.memory()?;
        served.forget_peak()?;
        let begun = Instant::now();
        let got = if name == "decrypted" {
            // What comes out of the archive, by the standard tool, is what went in.
            through(
                &mut served.client.fetch(&path, None)?.body,
                &["tar", "xzO", "files/noise.bin"],
            )?
        } else {
            hash(served.client.fetch(&path, None)?.body)?
        };
        let (wall, peak) = (begun.elapsed().as_secs_f64(), served.peak()?);
        let mebibytes = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
        rows.push(vec![
            name.to_owned(),
            format!("{wall:.1}"),
            format!("{:.0}", stored as f64 / 1e6 / wall),
            mebibytes(before),
            mebibytes(peak),
            mebibytes(served.memory()?),
        ]);
        downloads.push((name, got, peak.saturating_sub(before)));
    }
    println!();
    table::print(&["", "wall s", "MB/s", "MiB before", "at the most", "after"], &rows);
    println!();
    for (name, got, grown) in downloads {
        let wanted = if name == "decrypted" { &content } else { &checksum };
        table::verdict(
            got == *wanted,
            &format!("{name}: the bytes are the right ones"),
            &got[..16],
        );
        let figure = format!("{:.1} MiB", grown as f64 / f64::from(1 << 20));
        let aim = format!("{name}: adds less than {} MiB", GROWTH >> 20);
        table::verdict(grown < GROWTH, &aim, &figure);
    }
    resume(&served, &path, stored, &checksum)?;
    slow(&served, &wrk, &path)
}

/// Breaks off after two fifths and goes on from there.
fn resume(served: &Served, path: &str, stored: u64, checksum: &str) -> io::Result<()> {
    let broken_off = stored / 5 * 2 + 1;
    let first = served.client.fetch(path, None)?.body.take(broken_off);
    let rest = served.client.fetch(path, Some(broken_off))?;
    if rest.status != 206 {
        return Err(failed(format!("a range was answered by {}", rest.status)));
    }
    let got = hash(first.chain(rest.body))?;
    table::verdict(
        got == checksum,
        "resumed by Range: the bytes are the right ones",
        &got[..16],
    );
    Ok(())
}

/// Many take in the file at a kilobyte a second; others list backups.
fn slow(served: &Served, wrk: &Path, path: &str) -> io::Result<()> {
    let list = ["/api/admin/backup".to_owned()];
    let ask = || load(wrk, served, &list, 4, MEANWHILE);
    let alone = ask()?;
    let before = served.memory()?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for index in 0..SLOW {
        let path = if index % 8 == 0 {
            format!("{path}?decrypt=true")
        } else {
            path.to_owned()
        };
        let (mut answer, stop) = (served.client.ask(&path)?, Arc::clone(&stop));
        // Whoever wants it decrypted has all of it checked first.
        answer.read_exact(&mut [0])?;
        readers.push(thread::spawn(move || -> io::Result<u64> {
            let mut taken = 0;
            while !stop.load(Ordering::Relaxed) {
                let mut kilobyte = [0; 1_000];
                taken += answer.read(&mut kilobyte)? as u64;
                thread::sleep(Duration::from_secs(1));
            }
            Ok(taken)
        }));
    }
    let beside = ask()?;
    let during = served.memory()?;
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().map_err(|_| failed("a slow reader broke down"))??;
    }
    println!();
    let row = |name: &str, load: &Load, memory: u64| {
        vec![
            name.to_owned(),
            format!("{:.0}", load.rate),
            format!("{:.1}", load.median),
            format!("{:.1}", load.p99),
            format!("{:.1}", memory as f64 / f64::from(1 << 20)),
        ]
    };
    table::print(
        &["", "lists/s", "median ms", "p99 ms", "memory MiB"],
        &[
            row("alone", &alone, before),
            row(&format!("beside {SLOW} slow downloads"), &beside, during),
        ],
    );
    println!();
    let aim = format!("{SLOW} slow downloads hold up nobody: p99 at most {FACTOR} times, or {NOTHING} ms");
    let met = beside.p99 <= (alone.p99 * FACTOR).max(NOTHING);
    table::verdict(met, &aim, &format!("{:.1} ms", beside.p99));
    Ok(())
}

/// SHA-256 in hexadecimal digits.
fn hash(mut bytes: impl io::Read) -> io::Result<String> {
    let mut program = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = program.stdin.take() {
        io::copy(&mut bytes, &mut input)?;
    }
    let output = program.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let hash = said.split(' ').next().filter(|hash| hash.len() == 64);
    hash.map(str::to_owned)
        .ok_or_else(|| failed(format!("sha256sum said: {said}")))
}

/// SHA-256 of what a program makes of these bytes.
fn through(bytes: &mut impl io::Read, program: &[&str]) -> io::Result<String> {
    let mut child = Command::new(program[0])
        .args(&program[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let (Some(mut input), Some(output)) = (input, output) else {
        return Err(failed("a pipe is missing"));
    };
    let hashing = thread::spawn(move || hash(output));
    io::copy(bytes, &mut input)?;
    drop(input);
    let status = child.wait()?;
    if !status.success() {
        return Err(failed(format!("{}: {status}", program.join(" "))));
    }
    hashing.join().map_err(|_| failed("the hashing broke down"))?
}
