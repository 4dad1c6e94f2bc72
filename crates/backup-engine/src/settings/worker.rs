use std::ops::RangeInclusive;
use std::time::Duration;

use backup_core::chain::ChainLimits;
use backup_core::receipt::Codec;
use clap::{Args, builder::PossibleValuesParser, builder::TypedValueParser};

use super::FaultArgs;

/// How jobs are run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Jobs")]
pub struct WorkerArgs {
    /// Jobs that this process runs at once; 0 = none
    #[arg(
        long = "backup-workers",
        env = "BACKUP_WORKERS",
        value_name = "N",
        default_value_t = 1
    )]
    pub workers: usize,

    /// Jobs that may run at once on one storage, of all processes together, restores apart; none: as many as there are
    /// workers. The same for every process
    #[arg(
        long = "backup-storage-max-jobs",
        env = "BACKUP_STORAGE_MAX_JOBS",
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub storage_max_jobs: Option<u32>,

    /// MiB of backups that this process uploads in a second, all its jobs together; none: as fast as the storage takes them
    #[arg(
        long = "backup-upload-limit-mib",
        env = "BACKUP_UPLOAD_LIMIT_MIB",
        value_name = "MIB",
        value_parser = clap::value_parser!(u64).range(1..=1 << 20)
    )]
    pub upload_limit_mib: Option<u64>,

    /// Seconds that a job stays its worker's without a heartbeat
    #[arg(
        long = "backup-lease-seconds",
        env = "BACKUP_LEASE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(4..=86_400)
    )]
    pub lease_seconds: u64,

    /// Seconds that a child process or a transfer may be silent before the job fails
    #[arg(
        long = "backup-stall-seconds",
        env = "BACKUP_STALL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub stall_seconds: u64,

    /// Seconds that running jobs have to reach their end when the process is told to stop
    #[arg(
        long = "backup-drain-seconds",
        env = "BACKUP_DRAIN_SECONDS",
        value_name = "SECONDS",
        default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(0..=86_400)
    )]
    pub drain_seconds: u64,

    /// Quota of the storage in GiB, where the configuration does not say
    #[arg(long = "backup-quota-gb", env = "BACKUP_QUOTA_GB", value_name = "GIB", default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    pub quota_gb: u64,

    /// Backups that may build on each other behind a full one before the next is full again; 0: every backup is full
    #[arg(
        long = "backup-chain-max-length",
        env = "BACKUP_CHAIN_MAX_LENGTH",
        value_name = "N",
        default_value_t = ChainLimits::default().max_length,
        value_parser = range(ChainLimits::LENGTH)
    )]
    pub chain_max_length: u32,

    /// Bytes that those may take up together, in percent of the full one's
    #[arg(
        long = "backup-chain-max-weight",
        env = "BACKUP_CHAIN_MAX_WEIGHT",
        value_name = "PERCENT",
        default_value_t = ChainLimits::default().max_weight,
        value_parser = range(ChainLimits::WEIGHT)
    )]
    pub chain_max_weight: u32,

    /// How archives are compressed, where the configuration does not say
    #[arg(
        long = "backup-compression",
        env = "BACKUP_COMPRESSION",
        value_name = "CODEC",
        default_value = "gzip",
        value_parser = PossibleValuesParser::new(Codec::ALL.iter().map(|codec| codec.as_str())).try_map(|text| text.parse::<Codec>())
    )]
    pub compression: Codec,

    /// Where it kills itself, for tests.
    #[command(flatten)]
    pub fault: FaultArgs,
}

impl WorkerArgs {
    /// How far a chain of backups may grow.
    pub fn chain(&self) -> ChainLimits {
        ChainLimits {
            max_length: self.chain_max_length,
            max_weight: self.chain_max_weight,
        }
    }

    /// How long a job stays its worker's without a heartbeat.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    /// How long a child process or a transfer may be silent.
    pub fn stall_timeout(&self) -> Duration {
        Duration::from_secs(self.stall_seconds)
    }

    /// How long running jobs have to reach their end when the process is told to stop.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

fn range(range: RangeInclusive<u32>) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(*range.start())..=i64::from(*range.end()))
}
