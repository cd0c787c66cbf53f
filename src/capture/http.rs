//! As much of HTTP/1.1 as a completions API needs: one request a connection, JSON both ways, time limits.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::CaptureError;

/// The largest answer that is read, in bytes: the log-probabilities of a whole vocabulary are a few millions.
const LARGEST: u64 = 256 << 20;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    path: String,
}

impl Endpoint {
    /// Reads `http://HOST[:PORT][/PATH]`; a path that ends in `/v1` may be given with or without it.
    ///
    /// # Errors
    /// [`CaptureError::Endpoint`] where it is no such address.
    pub fn parse(url: &str) -> Result<Self, CaptureError> {
        let refuse = |reason: &str| CaptureError::Endpoint { url: url.to_owned(), reason: reason.to_owned() };
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => return Err(refuse("https is not spoken here")),
            Some(_) => return Err(refuse("it does not begin with http://")),
            None => url,
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| refuse("the port is no number up to 65535"))?),
            None => (authority, 80),
        };
        if host.is_empty() {
            return Err(refuse("it names no host"));
        }
        let path = path.trim_end_matches('/').trim_end_matches("v1").trim_end_matches('/');
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), port, path })
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The JSON that a path answers.
pub(super) fn get(endpoint: &Endpoint, path: &str, timeout: Duration) -> Result<Value, CaptureError> {
    request(endpoint, "GET", path, "", timeout)
}

/// The JSON that a path answers to a body.
pub(super) fn post(endpoint: &Endpoint, path: &str, body: &Value, timeout: Duration) -> Result<Value, CaptureError> {
    request(endpoint, "POST", path, &body.to_string(), timeout)
}

fn request(endpoint: &Endpoint, verb: &str, path: &str, body: &str, timeout: Duration) -> Result<Value, CaptureError> {
    let broken = |error: io::Error| CaptureError::Connection {
        address: endpoint.address(),
        reason: match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("none in {timeout:?}"),
            _ => error.to_string(),
        },
    };
    let reply = exchange(endpoint, verb, path, body, Instant::now() + timeout).map_err(broken)?;
    let message = || reply.text.chars().take(300).collect::<String>();
    match reply.status {
        200..300 => {
            serde_json::from_str(&reply.text).map_err(|error| CaptureError::Answer { what: format!("JSON ({error})") })
        }
        status @ (429 | 502 | 503 | 504) => Err(CaptureError::Busy { status, message: message(), after: reply.after }),
        status => Err(CaptureError::Refused { status, message: message() }),
    }
}

/// What a server said.
#[derive(Debug)]
struct Reply {
    status: u16,
    /// How long it asks to be left alone (`Retry-After`).
    after: Option<Duration>,
    text: String,
}

/// A connection whose reads and writes all end at one deadline, however little each of them brings.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The time until a deadline, never zero: a socket takes no such limit.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The first address that takes a connection: `localhost` may be that of IPv6 first, where a server listens on IPv4 only.
fn connect(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the host has no address");
    for (tried, address) in addresses.iter().enumerate() {
        // One that never answers leaves time for those after it.
        let share = left(deadline)? / (addresses.len() - tried) as u32;
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn exchange(endpoint: &Endpoint, verb: &str, path: &str, body: &str, deadline: Instant) -> io::Result<Reply> {
    let addresses: Vec<SocketAddr> = endpoint.address().to_socket_addrs()?.collect();
    let mut stream = Timed { stream: connect(&addresses, deadline)?, deadline };
    let head = format!(
        "{verb} {}{path} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        endpoint.path,
        endpoint.address(),
        body.len()
    );
    // A server may refuse before it has read the whole request: then writing fails, and the answer says why.
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    let answer = read_answer(&mut BufReader::new(stream.take(LARGEST)));
    match (sent, answer) {
        (_, Ok(answer)) => Ok(answer),
        (Err(error), _) | (Ok(()), Err(error)) => Err(error),
    }
}

fn read_answer(reader: &mut impl BufRead) -> io::Result<Reply> {
    let status = line(reader)?;
    let status = status.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the answer is no HTTP"))?;
    let (mut length, mut chunked, mut after) = (None, false, None);
    loop {
        let header = line(reader)?;
        let Some((name, value)) = header.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<u64>().ok(),
            // A date, as HTTP also allows, is not read: then the usual pauses are made.
            "retry-after" => after = value.trim().parse::<u64>().ok().map(Duration::from_secs),
            "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
            _ => {}
        }
    }
    let mut bytes = Vec::new();
    match (chunked, length) {
        (true, _) => loop {
            let size = line(reader)?;
            let size = size.split(';').next().and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
            match size.ok_or_else(|| io::Error::other("a chunk has no length"))? {
                0 => break,
                size => read_exactly(reader, size, &mut bytes)?,
            }
            line(reader)?;
        },
        (false, Some(length)) => read_exactly(reader, length, &mut bytes)?,
        (false, None) => {
            reader.read_to_end(&mut bytes)?;
        }
    }
    Ok(Reply { status, after, text: String::from_utf8_lossy(&bytes).into_owned() })
}

fn read_exactly(reader: &mut impl BufRead, size: u64, into: &mut Vec<u8>) -> io::Result<()> {
    if reader.take(size).read_to_end(into)? < size as usize {
        return Err(io::Error::other("the answer ends in the middle"));
    }
    Ok(())
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "the answer ends in the middle"));
    }
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::{Ipv6Addr, TcpListener};

    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_their_parts() {
        let of = |url| Endpoint::parse(url).map(|e| (e.host, e.port, e.path));
        assert_eq!(of("http://localhost:8000/v1").unwrap(), ("localhost".to_owned(), 8000, String::new()));
        assert_eq!(of("10.0.0.1:80/models/a/v1/").unwrap(), ("10.0.0.1".to_owned(), 80, "/models/a".to_owned()));
        for bad in ["https://host", "ftp://host", "http://", "http://host:99999"] {
            assert!(of(bad).unwrap_err().to_string().contains("hint:"), "{bad}");
        }
    }

    #[test]
    fn a_host_is_reached_by_whichever_of_its_addresses_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let listening = listener.local_addr().unwrap();
        let silent = SocketAddr::from((Ipv6Addr::LOCALHOST, listening.port()));
        let deadline = Instant::now() + Duration::from_secs(30);
        for addresses in [vec![silent, listening], vec![listening, silent], vec![silent, silent, listening]] {
            assert_eq!(connect(&addresses, deadline).unwrap().peer_addr().unwrap(), listening);
        }
        assert_ne!(connect(&[silent, silent], deadline).unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(connect(&[], deadline).unwrap_err().to_string(), "the host has no address");
        assert_eq!(connect(&[listening], Instant::now()).unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn an_answer_says_how_long_to_wait_and_must_be_complete() {
        let read = |text: &str| read_answer(&mut text.as_bytes());
        let reply = read("HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy").unwrap();
        assert_eq!((reply.status, reply.after, reply.text.as_str()), (503, Some(Duration::from_secs(7)), "busy"));
        let dated = read("HTTP/1.1 503 X\r\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n").unwrap();
        assert_eq!(dated.after, None);
        for cut in ["", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{}"] {
            assert!(read(cut).is_err(), "{cut}");
        }
    }
}
