//! A client that writes arbitrary bytes, for requests that no ordinary client sends.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{PATIENCE, Service};

/// An open connection.
pub struct Raw(TcpStream);

impl Raw {
    pub fn to(service: &Service) -> Self {
        let address = service.url.rsplit('/').next().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Connects and sends the headers of a POST of a form with this body length (`None`: chunked).
    pub fn posting(service: &Service, path: &str, length: Option<usize>) -> Self {
        let body = length.map_or("transfer-encoding: chunked".into(), |length| format!("content-length: {length}"));
        let mut raw = Self::to(service);
        let kind = "content-type: multipart/form-data; boundary=b";
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{kind}\r\n{body}\r\n\r\n");
        assert!(raw.send(head.as_bytes()));
        raw
    }

    /// Sends bytes; returns whether the connection accepted them.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Sends one chunk of a chunked body.
    pub fn chunk(&mut self, bytes: &[u8]) -> bool {
        let framed = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.send(&framed)
    }

    /// Returns the first bytes received within this time, if any.
    pub fn first(&mut self, within: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(within)).unwrap();
        let mut bytes = [0; 4096];
        let read = self.0.read(&mut bytes);
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        read.ok().map(|length| String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    /// Reads until the service closes the connection.
    pub fn read(&mut self) -> String {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the connection was never ended: {}", String::from_utf8_lossy(&bytes))
            }
            _ => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}
