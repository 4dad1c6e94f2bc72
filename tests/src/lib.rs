//! The test kit: a real PostgreSQL, a real Azurite, a real OpenID Connect provider, a real mail server and a web server that
//! keeps what it is told, on free loopback ports, data worth backing up, our own programs as processes, lines that can
//! be cut, and dice.
//!
//! Every server ends with the process that started it, even when that is killed, and takes its folder along: see
//! [`guard`]. What a test cannot do without panics with the reason; what `cargo xtask` also uses has a form that returns
//! [`std::io::Result`].

pub mod azurite;
pub mod dice;
pub mod guard;
pub mod http_sink;
pub mod oidc;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod releases;
pub mod sample_catalog;
pub mod sample_db;
pub mod smtp;
pub mod system;
pub mod tools;
pub mod tree;

use std::collections::VecDeque;
use std::fmt::Display;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Prints a remark that is worth reading although nothing failed.
#[expect(clippy::print_stderr, reason = "tests and xtask talk to people here")]
pub fn note(text: impl Display) {
    eprintln!("{text}");
}

/// A word of 12 hexadecimal digits that nobody used before.
pub fn unique() -> String {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid").expect("the kernel's source of random ids");
    uuid.chars().filter(char::is_ascii_hexdigit).take(12).collect()
}

/// So many ports stay this process's own: older ones have long been taken by their servers, and not many more files may
/// be open.
const OWN_PORTS: usize = 256;

/// The names of the ports that are this process's own, the newest last. All of them end with this process.
static OWN: Mutex<VecDeque<UnixListener>> = Mutex::new(VecDeque::new());

/// A loopback port that is free now, from below the range of outgoing connections, so that it is free again when its
/// server comes back. Seconds pass until the server takes it, in which no other test process is given the same.
pub fn free_port() -> u16 {
    let seed = u64::from_str_radix(&unique(), 16).expect("hexadecimal digits");
    let (port, name) = (0..2000_u64)
        .map(|i| 20_000 + ((seed + i * 7919) % 12_000) as u16)
        .find_map(|port| Some((port, own(port)?)))
        .expect("a free loopback port");
    let mut names = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    if names.len() == OWN_PORTS {
        names.pop_front();
    }
    names.push_back(name);
    port
}

/// Makes a port this process's own, where it is nobody's, by a name that ends with whoever has it.
fn own(port: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("backup-tests-port-{port}")).ok()?;
    let name = UnixListener::bind_addr(&name).ok()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(name)
}

/// Looks again and again until `probe` gives something, at most for `limit`. The pause between two looks is short.
pub fn poll<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
