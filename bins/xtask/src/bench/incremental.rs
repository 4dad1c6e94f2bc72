//! Scenario `incremental`: what a backup that builds on another one stores and takes, after a change of one in a hundred rows
//! and files and after none.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use backup_tests::postgres::Database;
use backup_tests::{tools, tree};
use serde_json::{Value, json};

use super::data::{Data, generator};
use super::ours::completed_as;
use super::served::Served;
use super::{Args, table};
use crate::setup::Installed;
use crate::{cargo, failed};

/// Megabytes that the changed database and the changed files may take in the storage, at scale 1.
const DATABASE_MB: f64 = 15.0;
const FILES_MB: f64 = 18.0;

/// Share of a full backup that signatures may add, and that a backup without a change may store.
const SIGNATURES: f64 = 0.03;
const UNCHANGED: f64 = 0.001;

/// Time of the changed database in dumps that nobody keeps, and of unchanged files in full backups of them.
const OF_THE_DUMP: f64 = 1.3;
const OF_THE_FULL: f64 = 0.05;

/// What was measured in a round, in the order of [`NAMES`].
type Round = Vec<Taken>;

const NAMES: &[&str] = &[
    "database, full",
    "database, unchanged",
    "database, 1 % changed",
    "files, full",
    "files, unchanged",
    "files, 2 % changed",
];

/// One backup.
#[derive(Debug, Clone, Copy)]
struct Taken {
    wall: f64,
    stored: f64,
}

/// Measures and prints.
pub(super) fn run(args: &Args, installed: &Installed) -> io::Result<()> {
    let data = Data::ready(args, installed)?;
    let programs = cargo::build_programs(&["api-server", "backupctl"], true)?;
    let keep = args.keep()?;
    let (mut rounds, mut dumps, mut signatures) = (Vec::new(), Vec::new(), 0.0);
    for round in 1..=args.rounds {
        println!("round {round} of {}", args.rounds);
        let (taken, dump, share) = measure(&data, &programs, &keep)?;
        rounds.push(taken);
        dumps.push(dump);
        signatures = share;
    }
    let median = |name: &str| {
        let at = NAMES.iter().position(|known| *known == name).unwrap_or_default();
        let of = |figure: fn(&Taken) -> f64| middle(rounds.iter().map(|round| figure(&round[at])).collect());
        Taken {
            wall: of(|taken| taken.wall),
            stored: of(|taken| taken.stored),
        }
    };
    let dump = middle(dumps);
    println!(
        "\nMedians of {} rounds, zstd, to a folder. A dump that nobody keeps takes {dump:.2} s.\n",
        args.rounds
    );
    let rows: Vec<Vec<String>> = NAMES
        .iter()
        .map(|name| {
            let taken = median(name);
            vec![
                (*name).to_owned(),
                format!("{:.2}", taken.wall),
                format!("{:.3}", taken.stored),
            ]
        })
        .collect();
    table::print(&["", "wall s", "stored MB"], &rows);
    println!();
    judge(args.scale, dump, signatures, median);
    Ok(())
}

fn judge(scale: f64, dump: f64, signatures: f64, median: impl Fn(&str) -> Taken) {
    for (name, limit) in [("database, 1 % changed", DATABASE_MB), ("files, 2 % changed", FILES_MB)] {
        let stored = median(name).stored;
        let limit = limit * scale;
        table::verdict(
            stored < limit,
            &format!("{name}: stores less than {limit:.1} MB"),
            &format!("{stored:.2} MB"),
        );
    }
    let percent = |share: f64| format!("{:.3} %", share * 100.0);
    for part in ["database", "files"] {
        let share = median(&format!("{part}, unchanged")).stored / median(&format!("{part}, full")).stored;
        let aim = format!("{part}, unchanged: stores less than {}", percent(UNCHANGED));
        table::verdict(share < UNCHANGED, &aim, &percent(share));
    }
    let aim = format!(
        "a full backup grows by less than {} by its signatures",
        percent(SIGNATURES)
    );
    table::verdict(signatures < SIGNATURES, &aim, &percent(signatures));
    let reached = median("database, 1 % changed").wall / dump;
    let aim = format!("database, 1 % changed: at most {OF_THE_DUMP} of the time of the dump alone");
    table::verdict(reached <= OF_THE_DUMP, &aim, &format!("{reached:.2}"));
    let wall = median("files, 2 % changed").wall;
    table::verdict(wall <= 1.0, "files, 2 % changed: at most 1 s", &format!("{wall:.2} s"));
    let share = median("files, unchanged").wall / median("files, full").wall;
    let aim = format!("files, unchanged: at most {OF_THE_FULL} of the time of the full backup");
    table::verdict(share <= OF_THE_FULL, &aim, &format!("{share:.3}"));
}

/// One round on copies of the data: what was taken, how long the dump alone takes, and the signatures' share.
fn measure(data: &Data, programs: &Path, keep: &Path) -> io::Result<(Round, f64, f64)> {
    let bed = Bed::new(data, programs, keep)?;
    // As files are that nobody has just written: younger ones are read once more. Of a copy the top folder is written last.
    tree::rest(&bed.uploads);
    let full = [bed.take("FULL", "DATABASE")?, bed.take("FULL", "FILES")?];
    let unchanged = [bed.take("INCREMENTAL", "DATABASE")?, bed.take("INCREMENTAL", "FILES")?];
    bed.change_database(1, 1)?;
    tools::run(generator("python3", "change_files.py")?.arg(&bed.uploads))?;
    let dump = bed.dump_alone()?;
    let changed = [bed.take("INCREMENTAL", "DATABASE")?, bed.take("INCREMENTAL", "FILES")?];
    let share = signatures(programs, &bed, &[&full[0].1, &full[1].1])?;
    let round = (0..2)
        .flat_map(|part| [full[part].0, unchanged[part].0, changed[part].0])
        .collect();
    Ok((round, dump, share))
}

/// Copies of the data that may be changed, and a server that backs them up.
pub(super) struct Bed {
    /// The server; before its folder, which goes when it has ended.
    served: Served,
    /// Where the server keeps its data and its storage.
    pub(super) folder: tempfile::TempDir,
    uploads: PathBuf,
    /// The copy of the database.
    pub(super) database: Database,
    environment: Vec<(&'static str, String)>,
    /// Where PostgreSQL's programs are.
    programs: PathBuf,
}

impl Bed {
    /// Copies the data and starts a server.
    pub(super) fn new(data: &Data, programs: &Path, keep: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("incremental-").tempdir_in(keep)?;
        let uploads = folder.path().join("uploads");
        tools::run(Command::new("cp").arg("-a").arg(&data.uploads).arg(&uploads))?;
        let database = data.copy();
        let settings = [
            ("BACKUP_COMPRESSION", "zstd".to_owned()),
            ("DATABASE_HOST", database.host.clone()),
            ("DATABASE_PORT", database.port.to_string()),
            ("DATABASE_NAME", database.name.clone()),
            ("DATABASE_USER", database.user.clone()),
            ("DATABASE_PASSWORD", database.password.clone()),
            ("BACKUP_CHAIN_MAX_LENGTH", "100".to_owned()),
            // Fifty changes weigh more than the full backup does.
            ("BACKUP_CHAIN_MAX_WEIGHT", "1000".to_owned()),
            ("PATH", data.path()),
        ];
        Ok(Self {
            served: Served::start(programs, folder.path(), &settings)?,
            environment: data.environment_of(&database),
            programs: data.postgres.bin_dir().to_owned(),
            uploads,
            folder,
            database,
        })
    }

    /// Takes a backup: what it took, and its identifier.
    fn take(&self, backup_type: &str, source: &str) -> io::Result<(Taken, String)> {
        tools::run(&mut Command::new("sync"))?;
        let begun = Instant::now();
        let backup = completed_as(&self.served.client, backup_type, source)?;
        let wall = begun.elapsed().as_secs_f64();
        if backup["type"] != json!(backup_type) {
            return Err(failed(format!(
                "{backup_type} was asked for and {} made: {backup}",
                backup["type"]
            )));
        }
        let stored = backup["sizeBytes"]
            .as_f64()
            .ok_or_else(|| failed(format!("no size in {backup}")))?
            / 1e6;
        println!("{source}, {backup_type}: {wall:.2} s, {stored:.2} MB");
        Ok((Taken { wall, stored }, id_of(&backup)?))
    }

    /// The same of a full backup or one more link of the database's chain.
    pub(super) fn link(&self, backup_type: &str) -> io::Result<String> {
        Ok(self.take(backup_type, "DATABASE")?.1)
    }

    /// Changes this part of the orders, picked at random, and adds as many.
    pub(super) fn change_database(&self, percent: u32, round: u32) -> io::Result<()> {
        let mut command = generator("bash", "change_database.sh")?;
        command.args([percent.to_string(), round.to_string()]);
        tools::run(command.envs(self.environment.clone())).map(drop)
    }

    /// How long a dump takes that goes nowhere, seconds.
    fn dump_alone(&self) -> io::Result<f64> {
        let begun = Instant::now();
        let status = Command::new(self.programs.join("pg_dump"))
            .args(["-Fc", "-Z0"])
            .envs(self.environment.clone())
            .stdout(Stdio::null())
            .status()?;
        status
            .success()
            .then(|| begun.elapsed().as_secs_f64())
            .ok_or_else(|| failed("pg_dump failed"))
    }
}

fn id_of(backup: &Value) -> io::Result<String> {
    let id = backup["id"].as_str().ok_or_else(|| failed("a backup without an id"))?;
    Ok(id.to_owned())
}

/// Which share of these full backups is signatures and anchors: what they take compressed, alone.
fn signatures(programs: &Path, bed: &Bed, ids: &[&str]) -> io::Result<f64> {
    let storage = bed.folder.path().join("data/storage");
    let (mut of_signatures, mut of_all) = (0, 0);
    for id in ids {
        let script = "set -o pipefail; \"$1\" decrypt \"$2\" -o - | tee >(wc -c >&2) | zstd -dcq | tar xO --wildcards '.backup/signatures/*' '.backup/anchors/*' | zstd -q -3 | wc -c";
        let output = tools::run(
            Command::new("bash")
                .args(["-c", script, "bash"])
                .arg(programs.join("backupctl"))
                .arg(id)
                .env("BACKUP_ENCRYPTION_KEY", "a long enough passphrase")
                .env("BACKUP_STORAGE_URL", format!("file://{}", storage.display())),
        )?;
        let number = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.trim()
                .parse::<u64>()
                .map_err(|error| failed(format!("'{text}': {error}")))
        };
        of_signatures += number(&output.stdout)?;
        of_all += number(&output.stderr)?;
    }
    Ok(of_signatures as f64 / of_all.saturating_sub(of_signatures).max(1) as f64)
}

/// The median.
pub(super) fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
