//! A small HTTP/1.1 client that sends just the bytes a case says, the wrong ones too.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::PATIENCE;

/// A request. Nothing is added to it but `content-length` where there is a body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    path: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    /// In chunks without `content-length`, with these trailers.
    chunked: Option<Vec<(String, String)>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A connection that carries one request after another.
pub(crate) struct Connection<S: Read + Write = TcpStream>(BufReader<S>);

/// One request on a connection of its own.
pub(crate) fn send(address: SocketAddr, request: &Request) -> Answer {
    try_send(address, request).unwrap_or_else(|error| {
        panic!("{address}: {error}: {} {}", request.method, String::from_utf8_lossy(&request.path))
    })
}

/// The same, where the answer may stay away.
pub(crate) fn try_send(address: SocketAddr, request: &Request) -> io::Result<Answer> {
    Connection::open(address)?.send(request)
}

impl Request {
    pub(crate) fn new(method: &str, path: impl AsRef<[u8]>) -> Self {
        Self {
            method: method.to_owned(),
            path: path.as_ref().to_vec(),
            headers: Vec::new(),
            body: Vec::new(),
            chunked: None,
        }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::new("POST", path) }
    }

    /// Appends a header line, also one whose name is there already.
    pub(crate) fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// `authorization: Bearer <token>`.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sends the body in chunks and without `content-length`, with these trailers behind it.
    pub(crate) fn in_chunks(self, trailers: &[(&str, &str)]) -> Self {
        let trailers = trailers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { chunked: Some(trailers.collect()), ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.method.as_bytes(), b" ", &self.path, b" HTTP/1.1\r\n"].concat();
        for (name, value) in &self.headers {
            bytes.extend([name, b": ".as_slice(), value, b"\r\n"].concat());
        }
        if let Some(trailers) = &self.chunked {
            bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in self.body.chunks(7_001) {
                bytes.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
            }
            bytes.extend(b"0\r\n");
            for (name, value) in trailers {
                bytes.extend(format!("{name}: {value}\r\n").into_bytes());
            }
            bytes.extend(b"\r\n");
            return bytes;
        }
        if !self.body.is_empty() {
            bytes.extend(format!("content-length: {}\r\n", self.body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

impl Answer {
    /// The values of a header, joined as HTTP allows.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }
}

impl<S: Read + Write> Connection<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// # Errors
    /// When the connection ends before the answer does.
    pub(crate) fn send(&mut self, request: &Request) -> io::Result<Answer> {
        let mut answer = self.begin(request)?;
        answer.body = body(&mut self.0, &answer.headers)?;
        Ok(answer)
    }

    /// The beginning of an answer, without its body.
    ///
    /// # Errors
    /// When the connection ends before the headers do.
    pub(crate) fn begin(&mut self, request: &Request) -> io::Result<Answer> {
        self.0.get_mut().write_all(&request.bytes())?;
        let (first, headers) = head(&mut self.0)?;
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        Ok(Answer { status, headers, body: Vec::new() })
    }

    /// The next chunk of an answer that comes in chunks; none after the last.
    ///
    /// # Errors
    /// When the connection ends before.
    pub(crate) fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let chunk = chunk(&mut self.0)?;
        Ok((!chunk.is_empty()).then_some(chunk))
    }
}

/// The first line and the headers of a message.
pub(crate) fn head(stream: &mut impl BufRead) -> io::Result<(String, Vec<(String, String)>)> {
    let first = line(stream)?;
    let mut headers = Vec::new();
    loop {
        let text = line(stream)?;
        if text.is_empty() {
            return Ok((first, headers));
        }
        let (name, value) = text.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// The body that these headers announce.
pub(super) fn body(stream: &mut impl BufRead, headers: &[(String, String)]) -> io::Result<Vec<u8>> {
    let of = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
    let mut body = Vec::new();
    if of("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        loop {
            let chunk = chunk(stream)?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }
    let length = of("content-length").map_or(Ok(0), str::parse).map_err(|_| io::ErrorKind::InvalidData)?;
    body.resize(length, 0);
    stream.read_exact(&mut body)?;
    Ok(body)
}

/// A chunk and the end of its line; the last one is empty.
fn chunk(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let size = usize::from_str_radix(&line(stream)?, 16).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut chunk = vec![0; size];
    stream.read_exact(&mut chunk)?;
    line(stream)?;
    Ok(chunk)
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}
