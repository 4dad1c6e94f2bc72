//! A small HTTP/1.1 client for our own server on the loopback address.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::failed;

/// A client with a session.
pub(crate) struct Client {
    port: u16,
    cookie: Option<String>,
}

/// What the server said.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Client {
    /// A client of the server on this port, not logged in.
    pub(crate) fn new(port: u16) -> Self {
        Self { port, cookie: None }
    }

    /// Logs in; later requests are the user's.
    pub(crate) fn log_in(&mut self, email: &str, password: &str) -> io::Result<()> {
        let body = serde_json::json!({ "email": email, "password": password });
        let answer = self.send("POST", "/api/auth/login", Some(&body))?;
        let cookie = answer
            .header("set-cookie")
            .and_then(|value| value.split(';').next())
            .map(str::to_owned);
        answer.json()?;
        self.cookie = Some(cookie.ok_or_else(|| failed("the log-in set no cookie"))?);
        Ok(())
    }

    /// `GET`, answered by JSON.
    pub(crate) fn get(&self, path: &str) -> io::Result<Value> {
        self.send("GET", path, None)?.json()
    }

    /// `POST` of JSON, answered by JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> io::Result<Value> {
        self.send("POST", path, Some(body))?.json()
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Answer> {
        let mut line = self.connect(method, path, "", body)?;
        let mut bytes = Vec::new();
        line.read_to_end(&mut bytes)?;
        Answer::parse(&bytes)
    }

    /// `GET`, the body of the answer to be read bit by bit; from this byte on where it is given.
    pub(crate) fn fetch(&self, path: &str, from: Option<u64>) -> io::Result<Stream> {
        let range = from.map_or_else(String::new, |from| format!("Range: bytes={from}-\r\n"));
        Stream::open(self.connect("GET", path, &range, None)?)
    }

    /// Sends `GET` alone; the answer is for whoever wants to read it.
    pub(crate) fn ask(&self, path: &str) -> io::Result<TcpStream> {
        self.connect("GET", path, "", None)
    }

    fn connect(&self, method: &str, path: &str, header: &str, body: Option<&Value>) -> io::Result<TcpStream> {
        let mut line = TcpStream::connect(("127.0.0.1", self.port))?;
        line.set_read_timeout(Some(Duration::from_mins(1)))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let address = format!("127.0.0.1:{}", self.port);
        let cookie = self
            .cookie
            .as_ref()
            .map(|cookie| format!("Cookie: {cookie}\r\n"))
            .unwrap_or_default();
        write!(
            line,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nAccept-Language: en\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{header}{cookie}\r\n{body}",
            body.len()
        )?;
        Ok(line)
    }
}

/// An answer whose body is read bit by bit.
pub(crate) struct Stream {
    pub(crate) status: u16,
    pub(crate) body: Box<dyn Read>,
}

impl Stream {
    fn open(line: TcpStream) -> io::Result<Self> {
        let mut line = BufReader::with_capacity(256 << 10, line);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if line.read_line(&mut head)? == 0 {
                return Err(failed("the server's answer is not HTTP"));
            }
        }
        let answer = Answer::parse(head.as_bytes())?;
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        let body: Box<dyn Read> = match length {
            Some(length) => Box::new(line.take(length)),
            None => Box::new(Chunks { line, left: 0 }),
        };
        Ok(Self {
            status: answer.status,
            body,
        })
    }
}

/// A chunked body. One that ends too soon is an error.
struct Chunks {
    line: BufReader<TcpStream>,
    /// Bytes of the current chunk that are not read yet.
    left: usize,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let mut size = String::new();
            self.line.read_line(&mut size)?;
            self.left = usize::from_str_radix(size.trim(), 16).map_err(|_| failed("the body ended too soon"))?;
            if self.left == 0 {
                return Ok(0);
            }
        }
        let wanted = buffer.len().min(self.left);
        let count = self.line.read(&mut buffer[..wanted])?;
        self.left -= count;
        if count == 0 && wanted > 0 {
            return Err(failed("the body ended too soon"));
        }
        if self.left == 0 {
            self.line.read_exact(&mut [0; 2])?;
        }
        Ok(count)
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let wrong = || failed("the server's answer is not HTTP");
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .ok_or_else(wrong)?;
        let headers = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = headers
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or_else(wrong)?;
        let mut answer = Self {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
        };
        if !answer.body.is_empty()
            && answer
                .header("transfer-encoding")
                .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        {
            answer.body = unchunk(&answer.body).ok_or_else(wrong)?;
        }
        Ok(answer)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The body of a successful answer; an error otherwise.
    fn json(&self) -> io::Result<Value> {
        if (200..300).contains(&self.status) {
            Ok(serde_json::from_slice(&self.body)?)
        } else {
            Err(failed(format!(
                "the server answered {}: {}",
                self.status,
                String::from_utf8_lossy(&self.body)
            )))
        }
    }
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_answer_is_put_together() {
        let raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"a\":1\r\n1\r\n}\r\n0\r\n\r\n";
        assert_eq!(Answer::parse(raw).unwrap().json().unwrap()["a"], 1);
        assert!(
            Answer::parse(b"HTTP/1.1 401 Unauthorized\r\n\r\n{}")
                .unwrap()
                .json()
                .is_err()
        );
    }
}
