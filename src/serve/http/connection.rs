//! One connection: reads requests, writes answers, never blocks.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::message::{Answer, Request, head, path, prefers_open_metrics, reason};

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;
/// The most headers of a request.
const HEADERS: usize = 64;
/// For a request to arrive, for its answer to be read, and for the next request to begin.
const TIMEOUT: Duration = Duration::from_secs(5);

pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// A request has been answered on it.
    used: bool,
    /// Close it after writing the output.
    closes: bool,
    /// The client has closed its side.
    ended: bool,
    /// When to close it in any case.
    pub end: Instant,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Option<Self> {
        stream.set_nonblocking(true).ok()?;
        // Answers are written as a whole.
        let _ = stream.set_nodelay(true);
        let end = Instant::now() + TIMEOUT;
        Some(Connection {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            used: false,
            closes: false,
            ended: false,
            end,
        })
    }

    /// What to wait for.
    pub fn interest(&self) -> PollFd<'_> {
        let flags = if self.output.is_empty() { PollFlags::IN } else { PollFlags::OUT };
        PollFd::new(&self.stream, flags)
    }

    /// Kept alive, between two requests.
    pub fn is_idle(&self) -> bool {
        self.used && self.input.is_empty() && self.output.is_empty()
    }

    /// Reads, answers and writes as much as is possible without blocking. False to close the connection.
    pub fn proceed(&mut self, answer: &impl Fn(&Request) -> Answer) -> bool {
        if self.output.is_empty() && !self.read() {
            return false;
        }
        loop {
            if !self.write() {
                return false;
            }
            if !self.output.is_empty() {
                return true;
            }
            if self.closes {
                return false;
            }
            // The client may have sent the next request already.
            if !self.answer_next(answer) {
                return !self.ended;
            }
        }
    }

    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        while self.input.len() <= LONGEST_HEAD {
            match self.stream.read(&mut buffer) {
                // The client may only have closed its side, and wait for the answer.
                Ok(0) => {
                    self.ended = true;
                    return !self.input.is_empty();
                }
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }

    fn write(&mut self) -> bool {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return false,
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }

    /// Answers the next request, if it is complete. Answers an invalid one too, and closes the connection.
    fn answer_next(&mut self, answer: &impl Fn(&Request) -> Answer) -> bool {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(&self.input) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if self.input.len() > LONGEST_HEAD => return self.refuse(431, ""),
            Ok(httparse::Status::Partial) => return false,
            Err(httparse::Error::TooManyHeaders) => return self.refuse(431, ""),
            Err(_) => return self.refuse(400, ""),
        };
        if length > LONGEST_HEAD {
            return self.refuse(431, "");
        }
        let header = |name: &str| {
            let values = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            let values: Vec<_> = values.map(|header| String::from_utf8_lossy(header.value)).collect();
            values.join(",").to_ascii_lowercase()
        };
        let has_body =
            !matches!(header("content-length").as_str(), "" | "0") || !header("transfer-encoding").is_empty();
        let method = request.method.unwrap_or_default();
        if !matches!(method, "GET" | "HEAD") {
            return self.refuse(405, "Allow: GET, HEAD\r\n");
        }
        if has_body {
            return self.refuse(413, "");
        }
        let connection = header("connection");
        let has = |word: &str| connection.split(',').any(|part| part.trim() == word);
        let closes = if request.version == Some(1) { has("close") } else { !has("keep-alive") };
        let target = path(request.path.unwrap_or_default());
        let accept = header("accept");
        let answer = answer(&Request { path: target, open_metrics: prefers_open_metrics(&accept) });
        let body = if method == "HEAD" { "" } else { answer.body.as_str() };
        self.output = head(answer.status, answer.kind, answer.body.len(), closes, "").into_bytes();
        self.output.extend_from_slice(body.as_bytes());
        self.closes = closes;
        self.input.drain(..length);
        self.used = true;
        self.end = Instant::now() + TIMEOUT;
        true
    }

    fn refuse(&mut self, status: u16, header: &str) -> bool {
        let body = format!("{}\n", reason(status));
        self.output =
            (head(status, "text/plain; charset=utf-8", body.len(), true, header) + &body).into_bytes();
        self.closes = true;
        self.input.clear();
        true
    }
}
