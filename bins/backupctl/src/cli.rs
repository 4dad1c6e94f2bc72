use std::path::PathBuf;

use backup_core::VerifyLevel;
use backup_core::user::{Role, TokenScope};
use backup_engine::settings::{CatalogArgs, DataArgs, DatabaseArgs, FaultArgs, KeyArgs, StorageArgs};
use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use secrecy::SecretString;

/// Backups from the operator's side: list, check, restore, open. Needs the storage and the passphrase, and no server.
#[derive(Debug, Parser)]
#[command(
    name = "backupctl",
    version,
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 integrity failure, 5 storage or database unreachable"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// The command line with every setting allowed before and behind a command's name.
    pub(crate) fn with_settings_anywhere() -> clap::Command {
        Self::command().mut_args(|setting| setting.global(true))
    }

    /// Reads the arguments of this process; ends it where they make no sense, or ask for help.
    pub(crate) fn read() -> Self {
        let matches = Self::with_settings_anywhere().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress bar
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    #[command(flatten)]
    pub(crate) storage: StorageArgs,
    #[command(flatten)]
    pub(crate) catalog: CatalogArgs,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// Seconds that a child process or a transfer may be silent
    #[arg(
        long = "backup-stall-seconds",
        env = "BACKUP_STALL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 300
    )]
    pub(crate) stall_seconds: u64,
    #[command(flatten)]
    pub(crate) fault: FaultArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the backups in the storage, the newest first
    List,
    /// Show a backup's receipt
    Show {
        #[command(flatten)]
        backup: BackupRef,
    },
    /// List what is in a backup
    Contents {
        #[command(flatten)]
        backup: BackupRef,
        /// A part, or a file or folder of one: files/a/b [default: the parts]
        path: Option<String>,
        /// All that stands below, too
        #[arg(short, long)]
        recursive: bool,
    },
    /// Check that a backup, and all that it builds on, is what was written
    Verify {
        /// The backup's identifier, or a beginning that no other has
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// Every backup in the storage
        #[arg(long)]
        all: bool,
        /// CHECKSUM: the stored bytes; CONTENT: everything in them, and the dump is read by pg_restore
        #[arg(long, default_value = "CONTENT", ignore_case = true, value_parser = one_of::<VerifyLevel>(&["CHECKSUM", "CONTENT"]))]
        level: VerifyLevel,
    },
    /// Restore a backup, or parts of it, into new places
    Restore(RestoreArgs),
    /// Write one file of a backup to stdout or a file
    Extract {
        #[command(flatten)]
        backup: BackupRef,
        /// The file with its part: files/a/b or database/database.dump
        path: String,
        /// Write to this new file; '-' is stdout
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Write the plain archive (.tar.gz or .tar.zst), for tar
    Decrypt {
        #[command(flatten)]
        backup: BackupRef,
        /// Of a backup that builds on others: one archive that stands alone, instead of what is stored of this one
        #[arg(long)]
        full: bool,
        /// Write to this new file; '-' is stdout
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Make a full backup of one that builds on others, from the storage alone; a server adopts it as an orphan
    Consolidate {
        #[command(flatten)]
        backup: BackupRef,
    },
    /// The catalog
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// The passphrase
    #[command(subcommand)]
    Key(KeyCommand),
    /// The people who may log in; needs the catalog
    #[command(subcommand)]
    User(UserCommand),
    /// The API's tokens; needs the catalog
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print what lets a shell complete these commands
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page (roff)
    Man {
        /// Write one page for each command into this folder instead
        #[arg(short, long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BackupRef {
    /// The backup's identifier, or a beginning that no other has
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    pub(crate) backup: BackupRef,
    /// postgres://USER:PASSWORD@HOST:PORT/DATABASE: the database to create and fill; it must not exist or be empty
    #[arg(long, value_name = "URL", env = "BACKUP_RESTORE_DATABASE", hide_env_values = true)]
    pub(crate) to_database: Option<SecretString>,
    /// Folder for the files; it must not exist or be empty
    #[arg(long, value_name = "DIR")]
    pub(crate) to_files: Option<PathBuf>,
    /// Folder for the configuration; it must not exist or be empty
    #[arg(long, value_name = "DIR")]
    pub(crate) to_config: Option<PathBuf>,
    /// Only this table, schema.name; may be repeated
    #[arg(long = "table", value_name = "TABLE", requires = "to_database")]
    pub(crate) tables: Vec<String>,
    /// Without owners and grants, where the server does not have the roles
    #[arg(long, requires = "to_database")]
    pub(crate) skip_owner: bool,
    /// Everything into the database's own tablespace, where the server does not have the others
    #[arg(long, requires = "to_database")]
    pub(crate) skip_tablespaces: bool,
    /// How many connections restore the database where its dump has 256 MiB or more [default: as many as there are cores, at
    /// most 8]. With more than one, such a dump is put down first; 1: nothing is put down
    #[arg(long, value_name = "N", requires = "to_database",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(crate) jobs: Option<usize>,
    /// Folder where the dump is put down meanwhile, decrypted, in a file without a name [default: $TMPDIR, or
    /// /var/tmp]. Without room for it there, one connection restores
    #[arg(long, value_name = "DIR", requires = "to_database")]
    pub(crate) staging: Option<PathBuf>,
    /// Only this file or folder; may be repeated
    #[arg(long = "path", value_name = "PATH", requires = "to_files")]
    pub(crate) paths: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Fill an empty catalog from the storage: every backup from its receipt, schedules and settings from the newest
    /// configuration export that holds any. The catalog of --catalog-url is made where it is a file that does not exist.
    /// Broken off, it is run again
    Rebuild {
        /// Take the configuration export of this backup, whatever it holds: its identifier, or a beginning that no other has
        #[arg(long, value_name = "ID")]
        settings_from: Option<String>,
        /// Leave out for good what cannot be read now. Without it, no backup expires until all could be read
        #[arg(long)]
        leave_out_unreadable: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Check that the passphrase opens the backups in the storage
    Check,
    /// Put every secret of the catalog under the seal of BACKUP_ENCRYPTION_KEY; those that BACKUP_ENCRYPTION_KEY_PREVIOUS
    /// sealed need it no longer. Archives stay as they are: keep the old passphrase as long as they
    Rotate,
    /// Print a page for the worst day: which keys there are, and the exact commands that bring everything back
    Sheet {
        /// Write to this new file; '-' is stdout
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Language of the page
        #[arg(long, default_value = "zh-TW", value_parser = ["zh-TW", "en"])]
        language: String,
        /// Print the passphrases too: the page is then as secret as they are
        #[arg(long)]
        with_passphrases: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a person
    Add {
        /// E-mail address
        email: String,
        /// Display name [default: the e-mail address]
        #[arg(long)]
        name: Option<String>,
        /// What the person may do
        #[arg(long, default_value = "ADMIN", ignore_case = true, value_parser = one_of::<Role>(&["ADMIN", "VIEWER"]))]
        role: Role,
        /// Password; when not given, a line of stdin, for which a terminal asks
        #[arg(long, env = "BACKUP_USER_PASSWORD", hide_env_values = true)]
        password: Option<SecretString>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make an API token and print its secret, once
    Create {
        /// What it is for
        name: String,
        /// What it may do
        #[arg(long, default_value = "READ", ignore_case = true, value_parser = one_of::<TokenScope>(&["READ", "OPERATE", "ADMIN"]))]
        scope: TokenScope,
        /// Days until it ends [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
        expires_days: Option<u16>,
    },
}

fn one_of<T>(values: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(values).try_map(|text: String| text.to_ascii_uppercase().parse::<T>())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_setting_stands_before_or_behind_the_command() {
        let command = Cli::with_settings_anywhere();
        command.clone().debug_assert();
        let url = "--catalog-url=sqlite:///somewhere/new.db";
        for line in [
            ["backupctl", url, "catalog", "rebuild"],
            ["backupctl", "catalog", url, "rebuild"],
            ["backupctl", "catalog", "rebuild", url],
        ] {
            let cli = Cli::from_arg_matches(&command.clone().get_matches_from(line)).unwrap();
            let given = cli.settings.catalog.url.as_ref().unwrap();
            assert_eq!(given.expose_secret(), "sqlite:///somewhere/new.db");
        }
    }
}
