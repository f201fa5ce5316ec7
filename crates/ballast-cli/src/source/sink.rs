//! Writes a source's bytes into the store's receiver, within bounds, and shows them on the progress line.

use std::fs::File;

use ballast::digest::Digest;
use ballast::disk::LinuxDisk;
use ballast::receive::{ReceiveFault, Receiver};
use ballast::store::WeightState;

use super::fault::Fault;
use super::hub::HubHeaders;
use crate::first_trust::{HEAD, NotAWeight};
use crate::print::ProgressLine;

/// A file that is being received.
pub struct Sink<'a> {
    receiver: Receiver<'a, LinuxDisk>,
    pin: Option<Digest>,
    size: Option<u64>,
    most: u64,
    head: Vec<u8>,
    /// Whether the bytes arrived in more than one piece, perhaps from more than one source.
    pub pieced: bool,
    /// The content encoding under which the bytes came.
    pub encoding: Option<String>,
    /// A hub's headers about the file.
    pub hub: HubHeaders,
    /// Whether the present attempt changed the bytes.
    pub touched: bool,
    /// The number of chunks from the existing file.
    pub kept: u64,
    /// The progress line.
    pub line: &'a ProgressLine,
}

impl<'a> Sink<'a> {
    /// A sink for a file of this size or, if it is unknown, of a bounded size.
    pub fn new(
        receiver: Receiver<'a, LinuxDisk>,
        pin: Option<Digest>,
        size: Option<u64>,
        most: u64,
        line: &'a ProgressLine,
    ) -> Self {
        let pieced = !receiver.is_empty();
        Self {
            receiver,
            pin,
            size,
            most: size.unwrap_or(most),
            head: Vec::new(),
            pieced,
            encoding: None,
            hub: HubHeaders::default(),
            touched: false,
            kept: 0,
            line,
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.receiver.len()
    }

    /// The pinned size.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The digest of all bytes so far.
    pub fn digest(&self) -> Digest {
        self.receiver.digest()
    }

    /// Forgets all bytes.
    pub fn restart(&mut self) -> Result<(), Fault> {
        self.head.clear();
        self.encoding = None;
        (self.pieced, self.touched, self.kept) = (false, true, 0);
        self.line.at(0);
        Ok(self.receiver.restart()?)
    }

    /// Takes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.look(bytes);
        if bytes.len() as u64 > self.most - self.len().min(self.most) {
            return Err(self.otherwise(Fault::TooLong { most: self.most }));
        }
        self.touched = true;
        self.receiver.write(bytes)?;
        self.line.at(self.len());
        Ok(())
    }

    /// Takes a chunk of the existing file.
    pub fn keep(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.pieced = true;
        self.kept += 1;
        self.write(bytes)
    }

    /// Passes all bytes so far to `each`.
    pub fn again(&self, each: impl FnMut(&[u8])) -> Result<(), Fault> {
        Ok(self.receiver.again(each)?)
    }

    /// Keeps the first bytes of the file.
    fn look(&mut self, bytes: &[u8]) {
        if self.len() < HEAD as u64 && self.len() == self.head.len() as u64 {
            let more = bytes.len().min(HEAD - self.head.len());
            self.head.extend_from_slice(&bytes[..more]);
        }
    }

    /// Checks a length that was announced before the body; `head` are the file's first bytes.
    pub fn announced(&self, found: u64, head: &[u8]) -> Result<(), Fault> {
        let fault = match self.size {
            Some(expected) if expected != found => Fault::WrongLength { found, expected },
            None if found > self.most => Fault::TooLong { most: self.most },
            _ => return Ok(()),
        };
        Err(NotAWeight::of(head).map(Fault::NotAWeight).or_else(|| self.encoded()).unwrap_or(fault))
    }

    /// Checks the digest that a hub announced before the body.
    pub fn promised(&self) -> Result<(), Fault> {
        match (self.pin, self.hub.digest) {
            (Some(pin), Some(found)) if pin != found => Err(Fault::WrongBytes { found }),
            _ => Ok(()),
        }
    }

    /// Checks, at the source's end, that all bytes arrived.
    pub fn ended(&self) -> Result<(), Fault> {
        match self.size {
            Some(expected) if expected != self.len() => {
                Err(self.otherwise(Fault::WrongLength { found: self.len(), expected }))
            }
            _ => Ok(()),
        }
    }

    /// Returns a more exact fault if the bytes show one, otherwise this fault.
    pub fn otherwise(&self, fault: Fault) -> Fault {
        self.recognised().map(Fault::NotAWeight).or_else(|| self.encoded()).unwrap_or(fault)
    }

    /// The fault of bytes that came under a content encoding.
    pub fn encoded(&self) -> Option<Fault> {
        self.encoding.clone().map(Fault::Encoded)
    }

    /// The received file, to be read before it has its name.
    pub fn received(&self) -> Result<File, Fault> {
        self.receiver.file().to_file().map_err(|error| Fault::Store("read it back", error))
    }

    /// Makes the bytes durable before they have their name.
    pub fn sync(&self) -> Result<(), Fault> {
        Ok(self.receiver.sync()?)
    }

    /// Gives up on this file for now.
    pub fn give_up(self) {
        self.receiver.give_up();
    }

    /// Returns what the bytes are, if they are recognised as another kind of content.
    pub fn recognised(&self) -> Option<NotAWeight> {
        NotAWeight::of(&self.head)
    }

    /// Gives the bytes their name, if they are the right ones.
    pub fn publish(self, pin: Digest, found: &WeightState) -> Result<(), Fault> {
        self.receiver.publish(pin, found).map_err(|fault| match fault {
            ReceiveFault::Bytes(found) => Fault::WrongBytes { found },
            ReceiveFault::Install(fault) => fault.into(),
        })
    }
}
