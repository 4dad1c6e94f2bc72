//! What is logged, and how long jobs and requests take, sent to an OpenTelemetry collector (OTLP over HTTP, protobuf).

use std::sync::OnceLock;

use opentelemetry::trace::TracerProvider;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::settings::SettingsError;

/// What carries the export itself: exported, each line of theirs would bring about the next.
const CARRIERS: [&str; 6] = ["opentelemetry", "reqwest", "hyper", "h2", "rustls", "tower"];

static PROVIDERS: OnceLock<(SdkTracerProvider, SdkLoggerProvider)> = OnceLock::new();

/// The layer that exports to the collector at `endpoint`, such as `http://127.0.0.1:4318`. What the collector does not take
/// in time is dropped: no job waits for it.
///
/// # Errors
/// Where the endpoint is no address.
pub(super) fn layer<S>(endpoint: &str, service: &'static str) -> Result<impl Layer<S> + use<S>, SettingsError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let refuse = |error: &dyn std::fmt::Display| {
        SettingsError::new(
            format!("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {error}"),
            "Set it to the address of a collector, such as http://127.0.0.1:4318.",
        )
    };
    // rustls wants one provider of cryptography for the process; whoever was first has chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let below = |path: &str| format!("{}/{path}", endpoint.trim_end_matches('/'));
    let spans = SpanExporter::builder()
        .with_http()
        .with_endpoint(below("v1/traces"))
        .build()
        .map_err(|error| refuse(&error))?;
    let logs = LogExporter::builder()
        .with_http()
        .with_endpoint(below("v1/logs"))
        .build()
        .map_err(|error| refuse(&error))?;
    let resource = Resource::builder().with_service_name(service).build();
    let tracers = SdkTracerProvider::builder()
        .with_batch_exporter(spans)
        .with_resource(resource.clone())
        .build();
    let loggers = SdkLoggerProvider::builder()
        .with_batch_exporter(logs)
        .with_resource(resource)
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracers.tracer("backup"))
        .and_then(OpenTelemetryTracingBridge::new(&loggers))
        .with_filter(filter_fn(|metadata| {
            CARRIERS.iter().all(|carrier| !metadata.target().starts_with(carrier))
        }));
    // A second one cannot come: the log starts once.
    let _ = PROVIDERS.set((tracers, loggers));
    Ok(layer)
}

/// Sends what has not yet been sent; waits for the collector for some seconds at the most.
pub(super) fn end() {
    if let Some((tracers, loggers)) = PROVIDERS.get() {
        // Nobody is left to be told that the collector does not answer.
        let _ = (tracers.shutdown(), loggers.shutdown());
    }
}
