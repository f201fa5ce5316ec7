//! A registry, by `oci-client`: resolve a name once, read ranges of blobs, push an image.
//!
//! Bounds are those of every source: time without a byte, time in all, retries. Nothing here is
//! trusted: manifests are held against their digest, blobs against theirs by whoever reads them.
//! Plain http is spoken to this machine, and elsewhere only where the operator says so.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use ballast::digest::Digest;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use oci_client::client::{BlobResponse, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError as Error;
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use tokio::runtime::Runtime;
use tokio::time::timeout_at;

use super::patience::Patience;
use super::registry_fault::{fault, stream_fault};
use super::{Fault, Limits, credentials};
use crate::image::picture::Take;
use crate::image::{Blob, Blobs, Image, Layer, Measured};
use crate::print::Line;

/// How the names of images begin here.
pub const SCHEME: &str = "oci://";
const PIECE: usize = 256 << 10;
const AHEAD: usize = 4;

/// One repository of a registry.
pub struct Registry {
    runtime: Runtime,
    client: Client,
    reference: Reference,
    auth: RegistryAuth,
    limits: Limits,
}

impl Registry {
    /// A client for `oci://HOST/REPOSITORY[:TAG][@DIGEST]`; nothing is asked yet.
    ///
    /// # Errors
    /// A name, credentials or certificates that make no sense.
    pub fn new(text: &str, limits: Limits, ca_file: Option<&Path>, plain_http: bool) -> Result<Self, String> {
        let name =
            text.strip_prefix(SCHEME).ok_or_else(|| format!("expected {SCHEME}HOST/REPOSITORY, found {text:?}"))?;
        if !names_a_host(name) {
            // Without a host it would be Docker's hub, which is seldom meant.
            return Err(format!("expected {SCHEME}HOST/REPOSITORY, found no host in {text:?}"));
        }
        let reference: Reference = name.parse().map_err(|error| format!("{text}: {error}"))?;
        let host = reference.resolve_registry().to_owned();
        let plain = plain_http || is_this_machine(&host);
        let auth = credentials::of(&host, if plain { "http" } else { "https" }, |name| std::env::var(name).ok())?;
        // The same provider that `web` has; a second call finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            use_monolithic_push: true,
            tls_certs_only: credentials::roots(ca_file)?,
            platform_resolver: None,
            read_timeout: Some(limits.idle),
            connect_timeout: Some(limits.connect),
            user_agent: concat!("ballast/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|error| format!("no client for {text}: {error}"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| format!("no threads for {text}: {error}"))?;
        Ok(Self { runtime, client, reference, auth, limits })
    }

    /// Reads the manifest of a tag or digest, once: from here on the name is a digest.
    ///
    /// # Errors
    /// Why not; a manifest of another digest than the name's is [`Fault::WrongBlob`].
    pub fn resolve(&mut self, line: &Line) -> Result<Vec<u8>, Fault> {
        let pinned = self.reference.digest().map(Digest::parse).transpose();
        let pinned = pinned.map_err(|why| Fault::BadImage(format!("expected a digest in sha256, {why}")))?;
        let (bytes, _) = self.patiently(line, || {
            let accepted = [OCI_IMAGE_MEDIA_TYPE];
            self.timed(async {
                self.authorize(RegistryOperation::Pull).await?;
                self.client.pull_manifest_raw(&self.reference, &self.auth, &accepted).await
            })
        })?;
        let found = Measured::of(&bytes).digest;
        match pinned {
            Some(expected) if expected != found => Err(Fault::WrongBlob { expected, found }),
            _ => {
                self.reference = self.reference.clone_with_digest(format!("sha256:{found}"));
                Ok(bytes.to_vec())
            }
        }
    }

    /// Whether the name has a digest.
    pub fn is_pinned(&self) -> bool {
        self.reference.digest().is_some()
    }

    /// The name as it stands: with a digest once it was resolved.
    pub fn name(&self) -> String {
        format!("{SCHEME}{}", self.reference)
    }

    /// Uploads what is not there, then the manifest under the name.
    ///
    /// # Errors
    /// Why not; the name is then as before.
    pub fn push(&self, image: &Image, line: &Line) -> Result<(), Fault> {
        self.patiently(line, || self.timed(self.authorize(RegistryOperation::Push)))?;
        for (layer, measured) in &image.layers {
            self.push_blob(&layer.title, *measured, line, || pieces_of(layer.clone()))?;
        }
        let config = Bytes::from(image.config.clone());
        let measured = Measured::of(&config);
        self.push_blob("the configuration", measured, line, || stream::iter([Ok(config.clone())]))?;
        let kind = || OCI_IMAGE_MEDIA_TYPE.parse().map_err(|_| Error::GenericError(None));
        self.patiently(line, || {
            self.timed(async { self.client.push_manifest_raw(&self.reference, image.manifest.clone(), kind()?).await })
        })?;
        Ok(())
    }

    fn push_blob<S>(&self, title: &str, measured: Measured, line: &Line, stream: impl Fn() -> S) -> Result<(), Fault>
    where
        S: Stream<Item = Result<Bytes, Error>> + Send + 'static,
    {
        let digest = format!("sha256:{}", measured.digest);
        let pushed = self.patiently(line, || {
            self.timed(async {
                if self.client.blob_exists(&self.reference, &digest).await? {
                    return Ok(false);
                }
                self.client
                    .push_blob_stream(&self.reference, stream(), &digest, Some(measured.size))
                    .await
                    .map(|_| true)
            })
        })?;
        let told = if pushed { "pushed" } else { "there already" };
        line.remark(&format!("{title}: {told}, {} bytes", measured.size));
        Ok(())
    }

    /// Asks for leave first: a request alone would go on as a stranger where that fails.
    async fn authorize(&self, operation: RegistryOperation) -> Result<(), Error> {
        self.client.auth(&self.reference, &self.auth, operation).await.map(|_| ())
    }

    fn timed<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
        self.runtime.block_on(async {
            let until = Instant::now() + self.limits.overall;
            match timeout_at(until.into(), work).await {
                Ok(done) => done.map_err(|error| fault(&error)),
                Err(_) => Err(Fault::TooSlow { got: 0, of: None }),
            }
        })
    }

    fn patiently<T>(&self, line: &Line, work: impl Fn() -> Result<T, Fault>) -> Result<T, Fault> {
        let mut patience = Patience::new(self.limits);
        loop {
            let fault = match work() {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            let Some(pause) = patience.again(0, &fault) else { return Err(fault) };
            line.remark(&format!("{fault}; asking again"));
            std::thread::sleep(pause);
        }
    }

    /// One request for the rest of a range; `at` is how far it came.
    fn once(&self, blob: &Blob, at: &mut u64, to: u64, take: Take, until: Instant) -> Result<(), Fault> {
        let descriptor = OciDescriptor {
            digest: format!("sha256:{}", blob.measured.digest),
            size: i64::try_from(blob.measured.size).unwrap_or(i64::MAX),
            ..OciDescriptor::default()
        };
        let slow = |at: u64| Fault::TooSlow { got: at, of: Some(to) };
        self.runtime.block_on(async {
            let whole = *at == 0 && to == blob.measured.size;
            let asked = async {
                if whole {
                    self.client.pull_blob_stream(&self.reference, &descriptor).await.map(BlobResponse::Full)
                } else {
                    self.client.pull_blob_stream_partial(&self.reference, &descriptor, *at, Some(to - *at)).await
                }
            };
            let answer =
                timeout_at(until.into(), asked).await.map_err(|_| slow(*at))?.map_err(|error| fault(&error))?;
            let (mut stream, mut skip, expected) = match answer {
                BlobResponse::Full(stream) => (stream, *at, blob.measured.size),
                BlobResponse::Partial(stream) => (stream, 0, to - *at),
            };
            if let Some(found) = stream.content_length.filter(|found| *found != expected) {
                return Err(Fault::WrongLength { found, expected });
            }
            while *at < to {
                let next = timeout_at(until.into(), stream.next()).await.map_err(|_| slow(*at))?;
                let mut bytes = match next {
                    Some(Ok(bytes)) => bytes,
                    Some(Err(error)) => return Err(stream_fault(&error, *at, to)),
                    None => return Err(Fault::Cut { got: *at, of: Some(to) }),
                };
                // The whole came where a range was asked for: what was not asked for is let go.
                let passed = skip.min(bytes.len() as u64);
                skip -= passed;
                let _ = bytes.split_to(usize::try_from(passed).unwrap_or(bytes.len()));
                bytes.truncate(usize::try_from(to - *at).unwrap_or(usize::MAX));
                take(&bytes)?;
                *at += bytes.len() as u64;
            }
            Ok(())
        })
    }
}

impl Blobs for Registry {
    fn read(&self, blob: &Blob, from: u64, to: u64, line: &Line, take: Take) -> Result<(), Fault> {
        let (mut at, mut patience) = (from, Patience::new(self.limits));
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
        format!("{SCHEME}{}/{}", self.reference.registry(), self.reference.repository())
    }
}

/// A layer's bytes as they are written by a thread of its own.
fn pieces_of(layer: Layer) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
    let (send, pieces) = sync_channel(AHEAD);
    std::thread::spawn(move || {
        let out = BufWriter::with_capacity(PIECE, Pipe(send.clone()));
        let written = layer.write(out).and_then(|mut out| out.flush());
        if let Err(error) = written {
            let _ = send.send(Err(Error::IoError(error)));
        }
    });
    stream::iter(pieces)
}

struct Pipe(SyncSender<Result<Bytes, Error>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the name begins with a host: one with a dot or a port, or this machine.
fn names_a_host(name: &str) -> bool {
    let host = name.split_once('/').map(|(host, _)| host);
    host.is_some_and(|host| host == "localhost" || host.contains(['.', ':']))
}

/// Whether a registry's host, with its port, is this very machine.
fn is_this_machine(host: &str) -> bool {
    let name = host.strip_prefix("[::1]").map_or_else(|| host.split(':').next().unwrap_or(host), |_| "[::1]");
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        let rows = [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("[::1]:5000", true),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:5000", false),
            ("127.0.0.2:5000", false),
            ("registry.example", false),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(host, here)| is_this_machine(host) != *here).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
