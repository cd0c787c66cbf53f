//! As much of HTTP/1.1 as a completions API needs: one request a connection, JSON both ways, time limits.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

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
    let broken = |error: std::io::Error| CaptureError::Connection {
        address: endpoint.address(),
        reason: match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => format!("none in {timeout:?}"),
            _ => error.to_string(),
        },
    };
    let (status, text) = exchange(endpoint, verb, path, body, timeout).map_err(broken)?;
    if !(200..300).contains(&status) {
        let message = text.chars().take(300).collect();
        return Err(CaptureError::Refused { status, message });
    }
    serde_json::from_str(&text).map_err(|error| CaptureError::Answer { what: format!("JSON ({error})") })
}

/// Status and body of the answer.
fn exchange(
    endpoint: &Endpoint,
    verb: &str,
    path: &str,
    body: &str,
    timeout: Duration,
) -> std::io::Result<(u16, String)> {
    let address = endpoint.address().to_socket_addrs()?.next();
    let address = address.ok_or_else(|| std::io::Error::other("the host has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
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

fn read_answer(reader: &mut impl BufRead) -> std::io::Result<(u16, String)> {
    let status = line(reader)?;
    let status = status.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("the answer is no HTTP"))?;
    let (mut length, mut chunked) = (None, false);
    loop {
        let header = line(reader)?;
        let Some((name, value)) = header.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<u64>().ok(),
            "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
            _ => {}
        }
    }
    let mut bytes = Vec::new();
    match (chunked, length) {
        (true, _) => loop {
            let size = line(reader)?;
            let size = size.split(';').next().and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
            match size.ok_or_else(|| std::io::Error::other("a chunk has no length"))? {
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
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

fn read_exactly(reader: &mut impl BufRead, size: u64, into: &mut Vec<u8>) -> std::io::Result<()> {
    if reader.take(size).read_to_end(into)? < size as usize {
        return Err(std::io::Error::other("the answer ends in the middle"));
    }
    Ok(())
}

fn line(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

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
}
