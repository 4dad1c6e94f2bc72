//! A chain of very long members, read in a process of its own, whose memory is measured.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_archive::{ArchiveReader, ByteSource, Cuts};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, PartReader, PipelineError};
use bytes::Bytes;
use kit::chain::{Dice, carried, cut, full, id, on_top, options_of};
use kit::{file, noise, ring};

const ARCHIVES: usize = 60;
const MEMBER: usize = 8 << 20;
const CONTENT: usize = 2 * MEMBER;
const FOLDER: &str = "CHAINS_PRESSURE_FOLDER";

struct OnDisk(File);

impl ByteSource for OnDisk {
    fn len(&self) -> Result<u64, PipelineError> {
        Ok(self.0.metadata().unwrap().len())
    }
    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        let mut bytes = vec![0; len];
        self.0.read_exact_at(&mut bytes, offset).unwrap();
        Ok(bytes.into())
    }
    fn stream(&self, _: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        Ok(Box::new(std::io::empty()))
    }
}

/// What compresses well, other bytes in each archive.
fn text(number: usize) -> Vec<u8> {
    noise(number as u64 + 1, 4096).repeat(CONTENT / 4096)
}

/// Writes a chain whose last archive has 80 MiB of pieces from all over it.
fn make(folder: &Path) {
    let cuts = Cuts {
        member_bytes: MEMBER,
        ..Cuts::default()
    };
    let content = text(0);
    let mut chain = vec![full(Codec::Zstd, true, cuts, &[(file(b"f", content.len()), content)])];
    for number in 1..ARCHIVES {
        let before = carried(&chain).remove(0).1;
        let options = options_of(number, Codec::Zstd, true);
        let link = on_top(&chain, &options, (MEMBER, 512 << 10), |linked| {
            linked.part("files")?;
            let own = text(number);
            let mut places = vec![linked.store(&own)?];
            if number + 1 < ARCHIVES {
                // All content of all archives, that the next one can choose from.
                places.extend(before);
                let length = places.iter().map(|place| place.2).sum::<u64>();
                return linked.entry(&file(b"f", length as usize), &places, None);
            }
            let all: u64 = before.iter().map(|place| place.2).sum();
            let mut dice = Dice::new(1);
            places = (0..1280)
                .flat_map(|_| cut(&before, dice.roll(all - (64 << 10)), 64 << 10))
                .collect();
            linked.entry(&file(b"f", 80 << 20), &places, None)
        });
        chain.push(link);
    }
    for (number, link) in chain.iter().enumerate() {
        std::fs::write(folder.join(format!("{number}")), &link.bytes).unwrap();
        std::fs::write(
            folder.join(format!("{number}.seal")),
            serde_json::to_vec(&link.seal).unwrap(),
        )
        .unwrap();
    }
}

/// The most memory that this process has had, in KiB.
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "measures the memory of a process of its own: started by the test below"]
fn read_it() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let open = |number: usize| {
        let seal: ArchiveSeal =
            serde_json::from_slice(&std::fs::read(folder.join(format!("{number}.seal"))).unwrap()).unwrap();
        let source = OnDisk(File::open(folder.join(format!("{number}"))).unwrap());
        ArchiveReader::open(Arc::new(source), &ring(), &seal, id(number)).unwrap()
    };
    let bases: Vec<_> = (0..ARCHIVES - 1).rev().map(open).collect();
    let reader = open(ARCHIVES - 1).attach(&bases).unwrap();
    let before = high_water();
    let mut stream = reader.part("files").unwrap();
    stream.next_entry().unwrap().unwrap();
    let read = std::io::copy(stream.content(), &mut std::io::sink()).unwrap();
    assert_eq!(read, 80 << 20);
    let grown = high_water() - before;
    println!("grown {grown} KiB");
    assert!(grown < 192 << 10, "the reader took {grown} KiB");
}

#[test]
fn a_chain_of_long_members_needs_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "read_it"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
