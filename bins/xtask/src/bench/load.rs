//! Load by wrk: as many requests as a server answers, and how long the answers take.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use backup_tests::tools;

use super::served::Served;
use crate::failed;

/// What wrk saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Load {
    /// Requests a second.
    pub(super) rate: f64,
    /// How long half of the answers took at the most, milliseconds.
    pub(super) median: f64,
    /// How long 99 of 100 answers took at the most, milliseconds.
    pub(super) p99: f64,
}

/// Asks for these paths in turn, over `connections` at once, for `time`. An answer that is no success is an error.
pub(super) fn load(
    wrk: &Path,
    served: &Served,
    paths: &[String],
    connections: u32,
    time: Duration,
) -> io::Result<Load> {
    // In a file, since everybody can read arguments.
    let mut script = tempfile::NamedTempFile::new()?;
    let listed: Vec<String> = paths.iter().map(|path| format!("{path:?}")).collect();
    write!(
        script,
        "local paths = {{ {} }}\nlocal at = 0\nwrk.headers[\"Authorization\"] = \"Bearer {}\"\n\
         request = function()\n  at = at % #paths + 1\n  return wrk.format(\"GET\", paths[at])\nend\n",
        listed.join(", "),
        served.token
    )?;
    let output = tools::run(
        Command::new(wrk)
            .args(["--threads=1", "--latency", "--timeout=30s"])
            .arg(format!("--connections={connections}"))
            .arg(format!("--duration={}s", time.as_secs()))
            .arg("--script")
            .arg(script.path())
            .arg(format!("http://127.0.0.1:{}", served.port)),
    )?;
    let said = String::from_utf8_lossy(&output.stdout);
    parse(&said).ok_or_else(|| failed(format!("{}: wrk said: {said}", paths.join(" "))))
}

/// Reads what wrk prints; `None` where something went wrong.
fn parse(text: &str) -> Option<Load> {
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return None;
    }
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(name))
            .map(str::trim)
    };
    Some(Load {
        rate: field("Requests/sec:")?.parse().ok()?,
        median: milliseconds(field("50%")?)?,
        p99: milliseconds(field("99%")?)?,
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1_000.0), ("m", 60_000.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Some(number.parse::<f64>().ok()? * factor);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says_is_understood() {
        let good = "  Latency Distribution\n     50%  812.00us\n     75%    1.00ms\n     99%    1.20s\n\
                    Requests/sec:   2345.67\nTransfer/sec:      1.00MB\n";
        let load = parse(good).unwrap();
        assert_eq!((load.rate, load.median, load.p99), (2345.67, 0.812, 1_200.0));
        assert_eq!(parse(&format!("{good}  Non-2xx or 3xx responses: 1\n")), None);
    }
}
