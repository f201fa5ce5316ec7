//! Compares sources with the pins without fetching a file, by the statements of their hosts. For a local file only its
//! size is read.

use ballast::digest::Digest;
use ballast::lock::{Source, Weight};

use super::claim::{Claim, Compared, Drift};
use super::{Fault, Sources, hub, local, moving};
use crate::foreign;
use crate::image::Measured;

impl Sources {
    /// Compares one source with the pin.
    pub fn compare(&self, weight: &Weight, source: &Source) -> Compared {
        match source {
            Source::Web(url) => self.compare_web(weight, url, &self.hub.address(url)),
            Source::Hub(file) => {
                let url = hub::url(file);
                self.compare_web(weight, &url, &self.hub.address(&url))
            }
            Source::File(path) => match foreign::open_named(path).and_then(|file| file.metadata()) {
                Ok(facts) => {
                    let claim = Claim { size: facts.is_file().then_some(facts.len()), ..Claim::default() };
                    let (drift, why) = claim.judge(weight.sha256, weight.size);
                    let unread = "a file of this machine, which is not read here".to_owned();
                    Compared { drift, why: if drift == Drift::Unknown { unread } else { why }, claim, fixed: None }
                }
                Err(_) if path.is_dir() => Compared::unknown("a folder of this machine, which is not searched here"),
                Err(error) => failed(&local::unreadable(&error)),
            },
            // A digest of the archive is not a digest of its member; but if the archive is gone, the member is gone
            // too.
            Source::Member { archive, .. } => {
                let mut whole = weight.clone();
                whole.size = None;
                let compared = self.compare(&whole, archive);
                match compared.drift {
                    Drift::Gone | Drift::Moved => compared,
                    Drift::Unknown if compared.claim == Claim::default() => compared,
                    _ => Compared::unknown("the host describes the archive, not the file inside it"),
                }
            }
            Source::Pip { .. } => Compared::unknown("pip names no digest of a file inside a wheel"),
            Source::Data(word) => {
                let claim = Claim { digests: vec![Digest::of(word.as_bytes())], ..Claim::default() };
                let (drift, why) = claim.judge(weight.sha256, None);
                Compared { drift, why, claim, fixed: None }
            }
        }
    }

    /// Compares one source with the pin; a file of this machine by its bytes.
    pub fn compare_bytes(&self, weight: &Weight, source: &Source) -> Compared {
        let Source::File(path) = source else { return self.compare(weight, source) };
        let Ok(measured) = foreign::open_named(path).and_then(|mut file| Measured::of_file(&mut file)) else {
            return self.compare(weight, source);
        };
        let claim = Claim { digests: vec![measured.digest], size: Some(measured.size), ..Claim::default() };
        let (drift, why) = claim.judge(weight.sha256, None);
        Compared { drift, why, claim, fixed: None }
    }

    /// Returns whether a source has bytes of this digest: as its host says, otherwise by `read`, which receives them.
    pub fn gives(&self, source: &Source, (pin, size): (Digest, u64), read: impl Fn(&Source) -> Option<Digest>) -> bool {
        let claim = match source {
            Source::Web(url) => self.web.claim(&self.hub.address(url)).map(|claim| claim.judge(pin, Some(size)).0),
            _ => Ok(Drift::Unknown),
        };
        match claim {
            Ok(Drift::Same) => true,
            Ok(Drift::Unknown | Drift::Moved) => read(source) == Some(pin),
            Ok(Drift::Changed | Drift::Gone) | Err(_) => false,
        }
    }

    /// The address of the version that the host named for a moving one, if a file is there that is not known to be
    /// another one.
    fn fixed_address(&self, weight: &Weight, url: &str, claim: &Claim) -> Option<String> {
        let moving = moving(url, &claim.hub)?;
        let claim = self.web.claim(&self.hub.address(&moving.fix(url)?)).ok()?;
        (claim.judge(weight.sha256, weight.size).0 != Drift::Changed).then_some(moving.fixed)
    }

    fn compare_web(&self, weight: &Weight, url: &str, address: &str) -> Compared {
        match self.web.claim(address) {
            Ok(claim) => {
                let (drift, why) = claim.judge(weight.sha256, weight.size);
                let fixed = self.fixed_address(weight, url, &claim);
                Compared { drift, why, claim, fixed }
            }
            Err(fault) => failed(&fault),
        }
    }
}

fn failed(fault: &Fault) -> Compared {
    let drift = if matches!(fault, Fault::NotFound(_)) { Drift::Gone } else { Drift::Unknown };
    Compared { drift, ..Compared::unknown(&fault.to_string()) }
}
