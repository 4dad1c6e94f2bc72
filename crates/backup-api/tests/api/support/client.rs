//! A small HTTP/1.1 client that sends exactly what a test says.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Who sends a request: which headers it carries besides its own.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    base: String,
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its head had said.
    pub(crate) complete: bool,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, base: &str) -> Self {
        Self {
            address,
            base: base.to_owned(),
            headers: Vec::new(),
        }
    }

    /// The same client with one more header in every request.
    pub(crate) fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.into()));
        client
    }

    pub(crate) fn bearer(&self, token: &str) -> Self {
        self.with("Authorization", format!("Bearer {token}"))
    }

    /// Where the server listens, as a URL without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn english(&self) -> Self {
        self.with("Accept-Language", "en")
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send("GET", path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: impl ToString) -> Response {
        self.send("POST", path, &body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: impl ToString) -> Response {
        self.send("PATCH", path, &body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.send("DELETE", path, "").await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> Response {
        receive(method, &mut self.open(method, path, body).await).await
    }

    /// Begins a body of `size` bytes, with its length in the head or chunked: sends its first MiB and then nothing. The
    /// answer must come without the rest.
    pub(crate) async fn flood(&self, method: &str, path: &str, size: u64, chunked: bool) -> Response {
        let length = if chunked {
            self.with("Transfer-Encoding", "chunked")
        } else {
            self.with("Content-Length", size.to_string())
        };
        let client = length.with("Content-Type", "application/json");
        let (reader, mut writer) = client.open(method, path, "").await.into_inner().into_split();
        let body = tokio::spawn(async move {
            let spaces = " ".repeat(1 << 16);
            let piece = if chunked {
                format!("10000\r\n{spaces}\r\n")
            } else {
                spaces
            };
            for _ in 0..16 {
                if writer.write_all(piece.as_bytes()).await.is_err() {
                    break;
                }
            }
            // Dropped, the writer would end the body.
            std::future::pending::<()>().await;
            drop(writer);
        });
        let response = receive_sized(&mut BufReader::new(reader)).await;
        body.abort();
        response
    }

    /// Says that a body of `size` bytes comes, and sends none of it. The answer must come without it.
    pub(crate) async fn stall(&self, method: &str, path: &str, size: u64) -> Response {
        let client = self.with("Content-Length", size.to_string());
        let client = client.with("Content-Type", "application/json");
        receive_sized(&mut client.open(method, path, "").await).await
    }

    /// Sends a request, and leaves all that comes back with the connection.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: impl ToString) -> TcpStream {
        self.open(method, path, &body.to_string()).await.into_inner()
    }

    /// Asks for a file and reads no more than the answer's head, which must be a 200.
    pub(crate) async fn begin(&self, path: &str) -> Begun {
        let mut reader = self.open("GET", path, "").await;
        let (status, _) = read_head(&mut reader).await;
        assert_eq!(status, 200);
        Begun(reader)
    }

    /// Opens a stream of events.
    pub(crate) async fn events(&self, path: &str) -> Events {
        let opened = self.try_events(path).await;
        opened.unwrap_or_else(|status| panic!("a stream of events was answered by {status}"))
    }

    /// The same; an error is the status of a refusal.
    pub(crate) async fn try_events(&self, path: &str) -> Result<Events, u16> {
        let mut reader = self.open("GET", path, "").await;
        let (status, headers) = read_head(&mut reader).await;
        if status != 200 {
            return Err(status);
        }
        let mut headers = headers.into_iter();
        let content_type = headers.find(|(name, _)| name == "content-type");
        Ok(Events {
            reader,
            content_type: content_type.map(|(_, value)| value).unwrap_or_default(),
            text: String::new(),
        })
    }

    async fn open(&self, method: &str, path: &str, body: &str) -> BufReader<TcpStream> {
        let mut head = format!("{method} {}{path} HTTP/1.1\r\nConnection: close\r\n", self.base);
        let has = |name: &str| self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if !has("host") {
            head += "Host: ";
            head += &self.address.to_string();
            head += "\r\n";
        }
        if !body.is_empty() {
            head += "Content-Length: ";
            head += &body.len().to_string();
            head += "\r\n";
            if !has("content-type") {
                head.push_str("Content-Type: application/json\r\n");
            }
        }
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may answer and close before it has read a body that is too large.
        let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes()).await;
        BufReader::new(stream)
    }
}

async fn receive(method: &str, reader: &mut (impl AsyncBufRead + Unpin)) -> Response {
    let (status, headers) = read_head(reader).await;
    let mut raw = Vec::new();
    // A connection that breaks shows as a body that is not complete.
    let _ = reader.read_to_end(&mut raw).await;
    let mut response = Response {
        status,
        headers,
        body: raw,
        complete: true,
    };
    if response.header("transfer-encoding") == Some("chunked") {
        (response.body, response.complete) = unchunk(&response.body);
    } else if let Some(length) = response.header("content-length") {
        response.complete = method == "HEAD" || response.body.len() == length.parse::<usize>().unwrap();
    }
    response
}

/// Of a connection that the server need not close.
async fn receive_sized(reader: &mut (impl AsyncBufRead + Unpin)) -> Response {
    let (status, headers) = read_head(reader).await;
    let mut response = Response {
        status,
        headers,
        body: Vec::new(),
        complete: true,
    };
    let length: usize = response.header("content-length").unwrap().parse().unwrap();
    response.body.resize(length, 0);
    reader.read_exact(&mut response.body).await.unwrap();
    response
}

async fn read_head(reader: &mut (impl AsyncBufRead + Unpin)) -> (u16, Vec<(String, String)>) {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(
            reader.read_line(&mut line).await.unwrap() > 0,
            "no whole head: {lines:?}"
        );
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &String| {
        line.split_once(": ")
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
    };
    (status, lines[1..].iter().filter_map(header).collect())
}

fn unchunk(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&raw[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let Some(chunk) = raw.get(end + 2..end + 2 + size) else {
            break;
        };
        body.extend_from_slice(chunk);
        raw = raw.get(end + 4 + size..).unwrap_or_default();
    }
    (body, false)
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The error's code; empty where it is none.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The same response, which has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The same response, which is this error.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let response = self.expect(status);
        assert_eq!(response.code(), code, "{}", response.text());
        response
    }

    /// The session cookie that it sets, as a request sends it.
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }
}

/// An answer of which only the head was read. Dropped, the connection closes.
pub(crate) struct Begun(BufReader<TcpStream>);

impl Begun {
    /// What is left of it, as it was sent.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.unwrap();
        rest
    }
}

/// A stream of events as it comes in.
pub(crate) struct Events {
    reader: BufReader<TcpStream>,
    pub(crate) content_type: String,
    text: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<i64>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Events {
    /// The next event or comment block; `None` at the end of the stream.
    pub(crate) async fn next_block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let mut size = String::new();
            self.reader.read_line(&mut size).await.ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0)?;
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).await.ok()?;
            self.text.push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        }
    }

    /// The next event that has data.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.next_block().await?;
            let field = |name: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(name).map(str::to_owned))
            };
            if let Some(data) = field("data: ") {
                return Some(Event {
                    id: field("id: ").map(|id| id.parse().unwrap()),
                    name: field("event: ").unwrap(),
                    data: serde_json::from_str(&data).unwrap(),
                });
            }
        }
    }
}
