//! A small HTTP client: one request, one connection, loopback only.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_mins(1);

/// Status, headers and body of an answer.
type Opened = (u16, Vec<(String, String)>, Box<dyn Read + Send>);

/// A way to a server on a loopback port, with the headers that every request carries.
#[derive(Debug, Clone)]
pub struct Client {
    port: u16,
    headers: Vec<(String, String)>,
}

impl Client {
    /// A client that says nothing of itself.
    pub fn new(port: u16) -> Self {
        Self {
            port,
            headers: Vec::new(),
        }
    }

    /// The same client with one more header.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    /// `POST path` with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body))
    }

    /// `DELETE path`.
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None)
    }

    /// Any request. Panics when no whole answer comes.
    pub fn send(&self, method: &str, path: &str, json: Option<&Value>) -> Answer {
        let body = json.map(|value| ("application/json", value.to_string().into_bytes()));
        let body = body.as_ref().map(|(kind, bytes)| (*kind, bytes.as_slice()));
        self.try_send(method, path, body)
            .unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    /// Any request, with a body of any type.
    pub fn try_send(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> io::Result<Answer> {
        let (status, headers, mut content) = self.open(method, path, body)?;
        let mut bytes = Vec::new();
        if method != "HEAD" {
            content.read_to_end(&mut bytes)?;
        }
        Ok(Answer {
            status,
            headers,
            body: bytes,
        })
    }

    /// `GET path` of a stream of server-sent events.
    pub fn events(&self, path: &str) -> Events {
        let client = self.with("Accept", "text/event-stream");
        let (status, _, content) = client.open("GET", path, None).expect("a stream of events");
        assert_eq!(status, 200, "GET {path}");
        Events(BufReader::new(content))
    }

    fn open(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> io::Result<Opened> {
        let mut line = TcpStream::connect(("127.0.0.1", self.port))?;
        line.set_read_timeout(Some(SILENCE))?;
        line.set_nodelay(true)?;
        let mut head = vec![
            format!("{method} {path} HTTP/1.1"),
            format!("Host: 127.0.0.1:{}", self.port),
            "Connection: close".to_owned(),
        ];
        head.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        let (kind, content) = body.unwrap_or_default();
        if body.is_some() {
            head.push(format!("Content-Type: {kind}"));
        }
        if body.is_some() || ["POST", "PUT", "PATCH"].contains(&method) {
            head.push(format!("Content-Length: {}", content.len()));
        }
        line.write_all(format!("{}\r\n\r\n", head.join("\r\n")).as_bytes())?;
        line.write_all(content)?;
        let mut reader = BufReader::new(line);
        let first = read_line(&mut reader)?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no HTTP answer: {first}")))?;
        let mut headers = Vec::new();
        loop {
            let line = read_line(&mut reader)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let content: Box<dyn Read + Send> = match (
            header(&headers, "content-length"),
            header(&headers, "transfer-encoding"),
        ) {
            (Some(length), _) => Box::new(Exactly {
                left: length.parse().map_err(io::Error::other)?,
                reader,
            }),
            (None, Some("chunked")) => Box::new(Chunked {
                reader,
                left: 0,
                end: false,
            }),
            _ => Box::new(reader),
        };
        Ok((status, headers, content))
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

fn read_line(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Every value of a header, by its name in lower case.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.headers.iter().filter(move |(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {} {}", self.status, self.text()))
    }

    /// Asserts the status and gives the body as JSON.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }
}

/// A stream of server-sent events: (event's name, its data as JSON).
pub struct Events(BufReader<Box<dyn Read + Send>>);

impl Iterator for Events {
    type Item = (String, Value);

    fn next(&mut self) -> Option<Self::Item> {
        let (mut name, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end_matches(['\r', '\n']);
            match line.split_once(':') {
                Some(("event", value)) => value.trim_start().clone_into(&mut name),
                Some(("data", value)) => data.push_str(value.trim_start()),
                None if line.is_empty() && !data.is_empty() => {
                    return Some((name, serde_json::from_str(&data).expect("an event's data is JSON")));
                }
                _ => {}
            }
        }
    }
}

/// A body of a known length: less is an error.
struct Exactly {
    reader: BufReader<TcpStream>,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.reader).take(self.left).read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// A body in chunks: without the last one it is an error.
struct Chunked {
    reader: BufReader<TcpStream>,
    left: u64,
    end: bool,
}

impl Read for Chunked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.end {
            let size = read_line(&mut self.reader)?;
            self.left =
                u64::from_str_radix(size.split(';').next().unwrap_or_default(), 16).map_err(io::Error::other)?;
            self.end = self.left == 0;
        }
        if self.end {
            return Ok(0);
        }
        let count = (&mut self.reader).take(self.left).read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        if self.left == 0 {
            read_line(&mut self.reader)?;
        }
        Ok(count)
    }
}
