//! Contestants that take turns, so that whatever disturbs the machine disturbs all of them alike.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use backup_tests::tools;
use tempfile::TempDir;

use super::data::Data;
use super::measure::Sample;
use super::ours::{OURS, Ours};
use super::peers::{FLOOR, PEERS, Peer};

/// Who makes backups.
enum Way {
    Ours(&'static Ours),
    Peer(&'static Peer),
}

/// One of those who are measured, with what was measured.
pub(super) struct Contestant {
    way: Way,
    pub(super) samples: Vec<Sample>,
}

/// A folder for one backup or restore; all of it goes with the value.
pub(super) struct Work(TempDir);

impl Work {
    /// An empty one.
    pub(super) fn new(keep: &Path) -> io::Result<Self> {
        let work = Self(tempfile::Builder::new().prefix("work-").tempdir_in(keep)?);
        fs::create_dir(work.store())?;
        fs::create_dir(work.temporary())?;
        Ok(work)
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Where the backup goes.
    pub(super) fn store(&self) -> PathBuf {
        self.folder().join("store")
    }

    /// For temporary files.
    pub(super) fn temporary(&self) -> PathBuf {
        self.folder().join("tmp")
    }
}

impl Contestant {
    /// All that can run here, and of them the floor and those whose name contains `only`.
    pub(super) fn all(only: Option<&str>) -> Vec<Self> {
        let (floor, peers) = PEERS.split_at(1);
        let ours = OURS.iter().map(Way::Ours);
        let ways = floor
            .iter()
            .map(Way::Peer)
            .chain(ours)
            .chain(peers.iter().map(Way::Peer));
        let all = ways.map(|way| Self {
            way,
            samples: Vec::new(),
        });
        all.filter(|one| one.name() == FLOOR || only.is_none_or(|only| one.name().contains(only)))
            .filter(Self::can_run)
            .collect()
    }

    fn can_run(&self) -> bool {
        let there = match self.way {
            Way::Ours(_) => true,
            Way::Peer(peer) => peer.is_there(),
        };
        if !there {
            println!("skipped, since it is not installed: {}", self.name());
        }
        there
    }

    /// What the table calls it.
    pub(super) fn name(&self) -> &'static str {
        match self.way {
            Way::Ours(ours) => ours.name,
            Way::Peer(peer) => peer.name,
        }
    }

    /// What one must know to compare it.
    pub(super) fn remark(&self) -> &'static str {
        match self.way {
            Way::Ours(_) => "",
            Way::Peer(peer) => peer.remark,
        }
    }

    /// The medians; `None` where it was not measured.
    pub(super) fn median(&self) -> Option<Sample> {
        Sample::median(&self.samples)
    }

    fn back_up(&mut self, programs: &Path, data: &Data, keep: &Path) -> io::Result<()> {
        let work = Work::new(keep)?;
        // Nobody pays for what the one before has left to be written.
        tools::run(&mut Command::new("sync"))?;
        print!("{} … ", self.name());
        io::stdout().flush()?;
        let sample = match self.way {
            Way::Ours(ours) => ours.back_up(programs, data, &work)?,
            Way::Peer(peer) => peer.back_up(data, &work)?,
        };
        println!("{:.1} s", sample.wall.as_secs_f64());
        self.samples.push(sample);
        Ok(())
    }
}

/// Measures all in turn, `rounds` times.
pub(super) fn run(
    contestants: &mut [Contestant],
    rounds: u32,
    programs: &Path,
    data: &Data,
    keep: &Path,
) -> io::Result<()> {
    println!("warming up, so that nobody has to read what the others find in memory");
    for one in contestants.iter_mut().filter(|one| one.name() == FLOOR) {
        one.back_up(programs, data, keep)?;
        one.samples.clear();
    }
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        for one in contestants.iter_mut() {
            let once = matches!(one.way, Way::Peer(peer) if peer.once);
            if round == 1 || !once {
                one.back_up(programs, data, keep)?;
            }
        }
    }
    Ok(())
}
