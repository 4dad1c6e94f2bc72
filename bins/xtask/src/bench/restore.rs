//! Scenario `restore`: a whole database and a whole tree, ours beside `pg_restore` and `tar`; and what of a large archive is
//! read for one small file.

mod one_file;
mod ours;
mod peers;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

use backup_tests::postgres::Database;
use backup_tests::{tools, unique};

use super::contest::Work;
use super::data::Data;
use super::measure::{Sample, count_in, mebibytes, megabytes, range, size_of};
use super::{Args, table};
use crate::cargo;
use crate::failed;
use crate::setup::Installed;
use ours::{OURS, Stored};
use peers::{PEERS, Prepared};

/// What is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Database,
    Files,
}

/// Ours is to take at most the time of the other.
const AIMS: &[(&str, &str)] = &[
    (ours::DATABASE_ZSTD, peers::PG_RESTORE),
    (ours::DATABASE_GZIP, peers::PG_RESTORE),
    (ours::DATABASE_ZSTD, peers::PG_RESTORE_GZIP),
    (ours::DATABASE_GZIP, peers::PG_RESTORE_GZIP),
    (ours::FILES_ZSTD, peers::TAR),
    (ours::FILES_GZIP, peers::TAR),
    (ours::FILES_ZSTD, peers::TAR_FLUSHED),
    (ours::FILES_GZIP, peers::TAR_FLUSHED),
    (ours::FILES_ZSTD, peers::TAR_ZSTD),
    (ours::FILES_GZIP, peers::TAR_GZIP),
];

/// Measures and prints.
pub(super) fn run(args: &Args, installed: &Installed) -> io::Result<()> {
    let programs = cargo::build_programs(&["api-server"], true)?;
    let data = Data::ready(args, installed)?;
    for part in [Part::Database, Part::Files] {
        contest(part, args, &programs, &data)?;
    }
    drop(data);
    one_file::run(args, &programs)
}

/// How many connections restore a database, with ours and the peers alike.
fn jobs() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// One of those who are measured, with what it restores from.
struct Contestant {
    name: &'static str,
    way: Way,
    samples: Vec<Sample>,
}

enum Way {
    Ours(Stored),
    Peer(Prepared),
}

/// Where one restore goes. Dropped, all of it goes.
struct Place {
    database: Database,
    work: Work,
}

impl Place {
    fn new(data: &Data, keep: &Path) -> io::Result<Self> {
        Ok(Self {
            database: data.postgres.database(&format!("restored_{}", unique())),
            work: Work::new(keep)?,
        })
    }

    /// The folder for the files, which is not there yet.
    fn folder(&self) -> PathBuf {
        self.work.folder().join("restored")
    }

    /// Whoever restores less must not win.
    fn check(&self, part: Part, data: &Data) -> io::Result<()> {
        let same = match part {
            Part::Database => self.database.row_counts() == data.database.row_counts(),
            Part::Files => {
                let figures = |folder: &Path| (count_in(folder), size_of(folder));
                figures(&self.folder()) == figures(&data.uploads)
            }
        };
        same.then_some(())
            .ok_or_else(|| failed(format!("what was restored is not what was saved: {part:?}")))
    }
}

impl Contestant {
    /// All for this part whose name contains `only`, and the one that is there to be compared with.
    fn all(part: Part, args: &Args, programs: &Path, data: &Data) -> io::Result<Vec<Self>> {
        let keep = args.keep()?;
        let only = |name: &str| {
            let floor = [peers::PG_RESTORE, peers::TAR].contains(&name);
            floor || args.only.as_ref().is_none_or(|only| name.contains(only))
        };
        let mut all = Vec::new();
        for ours in OURS.iter().filter(|ours| ours.part == part && only(ours.name)) {
            println!("making a backup: {}", ours.name);
            all.push((ours.name, Way::Ours(Stored::make(ours, programs, data, &keep)?)));
        }
        for peer in PEERS.iter().filter(|peer| peer.part == part && only(peer.name)) {
            if peer.is_there() {
                println!("preparing: {}", peer.name);
                all.push((peer.name, Way::Peer(Prepared::make(peer, data, &keep)?)));
            } else {
                println!("skipped, since its program is not installed: {}", peer.name);
            }
        }
        let contestants = all.into_iter().map(|(name, way)| Self {
            name,
            way,
            samples: Vec::new(),
        });
        Ok(contestants.collect())
    }

    fn restore(&mut self, part: Part, programs: &Path, data: &Data, keep: &Path) -> io::Result<()> {
        let place = Place::new(data, keep)?;
        // Nobody pays for what the one before has left to be written.
        data.database.try_psql("CHECKPOINT")?;
        tools::run(&mut Command::new("sync"))?;
        print!("{} … ", self.name);
        io::stdout().flush()?;
        let sample = match &self.way {
            Way::Ours(stored) => stored.restore(programs, data, &place)?,
            Way::Peer(prepared) => prepared.restore(data, &place)?,
        };
        println!("{:.1} s", sample.wall.as_secs_f64());
        place.check(part, data)?;
        self.samples.push(sample);
        Ok(())
    }
}

/// All restore the part in turn.
fn contest(part: Part, args: &Args, programs: &Path, data: &Data) -> io::Result<()> {
    let keep = args.keep()?;
    let mut contestants = Contestant::all(part, args, programs, data)?;
    for round in 1..=args.rounds {
        println!("round {round} of {}", args.rounds);
        for one in &mut contestants {
            one.restore(part, programs, data, &keep)?;
        }
    }
    println!(
        "\n{part:?}, medians of {} rounds. CPU is without the servers'; memory is that of the largest process.\n",
        args.rounds
    );
    print(&contestants);
    println!();
    if part == Part::Database {
        println!(
            "N is {}. Ours puts down a dump of 256 MiB and more first, and restores a smaller one by one connection.",
            jobs()
        );
    }
    if args.scale < 1.0 {
        println!("The aims are for scale 1; here fixed costs outweigh.");
    }
    for (ours, other) in AIMS {
        let wall = |name: &str| Some(median(&contestants, name)?.wall.as_secs_f64());
        if let (Some(ours_took), Some(other_took)) = (wall(ours), wall(other)) {
            let reached = ours_took / other_took;
            let aim = format!("{ours}: at most the time of [{other}]");
            table::verdict(reached <= 1.0, &aim, &format!("{reached:.2}"));
        }
    }
    Ok(())
}

fn median(contestants: &[Contestant], name: &str) -> Option<Sample> {
    let found = contestants.iter().find(|one| one.name == name)?;
    Sample::median(&found.samples)
}

fn print(contestants: &[Contestant]) {
    let rows: Vec<Vec<String>> = contestants
        .iter()
        .filter_map(|one| Some((one, Sample::median(&one.samples)?)))
        .map(|(one, median)| {
            vec![
                one.name.to_owned(),
                format!("{:.1}", median.wall.as_secs_f64()),
                range(&one.samples),
                format!("{:.1}", median.cpu.as_secs_f64()),
                format!("{:.0}", mebibytes(median.memory)),
                format!("{:.0}", megabytes(median.temporary)),
                format!("{:.1}", megabytes(median.stored)),
            ]
        })
        .collect();
    let heads = [
        "",
        "wall s",
        "range",
        "CPU s",
        "memory MiB",
        "temporary disk MB",
        "restored from MB",
    ];
    table::print(&heads, &rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_aim_names_two_that_are_measured_on_the_same_part() {
        for (name, other) in AIMS {
            let ours = OURS.iter().find(|ours| ours.name == *name).unwrap();
            let peer = PEERS.iter().find(|peer| peer.name == *other).unwrap();
            assert_eq!(ours.part, peer.part, "{name}, {other}");
        }
    }
}
