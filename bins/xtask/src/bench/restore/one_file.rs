//! One small file out of a large archive, and what is read for it.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::Command;

use backup_tests::{tools, unique};

use super::super::data::make_noise;
use super::super::measure::megabytes;
use super::super::ours::completed;
use super::super::served::Served;
use super::super::{Args, table};
use crate::failed;

/// Bytes of the archive that the aim speaks of, which is also what is made at scale 1.
const SIZE: u64 = 10_000_000_000;

/// The share of the archive that may be read.
const SHARE: f64 = 0.001;

/// Bytes of each large file, and how many of them stand in a folder beside a small one.
const LARGE: u64 = 1_000_000;
const IN_A_FOLDER: u64 = 100;

/// Bytes that stay free on the disk.
const SPARE: u64 = 2_000_000_000;

/// Measures and prints. Where the disk has no room for the files and the archive, a smaller one is made.
pub(super) fn run(args: &Args, programs: &Path) -> io::Result<()> {
    let keep = args.keep()?;
    let wanted = (SIZE as f64 * args.scale) as u64;
    let size = affordable(wanted, free(&keep)?);
    if size < wanted {
        println!("the disk has no room for an archive of {:.0} MB", megabytes(wanted));
    }
    let folder = tempfile::Builder::new().prefix("one-file-").tempdir_in(&keep)?;
    let uploads = folder.path().join("uploads");
    let folders = (size / (LARGE * IN_A_FOLDER)).max(3);
    println!(
        "making {folders} folders of {:.0} MB and a backup of them",
        megabytes(LARGE * IN_A_FOLDER)
    );
    for number in 0..folders {
        fill(&uploads.join(format!("{number:06}")), number)?;
    }
    let password = unique();
    let backup = {
        let served = Served::start_as(programs, folder.path(), &[], &password)?;
        completed(&served.client, "FILES")?
    };
    fs::remove_dir_all(&uploads)?;
    fs::create_dir(&uploads)?;

    // A server that does nothing beside, and has not read the archive before.
    let idle = [("BACKUP_WORKERS", "0".to_owned())];
    let served = Served::start_as(programs, folder.path(), &idle, &password)?;
    let archive = backup["sizeBytes"]
        .as_u64()
        .ok_or_else(|| failed(format!("no size in {backup}")))?;
    let id = backup["id"].as_str().unwrap_or_default();
    let mut rows = Vec::new();
    let mut most = 0;
    for (name, number) in [("first", 0), ("middle", folders / 2), ("last", folders - 1)] {
        let path = format!("/api/admin/backup/{id}/contents/file?path=files/{number:06}/note.txt");
        let before = read_by(served.server.pid())?;
        let mut text = String::new();
        served.client.fetch(&path, None)?.body.read_to_string(&mut text)?;
        let read = read_by(served.server.pid())? - before;
        if text != note(number) {
            return Err(failed(format!("the {name} file came as: {text}")));
        }
        most = most.max(read);
        rows.push(vec![
            name.to_owned(),
            format!("{:.0}", megabytes(archive)),
            format!("{:.3}", megabytes(read)),
            format!("{:.4}", 100.0 * read as f64 / archive as f64),
        ]);
    }
    println!(
        "\nOne small file. Read is all that the server's process reads meanwhile, the catalog's pages among it.\n"
    );
    table::print(&["", "archive MB", "read MB", "% of the archive"], &rows);
    println!();
    judge(most, archive);
    Ok(())
}

/// Says whether the aim is met. What is read is a member, a piece of the index and the archive's end, which hardly grow with
/// the archive: with a smaller one, it is held against what the large one would allow.
fn judge(read: u64, archive: u64) {
    let allowed = (archive.max(SIZE) as f64 * SHARE) as u64;
    if archive < SIZE {
        println!(
            "The aim is for {:.0} MB: what is read hardly grows, and is held against that.",
            megabytes(SIZE)
        );
    }
    let aim = format!(
        "one small file of {:.0} MB: less than {:.1} % of it is read, that is {:.1} MB",
        megabytes(archive.max(SIZE)),
        100.0 * SHARE,
        megabytes(allowed)
    );
    table::verdict(read < allowed, &aim, &format!("{:.3} MB", megabytes(read)));
}

/// A folder of files that do not compress, with a small one.
fn fill(folder: &Path, number: u64) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for large in 0..IN_A_FOLDER {
        make_noise(
            &folder.join(format!("{large:03}.bin")),
            LARGE,
            number * IN_A_FOLDER + large,
        )?;
    }
    fs::write(folder.join("note.txt"), note(number))
}

fn note(number: u64) -> String {
    format!("what stands in folder {number}\n")
}

/// Bytes of files that can be made where so much is free: an archive as large has to stand beside them.
fn affordable(wanted: u64, free: u64) -> u64 {
    wanted.min(free.saturating_sub(SPARE) / 2)
}

fn free(folder: &Path) -> io::Result<u64> {
    let output = tools::run(Command::new("df").args(["--output=avail", "-B1"]).arg(folder))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let free = said.lines().nth(1).and_then(|line| line.trim().parse().ok());
    free.ok_or_else(|| failed(format!("df said: {said}")))
}

/// Bytes that a process has read so far, by whatever call and from wherever: never fewer than came from the storage.
fn read_by(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let read = text.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok());
    read.ok_or_else(|| failed("the kernel does not tell what a process reads"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_from_memory_counts_as_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("noise");
        make_noise(&file, 100_000, 1).unwrap();
        let before = read_by(std::process::id()).unwrap();
        assert_eq!(fs::read(&file).unwrap().len(), 100_000);
        assert!(read_by(std::process::id()).unwrap() - before >= 100_000);
    }

    #[test]
    fn files_and_archive_leave_room_on_the_disk() {
        assert_eq!(affordable(SIZE, 100 * SIZE), SIZE);
        assert_eq!(affordable(SIZE, SPARE + SIZE), SIZE / 2);
        assert_eq!(affordable(SIZE, 0), 0);
    }
}
