//! A small HTTP/1.1 client for our own server on the loopback address.

use std::io::{self, Read as _, Write as _};
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
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{cookie}\r\n{body}",
            body.len()
        )?;
        let mut bytes = Vec::new();
        line.read_to_end(&mut bytes)?;
        Answer::parse(&bytes)
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
        if answer
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
