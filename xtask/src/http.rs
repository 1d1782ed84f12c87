//! A small blocking HTTP/1.1 client for the loopback: enough to steer a simulator and to load a proxy. No TLS, no
//! redirects, bodies bounded.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// How long one read may stay silent.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// An answer: status and body, chunks joined.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// One keep-alive connection.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
    /// What was read; `read[..]` past the answer being parsed belongs to none and is dropped with the next request.
    read: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let socket =
            TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(READ_LIMIT))?;
        Ok(Self {
            socket,
            read: Vec::with_capacity(16 * 1024),
        })
    }

    /// Writes a whole request as `request()` builds it, and reads the whole answer.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Result<Answer> {
        self.read.clear();
        self.socket.write_all(request)?;
        let head_end = loop {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let head =
            String::from_utf8_lossy(self.read.get(..head_end).unwrap_or_default()).into_owned();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .context("an answer without a status")?;
        let body = match framing(&head) {
            Framing::Length(length) => {
                if length > MAX_ANSWER_BYTES {
                    bail!("an answer of {length} bytes");
                }
                while self.read.len() < head_end + length {
                    self.more()?;
                }
                self.read
                    .get(head_end..head_end + length)
                    .unwrap_or_default()
                    .to_vec()
            }
            Framing::Chunked => self.chunks(head_end)?,
        };
        Ok(Answer { status, body })
    }

    fn chunks(&mut self, start: usize) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        let mut at = start;
        loop {
            let line_end = loop {
                let rest = self.read.get(at..).unwrap_or_default();
                if let Some(end) = find(rest, b"\r\n") {
                    break at + end;
                }
                self.more()?;
            };
            let size = self.read.get(at..line_end).unwrap_or_default();
            let size = usize::from_str_radix(std::str::from_utf8(size)?.trim(), 16)
                .context("a chunk without a size")?;
            let data = line_end + 2;
            if size > MAX_ANSWER_BYTES || body.len() > MAX_ANSWER_BYTES {
                bail!("an answer over {MAX_ANSWER_BYTES} bytes");
            }
            while self.read.len() < data + size + 2 {
                self.more()?;
            }
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(self.read.get(data..data + size).unwrap_or_default());
            at = data + size + 2;
        }
    }

    fn more(&mut self) -> Result<()> {
        let mut buffer = [0_u8; 16 * 1024];
        let count = self.socket.read(&mut buffer)?;
        if count == 0 {
            bail!("the connection was closed before the answer was whole");
        }
        self.read
            .extend_from_slice(buffer.get(..count).unwrap_or_default());
        Ok(())
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

fn framing(head: &str) -> Framing {
    for line in head.lines().skip(1) {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Framing::Chunked;
        }
        if name.eq_ignore_ascii_case("content-length")
            && let Ok(length) = value.trim().parse()
        {
            return Framing::Length(length);
        }
    }
    Framing::Length(0)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The bytes of a keep-alive request with a JSON body.
pub(crate) fn request(method: &str, path: &str, address: SocketAddr, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         authorization: Bearer test\r\naccept: */*\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One exchange on a connection of its own; any status but 2xx is an error.
pub(crate) fn call(method: &str, address: SocketAddr, path: &str, body: &str) -> Result<Vec<u8>> {
    let answer = Connection::open(address)?.exchange(&request(method, path, address, body))?;
    if !(200..300).contains(&answer.status) {
        bail!(
            "{method} {path} at {address}: {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
    }
    Ok(answer.body)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection with the given bytes, in the given pieces.
    fn serve(pieces: &'static [&'static [u8]]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut buffer = [0; 1024];
            let _ = socket.read(&mut buffer).unwrap();
            for piece in pieces {
                socket.write_all(piece).unwrap();
            }
        });
        address
    }

    #[test]
    fn a_body_with_a_length_is_read_whole() {
        let address = serve(&[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", b"llo"]);
        assert_eq!(call("GET", address, "/", "").unwrap(), b"hello");
    }

    #[test]
    fn chunks_are_joined() {
        let address = serve(&[
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
            b"c\r\nA\r\n0123456789\r\n",
            b"0\r\n\r\n",
        ]);
        assert_eq!(call("GET", address, "/", "").unwrap(), b"abc0123456789");
    }

    #[test]
    fn an_answer_that_ends_early_is_an_error() {
        let address = serve(&[b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhe"]);
        assert!(call("GET", address, "/", "").is_err());
    }

    #[test]
    fn a_status_that_is_no_success_is_an_error() {
        let address = serve(&[b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"]);
        assert!(
            call("GET", address, "/", "")
                .unwrap_err()
                .to_string()
                .contains("404")
        );
    }
}
