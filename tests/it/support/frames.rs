//! HTTP/2 frames by hand, for peers that keep to no rule.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use tokio::net::TcpSocket;

use super::{PATIENCE, PROCESS};

/// Frame types and flags of RFC 9113 section 6.
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_HEADERS: u8 = 4;

/// A connection on which frames are written by hand.
pub(crate) struct Frames(TcpStream);

impl Frames {
    /// What comes back is read aside, so that nobody waits for the other.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let frames = Self::begin(TcpStream::connect(address).unwrap());
        let mut answers = frames.0.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut sink = [0; 4_096];
            while answers.read(&mut sink).is_ok_and(|read| read > 0) {}
        });
        frames
    }

    /// One that never reads what comes back, and has little room for it.
    pub(crate) async fn deaf(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let socket = socket.connect(address).await.unwrap().into_std().unwrap();
        socket.set_nonblocking(false).unwrap();
        Self::begin(socket)
    }

    fn begin(mut socket: TcpStream) -> Self {
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut frames = Self(socket);
        frames.send(SETTINGS, 0, 0, &[]).unwrap();
        frames
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// When the server has cut the connection off.
    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.write(&frame(kind, flags, stream, payload))
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When the server has cut the connection off.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Another hold of the same connection.
    pub(crate) fn hold(&self) -> Hold {
        Hold(self.0.try_clone().unwrap())
    }
}

/// Ends a connection that somebody else writes to.
pub(crate) struct Hold(TcpStream);

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A frame as it is written.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The lines of a call, none of them indexed.
pub(crate) fn call_lines() -> Vec<u8> {
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "bouncer"),
        (":path", PROCESS),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    .into_iter()
    .flat_map(|(name, value)| literal(name, value))
    .collect()
}

/// RFC 7541 section 6.2.2.
pub(crate) fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0], &text(name)[..], &text(value)].concat()
}

/// RFC 7541 section 5.2, not Huffman coded; the length as section 5.1 has it.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    match u8::try_from(text.len()) {
        Ok(short) if short < 127 => bytes.push(short),
        _ => {
            bytes.push(127);
            let mut rest = text.len() - 127;
            while rest > 127 {
                bytes.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).unwrap());
        }
    }
    bytes.extend(text.as_bytes());
    bytes
}
