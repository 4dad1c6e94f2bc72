//! Scenario `backup`: a whole backup of database and files, ours beside the peers, and how far our aims are met.

use std::io;

use super::contest::{self, Contestant};
use super::data::Data;
use super::measure::{Sample, mebibytes, megabytes, range};
use super::ours::{AZURE, GZIP, ZSTD};
use super::peers::{FLOOR, PIPE, RESTIC, SPEC};
use super::{Args, table};
use crate::cargo;
use crate::setup::Installed;

/// Memory that ours may take at these sizes.
const MEMORY: u64 = 100 << 20;

/// Disk that a catalog's log may take meanwhile: it does not grow with the data.
const DISK: u64 = 4_000_000;

/// What we want to reach.
enum Aim {
    /// Ours takes at most this share of another's time.
    Time(&'static str, f64, &'static str),
    /// Ours stores no more than another.
    Bytes(&'static str, &'static str),
    /// Ours keeps to the limit of memory.
    Memory(&'static str),
    /// Ours needs no temporary disk.
    Disk(&'static str),
}

const AIMS: &[Aim] = &[
    Aim::Time(ZSTD, 1.25, FLOOR),
    Aim::Time(GZIP, 1.5, FLOOR),
    Aim::Time(ZSTD, 0.1, SPEC),
    Aim::Time(GZIP, 0.1, SPEC),
    Aim::Time(AZURE, 0.1, SPEC),
    Aim::Time(ZSTD, 1.0, PIPE),
    Aim::Time(GZIP, 1.0, PIPE),
    Aim::Time(ZSTD, 1.0, RESTIC),
    Aim::Time(GZIP, 1.0, RESTIC),
    Aim::Bytes(ZSTD, SPEC),
    Aim::Bytes(GZIP, SPEC),
    Aim::Bytes(AZURE, SPEC),
    Aim::Bytes(ZSTD, PIPE),
    Aim::Bytes(GZIP, PIPE),
    Aim::Bytes(ZSTD, RESTIC),
    Aim::Bytes(GZIP, RESTIC),
    Aim::Memory(ZSTD),
    Aim::Memory(GZIP),
    Aim::Memory(AZURE),
    Aim::Disk(ZSTD),
    Aim::Disk(GZIP),
    Aim::Disk(AZURE),
];

/// Measures and prints.
pub(super) fn run(args: &Args, installed: &Installed) -> io::Result<()> {
    let mut contestants = Contestant::all(args.only.as_deref());
    let data = Data::ready(args, installed)?;
    let programs = cargo::build_programs(&["api-server", "backupctl"], true)?;
    contest::run(&mut contestants, args.rounds, &programs, &data, &args.keep()?)?;
    println!(
        "\nMedians of {} rounds. CPU is without the servers'; memory is that of the largest process.\n",
        args.rounds
    );
    print(&contestants);
    if args.scale < 1.0 {
        println!("\nThe aims are for scale 1; here fixed costs outweigh.");
    } else {
        println!();
    }
    for aim in AIMS {
        aim.judge(&contestants);
    }
    Ok(())
}

fn print(contestants: &[Contestant]) {
    let floor = median(contestants, FLOOR).map(|floor| floor.wall.as_secs_f64());
    let rows: Vec<Vec<String>> = contestants
        .iter()
        .filter_map(|one| Some((one, one.median()?)))
        .map(|(one, median)| {
            let wall = median.wall.as_secs_f64();
            vec![
                one.name().to_owned(),
                format!("{wall:.1}"),
                range(&one.samples),
                floor.map_or_else(String::new, |floor| format!("{:.2}", wall / floor)),
                format!("{:.1}", median.cpu.as_secs_f64()),
                format!("{:.0}", mebibytes(median.memory)),
                format!("{:.0}", megabytes(median.temporary)),
                format!("{:.1}", megabytes(median.stored)),
                one.remark().to_owned(),
            ]
        })
        .collect();
    table::print(
        &[
            "",
            "wall s",
            "range",
            "× floor",
            "CPU s",
            "memory MiB",
            "temporary disk MB",
            "stored MB",
            "remark",
        ],
        &rows,
    );
}

fn median(contestants: &[Contestant], name: &str) -> Option<Sample> {
    contestants.iter().find(|one| one.name() == name)?.median()
}

impl Aim {
    /// Says how far it is met, where both sides were measured.
    fn judge(&self, contestants: &[Contestant]) {
        let of = |name: &str| median(contestants, name);
        match *self {
            Self::Time(ours, share, other) => {
                if let (Some(ours_took), Some(other_took)) = (of(ours), of(other)) {
                    let reached = ours_took.wall.as_secs_f64() / other_took.wall.as_secs_f64();
                    let aim = format!("{ours}: at most {share} of the time of [{other}]");
                    table::verdict(reached <= share, &aim, &format!("{reached:.2}"));
                }
            }
            Self::Bytes(ours, other) => {
                if let (Some(ours_has), Some(other_has)) = (of(ours), of(other)) {
                    let more = megabytes(ours_has.stored) - megabytes(other_has.stored);
                    let aim = format!("{ours}: no more bytes than [{other}]");
                    table::verdict(ours_has.stored <= other_has.stored, &aim, &format!("{more:+.1} MB"));
                }
            }
            Self::Memory(ours) => {
                if let Some(ours_took) = of(ours) {
                    let aim = format!("{ours}: less than {:.0} MiB of memory", mebibytes(MEMORY));
                    let figure = format!("{:.0} MiB", mebibytes(ours_took.memory));
                    table::verdict(ours_took.memory < MEMORY, &aim, &figure);
                }
            }
            Self::Disk(ours) => {
                if let Some(ours_took) = of(ours) {
                    let aim = format!("{ours}: no temporary disk but the catalog's log");
                    let figure = format!("{:.1} MB", megabytes(ours_took.temporary));
                    table::verdict(ours_took.temporary < DISK, &aim, &figure);
                }
            }
        }
    }
}
