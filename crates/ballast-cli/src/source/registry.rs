//! A registry, by the distribution protocol: resolve a name once, read ranges of blobs, push an image.
//!
//! Bounds are those of every source: time without a byte, overall time, retries, and bytes of every
//! response that is not a blob. No response is trusted: manifests are checked against their digest,
//! blobs by their readers. `address` decides where each request may go, and with which secret.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use ballast::digest::Digest;
use oci_spec::distribution::Reference;
use oci_spec::image::MediaType;
use ureq::SendBody;
use ureq::http::{HeaderName, Method, header};

use super::address::{Address, Clear};
use super::authority::{Authority, Scope};
use super::client::{Ask, Client, HttpResponse};
use super::credentials;
use super::fault::Fault;
use super::limits::Limits;
use super::registry_fault::refused;
use super::retry_budget::RetryBudget;
use super::url::shown;
use crate::bounds;
use crate::image::layer::Checked;
use crate::image::remote::Take;
use crate::image::{Blob, Blobs, Image, Layer, Measured, index, manifest};
use crate::print::ProgressLine;

/// The prefix of the names of images.
pub const SCHEME: &str = "oci://";
const PIECE: usize = 256 << 10;

/// One repository of a registry.
pub struct Registry {
    client: Client,
    reference: Reference,
    /// `…/v2/`
    root: Address,
    authority: Authority,
}

/// What a request carries.
enum RequestBody<'a> {
    Nothing,
    Bytes(&'a [u8]),
    Layer(&'a Layer, Measured),
}

type Headers<'a> = &'a [(HeaderName, String)];

impl Registry {
    /// A client for `oci://HOST/REPOSITORY[:TAG][@DIGEST]`; no request is sent yet.
    ///
    /// # Errors
    /// An invalid name, credentials or certificates; a password that would go unencrypted.
    pub fn new(text: &str, limits: Limits, ca_file: Option<&Path>, plain_http: bool) -> Result<Self, String> {
        let wrong = |found: &str| format!("expected {SCHEME}HOST/REPOSITORY, found {found}{:?}", shown(text));
        let name = text.strip_prefix(SCHEME).ok_or_else(|| wrong(""))?;
        if name.contains('@') && !name.contains("@sha") {
            // A password there would be printed, and stored in the shell's history.
            return Err(format!("{}; a password belongs into {}", wrong("a user in "), credentials::PASSWORD));
        }
        if !names_a_host(name) {
            // A name without a host would mean Docker's hub, which users seldom intend.
            return Err(wrong("no host in "));
        }
        let text = shown(text);
        let reference: Reference = name.parse().map_err(|error| format!("{text}: {error}"))?;
        let root = root(reference.resolve_registry(), plain_http).map_err(|why| format!("{text}: {why}"))?;
        let credentials = credentials::of(reference.resolve_registry(), &root, |name| std::env::var(name).ok())?;
        let client = Client::new(limits, ca_file)?;
        let authority = Authority::new(&root, &credentials).map_err(|why| format!("{text}: {why}"))?;
        Ok(Self { client, reference, root, authority })
    }

    /// Reads the manifest of a tag or digest, once: from here on the name is a digest. Of an index this is the manifest of
    /// the image for this machine, otherwise of its first.
    ///
    /// # Errors
    /// The fault of the registry; if the manifest's digest is not the name's, [`Fault::WrongBlob`].
    pub fn resolve(&mut self, line: &ProgressLine) -> Result<Vec<u8>, Fault> {
        let pinned = self.reference.digest().map(Digest::parse).transpose();
        let pinned = pinned.map_err(|why| Fault::BadImage(format!("expected a digest in sha256, {why}")))?;
        let name = self.reference.digest().or(self.reference.tag()).unwrap_or("latest").to_owned();
        let bytes = self.manifest(&name, pinned, line)?;
        self.reference = self.reference.clone_with_digest(format!("sha256:{}", Measured::of(&bytes).digest));
        match index::choose(&bytes).map_err(Fault::BadImage)? {
            Some(image) => self.manifest(&format!("sha256:{}", image.digest), Some(image.digest), line),
            None => Ok(bytes),
        }
    }

    fn manifest(&self, name: &str, expected: Option<Digest>, line: &ProgressLine) -> Result<Vec<u8>, Fault> {
        let to = self.address(&format!("manifests/{name}"))?;
        let accept = [MediaType::ImageManifest, MediaType::ImageIndex].map(|kind| (header::ACCEPT, kind.to_string()));
        let bytes = self.patiently(line, |until| {
            self.authority.ask_first(&self.client, &self.root, &self.scope("pull"), until)?;
            let answer = self.call(Method::GET, &to, &accept, &RequestBody::Nothing, "pull", until)?;
            good(answer, &[200])?.bytes(bounds::MANIFEST)
        })?;
        let found = Measured::of(&bytes).digest;
        match expected {
            Some(expected) if expected != found => Err(Fault::WrongBlob { expected, found }),
            _ => Ok(bytes),
        }
    }

    /// Describes the image of this name, for an index: its manifest, and the architecture in its configuration.
    ///
    /// # Errors
    /// The fault of the registry; [`Fault::BadImage`] if the name is no image's.
    pub fn platform_image(&mut self, line: &ProgressLine) -> Result<index::PlatformImage, Fault> {
        let manifest = self.resolve(line)?;
        let named = manifest::read(&manifest).map_err(Fault::BadImage)?;
        let size = named.config.measured.size;
        if size > bounds::MANIFEST {
            return Err(Fault::TooLong { most: bounds::MANIFEST });
        }
        let mut config = Vec::new();
        self.read(&named.config, 0, size, line, &mut |piece| {
            config.extend_from_slice(piece);
            Ok(())
        })?;
        let (expected, found) = (named.config.measured.digest, Measured::of(&config).digest);
        if expected != found {
            return Err(Fault::WrongBlob { expected, found });
        }
        let architecture = index::architecture(&config).map_err(Fault::BadImage)?;
        Ok(index::PlatformImage { manifest: Measured::of(&manifest), architecture })
    }

    /// Returns whether the name has a digest.
    pub fn is_pinned(&self) -> bool {
        self.reference.digest().is_some()
    }

    /// The name as it stands: with a digest once it was resolved.
    pub fn name(&self) -> String {
        format!("{SCHEME}{}", self.reference)
    }

    /// The repository's name, without tag and digest.
    pub fn repository(&self) -> String {
        format!("{SCHEME}{}/{}", self.reference.registry(), self.reference.repository())
    }

    /// Uploads what is not there, then the manifest under the name.
    ///
    /// # Errors
    /// The fault of the registry; the name then stays unchanged.
    pub fn push(&self, image: &Image, line: &ProgressLine) -> Result<(), Fault> {
        self.patiently(line, |until| {
            self.authority.ask_first(&self.client, &self.root, &self.scope("pull,push"), until)
        })?;
        for (layer, measured) in &image.layers {
            self.push_blob(&layer.title, *measured, line, &RequestBody::Layer(layer, *measured))?;
        }
        let measured = Measured::of(&image.config);
        self.push_blob("the configuration", measured, line, &RequestBody::Bytes(&image.config))?;
        self.put_manifest(&image.manifest, &MediaType::ImageManifest, line)
    }

    /// Writes an index of images of this repository under the name.
    ///
    /// # Errors
    /// The fault of the registry; the name then stays unchanged.
    pub fn push_index(&self, index: &[u8], line: &ProgressLine) -> Result<(), Fault> {
        self.patiently(line, |until| {
            self.authority.ask_first(&self.client, &self.root, &self.scope("pull,push"), until)
        })?;
        self.put_manifest(index, &MediaType::ImageIndex, line)
    }

    fn put_manifest(&self, bytes: &[u8], kind: &MediaType, line: &ProgressLine) -> Result<(), Fault> {
        let to = self.address(&format!("manifests/{}", self.reference.tag().unwrap_or("latest")))?;
        let kind = [(header::CONTENT_TYPE, kind.to_string())];
        self.patiently(line, |until| {
            let content = RequestBody::Bytes(bytes);
            good(self.call(Method::PUT, &to, &kind, &content, "pull,push", until)?, &[200, 201])
        })?;
        Ok(())
    }

    fn push_blob(
        &self,
        title: &str,
        measured: Measured,
        line: &ProgressLine,
        content: &RequestBody,
    ) -> Result<(), Fault> {
        let digest = format!("sha256:{}", measured.digest);
        let there = self.address(&format!("blobs/{digest}"))?;
        let pushed = self.patiently(line, |until| {
            let call = |method, to: &Address, headers: Headers, body: &RequestBody| {
                self.call(method, to, headers, body, "pull,push", until)
            };
            let existing = call(Method::HEAD, &there, &[], &RequestBody::Nothing)?;
            match existing.status() {
                200 => return Ok(false),
                404 => {}
                _ => drop(good(existing, &[404])?),
            }
            let begun = call(Method::POST, &self.address("blobs/uploads/")?, &[], &RequestBody::Bytes(&[]))?;
            let to = good(begun, &[202])?.location()?.with_query(&format!("digest={digest}"))?;
            let kind = [
                (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
                (header::CONTENT_LENGTH, measured.size.to_string()),
            ];
            good(call(Method::PUT, &to, &kind, content)?, &[201]).map(|_| true)
        })?;
        let reported = if pushed { "pushed" } else { "there already" };
        line.remark(&format!("{title}: {reported}, {} bytes", measured.size));
        Ok(())
    }

    fn scope(&self, actions: &str) -> Scope {
        Scope { repository: self.reference.repository().to_owned(), actions: actions.to_owned() }
    }

    /// Below this repository. The name consists of plain words, as the parser of references checked.
    fn address(&self, rest: &str) -> Result<Address, Fault> {
        Ok(self.root.lead(&format!("/v2/{}/{rest}", self.reference.repository()))?)
    }

    /// Sends one request; if the registry demands credentials, sends it again with them.
    fn call(
        &self,
        method: Method,
        to: &Address,
        headers: Headers,
        content: &RequestBody,
        actions: &str,
        until: Instant,
    ) -> Result<HttpResponse, Fault> {
        let send = || {
            let secret = self.authority.secret();
            self.send(to, &Ask { method: method.clone(), headers, secret: secret.as_ref(), until }, content)
        };
        let answer = send()?;
        if answer.status() == 401
            && self.authority.answers(&self.client, &answer, &self.root, &self.scope(actions), until)?
        {
            return send();
        }
        Ok(answer)
    }

    fn send(&self, to: &Address, ask: &Ask, content: &RequestBody) -> Result<HttpResponse, Fault> {
        match content {
            RequestBody::Nothing => self.client.ask(to, ask),
            RequestBody::Bytes(bytes) => self.client.send_body(to, ask, *bytes),
            RequestBody::Layer(layer, measured) => self.send_layer(to, ask, layer, *measured),
        }
    }

    /// The layer is written by a thread of its own, and checked against its digest on the way.
    fn send_layer(&self, to: &Address, ask: &Ask, layer: &Layer, measured: Measured) -> Result<HttpResponse, Fault> {
        let (reader, writer) = io::pipe().map_err(|error| Fault::Unreadable(error.to_string()))?;
        std::thread::scope(|scope| {
            let written = scope.spawn(move || layer.write(BufWriter::with_capacity(PIECE, writer))?.flush());
            let mut body = Checked::new(reader, measured);
            let sent = self.client.send_body(to, ask, SendBody::from_reader(&mut body));
            // If the registry ended early, the writer gets a broken pipe and ends.
            drop(body);
            match written.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Fault::Unreadable(error.to_string())),
                _ => sent,
            }
        })
    }

    fn patiently<T>(&self, line: &ProgressLine, work: impl Fn(Instant) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut patience = RetryBudget::new(self.client.limits());
        loop {
            let fault = match work(Instant::now() + self.client.limits().overall) {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            let Some(pause) = patience.again(0, &fault) else { return Err(fault) };
            line.remark(&format!("{fault}; asking again"));
            std::thread::sleep(pause);
        }
    }

    /// Sends one request for the rest of a range; `at` is the number of bytes that arrived.
    fn once(&self, blob: &Blob, at: &mut u64, to: u64, take: Take, until: Instant) -> Result<(), Fault> {
        let address = self.address(&format!("blobs/sha256:{}", blob.measured.digest))?;
        let whole = *at == 0 && to == blob.measured.size;
        let range = (!whole).then(|| (header::RANGE, format!("bytes={at}-{}", to - 1)));
        let answer = self.call(Method::GET, &address, range.as_slice(), &RequestBody::Nothing, "pull", until);
        let answer = good(answer?, if whole { &[200] } else { &[200, 206] })?;
        // If the whole blob comes instead of the range, the other bytes are dropped.
        let (mut skip, expected) = match answer.status() {
            206 => (0, to - *at),
            _ => (*at, blob.measured.size),
        };
        if let Some(found) = answer.length().filter(|found| *found != expected) {
            return Err(Fault::WrongLength { found, expected });
        }
        let done = answer.each_piece(*at, Some(to), |piece| {
            let passed = skip.min(piece.len() as u64);
            skip -= passed;
            let mine = &piece[usize::try_from(passed).unwrap_or(piece.len())..];
            let left = usize::try_from(to - *at).unwrap_or(usize::MAX).min(mine.len());
            take(&mine[..left])?;
            *at += left as u64;
            Ok(*at < to)
        });
        match done {
            Ok(()) if *at < to => Err(Fault::Cut { got: *at, of: Some(to) }),
            done => done,
        }
    }
}

impl Blobs for Registry {
    fn read(&self, blob: &Blob, from: u64, to: u64, line: &ProgressLine, take: Take) -> Result<(), Fault> {
        if from >= to {
            return Ok(());
        }
        let (mut at, mut patience) = (from, RetryBudget::new(self.client.limits()));
        loop {
            let before = at;
            let fault = match self.once(blob, &mut at, to, take, patience.until()) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            let Some(pause) = patience.again(at - before, &fault) else { return Err(fault) };
            line.remark(&format!("{}: {fault}; asking again", self.label()));
            std::thread::sleep(pause);
        }
    }

    fn label(&self) -> String {
        self.repository()
    }
}

/// Accepts a response with one of these statuses; any other is a fault with the registry's own words.
fn good(answer: HttpResponse, statuses: &[u16]) -> Result<HttpResponse, Fault> {
    if statuses.contains(&answer.status()) { Ok(answer) } else { Err(refused(answer)) }
}

/// The protocol's first address: https; http for this machine, or with `--plain-http`.
fn root(host: &str, plain_http: bool) -> Result<Address, super::address::Refused> {
    let here = format!("http://{host}/v2/");
    match (Address::named(&here, Clear::Refused), plain_http) {
        (Ok((address, _)), _) => Ok(address),
        (Err(_), true) => Ok(Address::named(&here, Clear::Named)?.0),
        (Err(_), false) => Ok(Address::named(&format!("https://{host}/v2/"), Clear::Refused)?.0),
    }
}

/// Returns whether the name begins with a host: one with a dot or a port, or this machine.
fn names_a_host(name: &str) -> bool {
    let host = name.split_once('/').map(|(host, _)| host);
    host.is_some_and(|host| host == "localhost" || host.contains(['.', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone_unless_the_user_asks_for_it() {
        let rows = [
            ("localhost:5000", "http://localhost:5000/v2/", "http://localhost:5000/v2/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/v2/", "http://127.0.0.1:5000/v2/"),
            ("[::1]:5000", "http://[::1]:5000/v2/", "http://[::1]:5000/v2/"),
            ("127.0.0.1.evil.example", "https://127.0.0.1.evil.example/v2/", "http://127.0.0.1.evil.example/v2/"),
            (
                "localhost.evil.example:5000",
                "https://localhost.evil.example:5000/v2/",
                "http://localhost.evil.example:5000/v2/",
            ),
            ("127.0.0.2:5000", "https://127.0.0.2:5000/v2/", "http://127.0.0.2:5000/v2/"),
            ("registry.example", "https://registry.example/v2/", "http://registry.example/v2/"),
        ];
        let at = |host: &str, plain| root(host, plain).map(|address| address.uri().to_string()).unwrap_or_default();
        let wrong: Vec<_> =
            rows.iter().filter(|(host, usual, plain)| at(host, false) != *usual || at(host, true) != *plain).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
