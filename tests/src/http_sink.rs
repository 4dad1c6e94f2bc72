//! A web server on a free loopback port that keeps what it is told and answers as it is told to: what webhooks end in.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::Value;

/// How a request is answered, after it was kept.
#[derive(Debug, Clone)]
pub enum Reply {
    /// With this status, these header lines and this body.
    Answer(u16, Vec<String>, String),
    /// With this status and a body that never ends.
    Endless(u16),
    /// Never; the line stays open.
    Silence,
    /// By cutting the line.
    Cut,
}

impl Reply {
    /// Nothing but a status.
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST` and the like.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The body as JSON; panics where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The server. It answers 200 until it is told otherwise. Dropped, it cuts all its lines.
#[derive(Debug)]
pub struct HttpSink {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    reply: Mutex<Reply>,
    requests: Mutex<Vec<Request>>,
    lines: Mutex<Vec<TcpStream>>,
    closed: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpSink {
    /// Starts a server.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(State {
            reply: Mutex::new(Reply::status(200)),
            requests: Mutex::default(),
            lines: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &shared));
        Self { port, state }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// From now on requests are answered so.
    pub fn reply(&self, reply: Reply) {
        *lock(&self.state.reply) = reply;
    }

    /// What came so far, in that order. A request is here before its sender hears the answer.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state.requests).clone()
    }
}

impl Drop for HttpSink {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        for line in lock(&self.state.lines).drain(..) {
            let _closed_already = line.shutdown(Shutdown::Both);
        }
        let _wakes_the_accepting_thread = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for line in listener.incoming() {
        if state.closed.load(Ordering::SeqCst) {
            return;
        }
        let Ok(line) = line else { continue };
        if let Ok(copy) = line.try_clone() {
            lock(&state.lines).push(copy);
        }
        let shared = Arc::clone(state);
        thread::spawn(move || {
            // A client that leaves early is one of the things that are tried.
            let _left = serve(&line, &shared);
            let _closed_already = line.shutdown(Shutdown::Both);
        });
    }
}

fn serve(mut line: &TcpStream, state: &State) -> io::Result<()> {
    let request = read(line)?;
    lock(&state.requests).push(request);
    let reply = lock(&state.reply).clone();
    match reply {
        Reply::Answer(status, headers, body) => {
            let mut head = vec![
                format!("HTTP/1.1 {status} Said"),
                format!("Content-Length: {}", body.len()),
                "Connection: close".to_owned(),
            ];
            head.extend(headers);
            write!(line, "{}\r\n\r\n{body}", head.join("\r\n"))
        }
        Reply::Endless(status) => {
            write!(line, "HTTP/1.1 {status} Said\r\nConnection: close\r\n\r\n")?;
            loop {
                line.write_all(&[b'x'; 8 * 1024])?;
            }
        }
        // Until the client gives up.
        Reply::Silence => line.read(&mut [0]).map(drop),
        Reply::Cut => Ok(()),
    }
}

fn read(line: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(line);
    let mut next = || -> io::Result<String> {
        let mut text = String::new();
        reader.read_line(&mut text)?;
        Ok(text.trim_end().to_owned())
    };
    let first = next()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = next()?.split_once(':') {
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(Ok(0), |length| length.parse());
    let mut body = vec![0; length.map_err(io::Error::other)?];
    reader.read_exact(&mut body)?;
    Ok(Request {
        method,
        path,
        headers,
        body,
    })
}
