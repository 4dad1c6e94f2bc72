use backup_core::text_enum;
use clap::{Args, builder::PossibleValuesParser, builder::TypedValueParser};

text_enum! {
    /// The form of the log.
    pub enum LogFormat {
        /// One JSON object a line.
        Json => "json",
        /// For people.
        Text => "text",
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogArgs {
    /// What is logged: a level, or directives such as `info,backup_engine=debug`
    #[arg(long = "rust-log", env = "RUST_LOG", value_name = "FILTER", default_value = "info")]
    pub filter: String,

    /// Form of the log
    #[arg(
        long = "log-format",
        env = "LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "json",
        value_parser = PossibleValuesParser::new(LogFormat::ALL.iter().map(|form| form.as_str())).try_map(|text| text.parse::<LogFormat>())
    )]
    pub format: LogFormat,

    /// Address of an OpenTelemetry collector that the log and the traces are sent to (OTLP over HTTP), such as
    /// http://127.0.0.1:4318; none: nothing is sent
    #[cfg(feature = "otlp")]
    #[arg(
        long = "otel-exporter-otlp-endpoint",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL"
    )]
    pub otlp_endpoint: Option<String>,
}
