//! Prometheus' text format: the lines of one name, behind what they are.

use std::fmt::Write as _;

use backup_db::Histogram;

/// A label and its value.
pub(super) type Label<'a> = (&'static str, &'a str);

/// The lines of one name, which have to stand together on the page.
pub(super) struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    lines: String,
}

impl Family {
    /// Of what only rises.
    pub(super) fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, "counter", help)
    }

    /// Of what rises and falls.
    pub(super) fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, "gauge", help)
    }

    /// Of many numbers, by their size.
    pub(super) fn histogram(name: &'static str, help: &'static str) -> Self {
        Self::new(name, "histogram", help)
    }

    fn new(name: &'static str, kind: &'static str, help: &'static str) -> Self {
        Self {
            name,
            kind,
            help,
            lines: String::new(),
        }
    }

    /// A value of a counter or a gauge.
    pub(super) fn value(&mut self, labels: &[Label<'_>], value: f64) {
        self.line("", labels, value);
    }

    /// The values of a histogram, whose numbers are so many to one of the name's unit.
    pub(super) fn values(&mut self, labels: &[Label<'_>], histogram: &Histogram, per_unit: f64) {
        for (bound, numbers) in &histogram.buckets {
            let bound = (*bound as f64 / per_unit).to_string();
            self.line("_bucket", &with_bound(labels, &bound), *numbers as f64);
        }
        self.line("_bucket", &with_bound(labels, "+Inf"), histogram.count as f64);
        self.line("_sum", labels, histogram.sum as f64 / per_unit);
        self.line("_count", labels, histogram.count as f64);
    }

    fn line(&mut self, part: &str, labels: &[Label<'_>], value: f64) {
        let lines = &mut self.lines;
        lines.push_str(self.name);
        lines.push_str(part);
        for (number, (label, text)) in labels.iter().enumerate() {
            let open = if number == 0 { '{' } else { ',' };
            // Writing to a text cannot fail.
            let _ = write!(lines, "{open}{label}=\"{}\"", escape(text));
        }
        if !labels.is_empty() {
            lines.push('}');
        }
        let _ = writeln!(lines, " {value}");
    }

    /// Puts the lines on the page; nothing where there are none.
    pub(super) fn put_on(self, page: &mut String) {
        let Self {
            name,
            kind,
            help,
            lines,
        } = self;
        if !lines.is_empty() {
            // Writing to a text cannot fail.
            let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        }
    }
}

fn with_bound<'a>(labels: &[Label<'a>], bound: &'a str) -> Vec<Label<'a>> {
    labels.iter().copied().chain([("le", bound)]).collect()
}

/// A label's value, as the format wants it.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
