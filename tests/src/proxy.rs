//! A line to a server that can be cut, stalled and slowed.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often a pump looks whether the line is still as it was.
const TICK: Duration = Duration::from_millis(50);

/// A TCP proxy from a free loopback port to a server on another one. Dropped, all its lines are cut.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    refusing: AtomicBool,
    stalled: AtomicBool,
    closed: AtomicBool,
    /// Bytes a second and direction; 0: as fast as it goes.
    rate: AtomicU64,
    /// Bytes that may still go to the server before the line is cut; `u64::MAX`: no limit.
    allowance: AtomicU64,
    passed: AtomicU64,
    lines: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A proxy to `port` on 127.0.0.1.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let own_port = listener.local_addr().expect("its address").port();
        let state = Arc::new(State::default());
        state.allowance.store(u64::MAX, Ordering::SeqCst);
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, port, &shared));
        Self { port: own_port, state }
    }

    /// The port on 127.0.0.1 that clients use.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every line, and every new one, until [`Self::mend`].
    pub fn cut(&self) {
        self.state.cut();
    }

    /// Cuts everything, as [`Self::cut`] does, once this many more bytes went to the server.
    pub fn cut_after(&self, bytes: u64) {
        self.state.allowance.store(bytes, Ordering::SeqCst);
    }

    /// Lines stay open, but nothing goes through any more, until [`Self::mend`].
    pub fn stall(&self) {
        self.state.stalled.store(true, Ordering::SeqCst);
    }

    /// At most so many bytes a second go through, in each direction of each line.
    pub fn slow(&self, bytes_a_second: u64) {
        self.state.rate.store(bytes_a_second, Ordering::SeqCst);
    }

    /// Everything goes through again at full speed. Lines that were cut stay cut.
    pub fn mend(&self) {
        self.state.allowance.store(u64::MAX, Ordering::SeqCst);
        self.state.rate.store(0, Ordering::SeqCst);
        self.state.stalled.store(false, Ordering::SeqCst);
        self.state.refusing.store(false, Ordering::SeqCst);
    }

    /// How many bytes went to the server so far.
    pub fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }

    /// Whether the line is cut at the moment, by [`Self::cut`] or because the bytes of [`Self::cut_after`] are through.
    pub fn is_cut(&self) -> bool {
        self.state.refusing.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        self.cut();
        let _wakes_the_accepting_thread = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl State {
    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) {
        let mut lines = self.lines();
        self.refusing.store(true, Ordering::SeqCst);
        for line in lines.drain(..) {
            let _closed_already = line.shutdown(Shutdown::Both);
        }
    }

    /// Takes up to `wanted` bytes from the allowance.
    fn allow(&self, wanted: u64) -> u64 {
        let take = |left: u64| {
            if left == u64::MAX {
                None
            } else {
                Some(left - left.min(wanted))
            }
        };
        match self.allowance.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(left) => left.min(wanted),
            Err(_unlimited) => wanted,
        }
    }
}

fn accept(listener: &TcpListener, port: u16, state: &Arc<State>) {
    for client in listener.incoming() {
        if state.closed.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        // Where the server is away, the client's line is closed by going out of scope.
        let _closed = open_line(client, port, state);
    }
}

fn open_line(client: TcpStream, port: u16, state: &Arc<State>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    {
        let mut lines = state.lines();
        if state.refusing.load(Ordering::SeqCst) {
            return Ok(());
        }
        lines.extend([client.try_clone()?, server.try_clone()?]);
    }
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (back_from, back_to, shared) = (server.try_clone()?, client.try_clone()?, Arc::clone(state));
    thread::spawn(move || pump(back_from, back_to, &shared, false));
    let shared = Arc::clone(state);
    thread::spawn(move || pump(client, server, &shared, true));
    Ok(())
}

/// Moves bytes until an end closes or the line is cut.
fn pump(mut from: TcpStream, mut to: TcpStream, state: &State, to_server: bool) {
    let mut buffer = vec![0; 65_536];
    let _timeouts_only_make_it_look_again = from.set_read_timeout(Some(TICK));
    loop {
        if state.stalled.load(Ordering::SeqCst) && !state.refusing.load(Ordering::SeqCst) {
            thread::sleep(TICK);
            continue;
        }
        let rate = state.rate.load(Ordering::SeqCst);
        let chunk = if rate == 0 {
            buffer.len()
        } else {
            (rate / 20).clamp(1, 65_536) as usize
        };
        let read = match from.read(&mut buffer[..chunk]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        // What came in just before the line was stalled is held up too.
        while state.stalled.load(Ordering::SeqCst) && !state.refusing.load(Ordering::SeqCst) {
            thread::sleep(TICK);
        }
        let allowed = if to_server {
            state.allow(read as u64) as usize
        } else {
            read
        };
        if to.write_all(&buffer[..allowed]).is_err() {
            break;
        }
        if to_server {
            state.passed.fetch_add(allowed as u64, Ordering::SeqCst);
        }
        if allowed < read {
            state.cut();
            break;
        }
        if rate > 0 {
            thread::sleep(Duration::from_secs_f64(read as f64 / rate as f64));
        }
    }
    let _closed_already = to.shutdown(Shutdown::Write);
    let _closed_already = from.shutdown(Shutdown::Read);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for line in listener.incoming().flatten() {
                thread::spawn(move || io::copy(&mut &line, &mut &line));
            }
        });
        port
    }

    /// How long an answer, or the end of a line, may take on a busy machine.
    const ANSWER: Duration = Duration::from_secs(30);

    /// How long a line that is held up is listened to.
    const SILENCE: Duration = Duration::from_millis(500);

    fn says(line: &mut TcpStream, text: &[u8], limit: Duration) -> io::Result<Vec<u8>> {
        line.set_read_timeout(Some(limit))?;
        line.write_all(text)?;
        let mut answer = vec![0; text.len()];
        line.read_exact(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn a_line_passes_stalls_is_cut_and_mended() {
        let proxy = Proxy::to(echo());
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        let mut line = connect();
        assert_eq!(says(&mut line, b"hello", ANSWER).unwrap(), b"hello");
        proxy.stall();
        assert!(says(&mut connect(), b"hello", SILENCE).is_err());
        proxy.mend();
        assert_eq!(says(&mut connect(), b"again", ANSWER).unwrap(), b"again");
        proxy.cut();
        assert!(says(&mut line, b"x", ANSWER).is_err());
        assert!(says(&mut connect(), b"x", ANSWER).is_err());
        proxy.mend();
        proxy.cut_after(7);
        let mut line = connect();
        assert_eq!(says(&mut line, b"12345", ANSWER).unwrap(), b"12345");
        assert!(says(&mut line, b"67890", ANSWER).is_err());
        assert!(proxy.is_cut());
    }
}
