//! Files and directories of this machine as sources. FIFOs and devices are refused.

use std::io::{self, Read};
use std::path::Path;

use ballast::buffer::Buffer;

use super::fault::Fault;
use super::sink::Sink;
use crate::foreign;

const PIECE: usize = 256 << 10;

/// Takes one file.
pub fn file(path: &Path, sink: &mut Sink) -> Result<(), Fault> {
    let file = foreign::open_named(path).map_err(|error| unreadable(&error))?;
    let len = file.metadata().map_err(|error| unreadable(&error))?.len();
    stream(file, len, sink)
}

/// Streams a source of a known length from its beginning.
pub fn stream(mut from: impl Read, len: u64, sink: &mut Sink) -> Result<(), Fault> {
    let mut buffer = Buffer::new(PIECE);
    let mut got = fill(&mut from, &mut buffer).map_err(|error| unreadable(&error))?;
    sink.announced(len, &buffer[..got.min(512)])?;
    sink.restart()?;
    while got > 0 {
        sink.write(&buffer[..got])?;
        got = fill(&mut from, &mut buffer).map_err(|error| unreadable(&error))?;
    }
    sink.ended()
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Turns a read error into a fault.
pub fn unreadable(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Fault::NotFound("no such file".into()),
        io::ErrorKind::PermissionDenied => Fault::Denied("no right to read it".into()),
        _ => Fault::Unreadable(error.to_string()),
    }
}
