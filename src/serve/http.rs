//! A small HTTP/1.1 server for a few short answers: one thread, one loop over `poll`. httparse reads the heads.
//!
//! Everything is bounded: connections, the bytes of a head, the time that a request or the taking of an answer
//! may need. Bodies are not read. What is answered is not known here.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::supervise::signals;

const CONNECTIONS: usize = 64;
/// Descriptors that a check needs, and that are open all the time.
const FOR_CHECKS: usize = 32;
const HEAD: usize = 8 * 1024;
const HEADERS: usize = 64;
/// For a request to come whole, for its answer to be taken, and for the next one to begin.
const PATIENCE: Duration = Duration::from_secs(5);
/// For the listener, where no descriptor is left to accept with.
const REST: Duration = Duration::from_millis(100);

pub struct Request<'a> {
    /// Without the query.
    pub path: &'a str,
    /// OpenMetrics is preferred to Prometheus's own text.
    pub open_metrics: bool,
}

pub struct Answer {
    pub status: u16,
    pub kind: &'static str,
    pub body: String,
}

/// Answers until a signal comes.
pub fn serve(listener: &TcpListener, answer: impl Fn(&Request) -> Answer) -> Result<()> {
    listener.set_nonblocking(true).context("cannot serve without blocking")?;
    let mut connections: Vec<Connection> = Vec::new();
    let places = places();
    let mut rest_until = Instant::now();
    while signals::signalled().is_none() {
        let now = Instant::now();
        connections.retain(|connection| connection.end > now);
        let accepts = rest_until <= now;
        let end = connections.iter().map(|connection| connection.end).min();
        let end =
            if rest_until > now { Some(end.map_or(rest_until, |end| end.min(rest_until))) } else { end };
        let time = end.and_then(|end| Timespec::try_from(end.saturating_duration_since(now)).ok());
        let mut descriptors: Vec<PollFd> = connections.iter().map(Connection::interest).collect();
        descriptors.extend(signals::pipe().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        descriptors.extend(accepts.then(|| PollFd::new(listener, PollFlags::IN)));
        match poll(&mut descriptors, time.as_ref()) {
            Ok(_) => {}
            // A signal, which the loop looks at.
            Err(Errno::INTR) => continue,
            Err(_) => {
                thread::sleep(REST);
                continue;
            }
        }
        let ready: Vec<bool> =
            descriptors.iter().map(|descriptor| !descriptor.revents().is_empty()).collect();
        let mut number = 0;
        connections.retain_mut(|connection| {
            number += 1;
            !ready[number - 1] || connection.go_on(&answer)
        });
        if accepts && ready.last() == Some(&true) {
            match listener.accept() {
                Ok((stream, _)) => {
                    make_room(&mut connections, places);
                    connections.extend(Connection::new(stream));
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => rest_until = Instant::now() + REST,
            }
        }
    }
    Ok(())
}

/// Where all places are taken, closes the connection that has been idle longest, else the one that has had most
/// time: clients that say nothing must not keep probes out.
fn make_room(connections: &mut Vec<Connection>, places: usize) {
    if connections.len() < places {
        return;
    }
    let order = |(_, connection): &(usize, &Connection)| (!connection.is_idle(), connection.end);
    if let Some((oldest, _)) = connections.iter().enumerate().min_by_key(order) {
        connections.swap_remove(oldest);
    }
}

/// A few descriptors are for the checks.
fn places() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    files.saturating_sub(FOR_CHECKS).clamp(1, CONNECTIONS)
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Requests have been answered on it.
    used: bool,
    /// After what is to be written.
    closes: bool,
    /// The client has closed its side.
    ended: bool,
    /// When it is cut.
    end: Instant,
}

impl Connection {
    fn new(stream: TcpStream) -> Option<Self> {
        stream.set_nonblocking(true).ok()?;
        // Answers are written whole; nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        let end = Instant::now() + PATIENCE;
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

    fn interest(&self) -> PollFd<'_> {
        let flags = if self.output.is_empty() { PollFlags::IN } else { PollFlags::OUT };
        PollFd::new(&self.stream, flags)
    }

    fn is_idle(&self) -> bool {
        self.used && self.input.is_empty() && self.output.is_empty()
    }

    /// Reads, answers and writes as far as that goes now. False: it is to be closed.
    fn go_on(&mut self, answer: &impl Fn(&Request) -> Answer) -> bool {
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
            // What was written in advance behind the last request.
            if !self.take_request(answer) {
                return !self.ended;
            }
        }
    }

    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        while self.input.len() <= HEAD {
            match self.stream.read(&mut buffer) {
                // It may have said all, and wait for the answer.
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

    /// Answers the next request, if it has come whole. What is no request is answered and ends the connection.
    fn take_request(&mut self, answer: &impl Fn(&Request) -> Answer) -> bool {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(&self.input) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if self.input.len() > HEAD => return self.refuse(431, ""),
            Ok(httparse::Status::Partial) => return false,
            Err(httparse::Error::TooManyHeaders) => return self.refuse(431, ""),
            Err(_) => return self.refuse(400, ""),
        };
        if length > HEAD {
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
        let asks = |word: &str| connection.split(',').any(|part| part.trim() == word);
        let closes = if request.version == Some(1) { asks("close") } else { !asks("keep-alive") };
        let target = path(request.path.unwrap_or_default());
        let accept = header("accept");
        let answered = answer(&Request { path: target, open_metrics: prefers_open_metrics(&accept) });
        let body = if method == "HEAD" { "" } else { answered.body.as_str() };
        self.output = head(answered.status, answered.kind, answered.body.len(), closes, "").into_bytes();
        self.output.extend_from_slice(body.as_bytes());
        self.closes = closes;
        self.input.drain(..length);
        self.used = true;
        self.end = Instant::now() + PATIENCE;
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

fn head(status: u16, kind: &str, bytes: usize, closes: bool, more: &str) -> String {
    let connection = if closes { "close" } else { "keep-alive" };
    format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {bytes}\r\nCache-Control: no-store\r\n\
         Connection: {connection}\r\n{more}\r\n",
        reason(status)
    )
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}

/// `/metrics` of `/metrics?x=1` and of `http://host:9476/metrics`.
fn path(target: &str) -> &str {
    let target = match target.split_once("://") {
        Some(("http" | "https", rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        _ => target,
    };
    target.split(['?', '#']).next().unwrap_or_default()
}

/// Whether OpenMetrics weighs more in an Accept header than the text that Prometheus had before it.
fn prefers_open_metrics(accept: &str) -> bool {
    let weight = |kind: &str| {
        let entries = accept.split(',').map(|entry| entry.split(';').map(str::trim));
        let weights = entries.filter_map(|mut parts| {
            let named = parts.next() == Some(kind);
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok());
            named.then_some(weight.unwrap_or(1.0))
        });
        weights.fold(0.0, f64::max)
    };
    let open = weight("application/openmetrics-text");
    open > 0.0 && open >= weight("text/plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_taken_down_to_their_path() {
        let cases = [
            ("/livez", "/livez"),
            ("/livez?verbose=1", "/livez"),
            ("http://localhost:9476/metrics?a", "/metrics"),
            ("http://localhost", "/"),
            ("/a://b", "/a://b"),
            ("*", "*"),
        ];
        for (target, wanted) in cases {
            assert_eq!(path(target), wanted, "{target}");
        }
    }

    #[test]
    fn the_form_of_metrics_is_what_the_scraper_prefers() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        let cases = [
            ("", false),
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text", true),
            (prometheus, true),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.9", false),
            ("application/openmetrics-text;q=0", false),
        ];
        for (accept, wanted) in cases {
            assert_eq!(prefers_open_metrics(accept), wanted, "{accept}");
        }
    }
}
