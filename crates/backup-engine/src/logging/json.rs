use std::fmt;
use std::sync::Arc;

use backup_core::Clock;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Action;

/// Writes each event as one line of JSON, the fixed fields first.
pub(super) struct JsonLines {
    service: &'static str,
    clock: Arc<dyn Clock>,
}

impl JsonLines {
    pub(super) fn new(service: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self { service, clock }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        let head = [
            (
                "timestamp",
                Value::from(self.clock.now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()),
            ),
            ("level", Value::from(level)),
            ("service", Value::from(self.service)),
            (
                "action",
                fields
                    .0
                    .remove("action")
                    .unwrap_or_else(|| Value::from(Action::Diagnostic.as_str())),
            ),
            ("message", fields.0.remove("message").unwrap_or_default()),
        ];
        let own = head.iter().map(|(name, value)| (*name, value));
        let rest = fields.0.iter().map(|(name, value)| (name.as_str(), value));
        let mut separator = '{';
        for (name, value) in own.chain(rest) {
            write!(writer, "{separator}{}:{value}", Value::from(name))?;
            separator = ',';
        }
        if event.metadata().target().starts_with("backup_") {
            writeln!(writer, "}}")
        } else {
            writeln!(writer, ",\"target\":{}}}", Value::from(event.metadata().target()))
        }
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(camel_case(field.name()), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use backup_core::ManualClock;
    use chrono::DateTime;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_what_the_contract_says() {
        let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(JsonLines::new("scheduler", clock))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(
                action = %Action::BackupCompleted,
                backup_id = "x",
                duration = 12_u64,
                size_bytes = 34_u64,
                "backup \"x\"\ncompleted"
            );
            tracing::warn!("plain");
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            concat!(
                r#"{"timestamp":"2027-01-15T08:00:00.000Z","level":"info","service":"scheduler","#,
                r#""action":"backup_completed","message":"backup \"x\"\ncompleted","backupId":"x","duration":12,"sizeBytes":34}"#
            )
        );
        let second: Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!(second["action"], "diagnostic");
        assert_eq!(lines.len(), 2);
    }
}
