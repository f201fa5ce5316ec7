//! The one HTTP client, by `ureq`, of web sources and of registries.
//!
//! Bounds: redirects, time without a byte, overall time, headers, bytes of every response that is
//! read into memory. The client connects only to an [`Address`], redirects included, and sends a
//! [`Secret`] only if [`Secret::at`] returns it. No response is trusted: digests decide.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use ballast::buffer::Buffer;
use ureq::config::{AutoHeaderValue, Config};
use ureq::http::{HeaderMap, HeaderName, Method, Request, Response, Uri, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{self, DefaultResolver, ResolvedSocketAddrs};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, AsSendBody, Body, RequestExt, Timeout};

use super::address::{self, Address, Refused, Secret};
use super::fault::Fault;
use super::hub::HubHeaders;
use super::limits::Limits;
use super::proxy::Proxies;
use crate::{bounds, foreign};

const REDIRECTS: u32 = 10;
const PIECE: usize = 256 << 10;
/// The number of pieces that are read before they are hashed.
const AHEAD: usize = 4;

/// A client with its bounds.
pub struct Client {
    agent: Agent,
    limits: Limits,
    proxies: Proxies,
}

/// Resolves names. The resolver refuses a name of this machine that resolves elsewhere, because such
/// connections may be unencrypted.
#[derive(Debug, Default)]
struct Resolver(DefaultResolver);

impl resolver::Resolver for Resolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        let elsewhere = || found.iter().any(|address| !address.ip().is_loopback());
        if uri.host().is_some_and(|host| address::is_here(&host.to_ascii_lowercase())) && elsewhere() {
            return Err(ureq::Error::HostNotFound);
        }
        Ok(found)
    }
}

/// A response, and the address that sent it.
pub struct HttpResponse {
    response: Response<Body>,
    /// The address that gave this response, after all redirects.
    pub from: Address,
    /// A hub's headers about the file, from redirects too.
    pub hub: HubHeaders,
    /// The address that permanently replaces the requested one.
    pub moved: Option<Address>,
}

/// The parts of a request beside the address.
pub struct Ask<'a> {
    /// The method.
    pub method: Method,
    /// Headers, without `Authorization`.
    pub headers: &'a [(HeaderName, String)],
    /// The secret, which goes to its own origin alone.
    pub secret: Option<&'a Secret>,
    /// When the overall time is up.
    pub until: Instant,
}

impl Client {
    /// A client that trusts the built-in certificates, or those of a PEM file instead, and uses the
    /// proxies of the environment.
    ///
    /// # Errors
    /// A file without certificates, or a proxy that can't be used.
    pub fn new(limits: Limits, ca_file: Option<&Path>) -> Result<Self, String> {
        let roots = ca_file.map_or(Ok(RootCerts::WebPki), roots_of)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // This code checks each redirect itself.
            .max_redirects(0)
            .proxy(None)
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_per_read(Some(limits.idle))
            .timeout_per_write(Some(limits.idle))
            .input_buffer_size(PIECE)
            .max_response_header_size(bounds::HEADERS)
            .user_agent(concat!("ballast/", env!("CARGO_PKG_VERSION")))
            .accept_encoding(AutoHeaderValue::from("identity"))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        let proxies = Proxies::from_env(|name| std::env::var(name).ok())?;
        let agent = Agent::with_parts(config, DefaultConnector::default(), Resolver::default());
        Ok(Self { agent, limits, proxies })
    }

    /// The limits of every request.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Sends one request without a body, and follows redirects of a GET or a HEAD.
    ///
    /// # Errors
    /// The fault that prevented a response; a response with an error status is not a fault.
    pub fn ask(&self, to: &Address, ask: &Ask) -> Result<HttpResponse, Fault> {
        let (mut to, mut hub) = (to.clone(), HubHeaders::default());
        let (mut permanent, mut moved) = (true, None);
        for _ in 0..=REDIRECTS {
            let response = self.send(&to, ask, ())?;
            hub.read(|name| text_of(response.headers(), &HeaderName::from_static(name)).map(str::to_owned));
            let follows = [Method::GET, Method::HEAD].contains(&ask.method);
            if !follows || !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(HttpResponse { response, from: to, hub, moved });
            }
            permanent &= matches!(response.status().as_u16(), 301 | 308);
            to = location(&to, &response)?;
            hub.follow(to.uri().path());
            if permanent {
                moved = Some(to.clone());
            }
        }
        Err(Fault::Redirects(REDIRECTS))
    }

    /// Sends one request with a body. A redirect is not followed.
    ///
    /// # Errors
    /// The fault that prevented a response; a response with an error status is not a fault.
    pub fn send_body(&self, to: &Address, ask: &Ask, body: impl AsSendBody) -> Result<HttpResponse, Fault> {
        let response = self.send(to, ask, body)?;
        Ok(HttpResponse { response, from: to.clone(), hub: HubHeaders::default(), moved: None })
    }

    fn send(&self, to: &Address, ask: &Ask, body: impl AsSendBody) -> Result<Response<Body>, Fault> {
        let mut request = Request::builder().method(&ask.method).uri(to.uri());
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        if let Some(value) = ask.secret.and_then(|secret| secret.at(to)) {
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(body).map_err(|error| Fault::BadAnswer(error.to_string()))?;
        let left = ask.until.saturating_duration_since(Instant::now());
        let request = request.with_agent(&self.agent).configure();
        let request = request.timeout_global(Some(left)).proxy(self.proxies.of(to)?).build();
        request.run().map_err(|error| fault(error, 0, None))
    }
}

/// The address in a response's `Location`.
///
/// # Errors
/// The header is missing, or its address is refused.
fn location(from: &Address, response: &Response<Body>) -> Result<Address, Fault> {
    let text = text_of(response.headers(), &header::LOCATION);
    let text = text.ok_or_else(|| Fault::BadAnswer("expected a Location, found none".into()))?;
    Ok(from.lead(text)?)
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl HttpResponse {
    /// The status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A header's value, if it is text.
    pub fn text(&self, name: &HeaderName) -> Option<&str> {
        text_of(self.response.headers(), name)
    }

    /// Every value of a header that is text.
    pub fn texts(&self, name: &HeaderName) -> Vec<String> {
        let values = self.response.headers().get_all(name).iter();
        values.filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect()
    }

    /// The announced length.
    pub fn length(&self) -> Option<u64> {
        self.text(&header::CONTENT_LENGTH)?.trim().parse().ok()
    }

    /// The content encoding, if the bytes are encoded.
    pub fn encoding(&self) -> Option<&str> {
        let coding = self.text(&header::CONTENT_ENCODING).map(str::trim);
        coding.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
    }

    /// Where it leads.
    ///
    /// # Errors
    /// No `Location`, or one that is refused.
    pub fn location(&self) -> Result<Address, Fault> {
        location(&self.from, &self.response)
    }

    /// The whole body, which may have this many bytes.
    ///
    /// # Errors
    /// [`Fault::TooLong`], before more than that is in memory; a body that ends early.
    pub fn bytes(self, most: u64) -> Result<Vec<u8>, Fault> {
        if self.length().is_some_and(|length| length > most) {
            return Err(Fault::TooLong { most });
        }
        let mut bytes = Vec::new();
        let body = self.response.into_body().into_with_config().limit(u64::MAX).reader();
        body.take(most + 1).read_to_end(&mut bytes).map_err(|error| fault(error.into(), bytes.len() as u64, None))?;
        if bytes.len() as u64 > most { Err(Fault::TooLong { most }) } else { Ok(bytes) }
    }

    /// Passes the body to `take` piece by piece, with an empty piece at its end, until `take` stops.
    /// Another thread reads ahead, so that reading and hashing run at the same time.
    ///
    /// # Errors
    /// A body that breaks off, where `at` bytes of `of` came before it; those of `take` as they are.
    pub fn each_piece(
        self,
        at: u64,
        of: Option<u64>,
        mut take: impl FnMut(&[u8]) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut reader = self.response.into_body().into_with_config().limit(u64::MAX).reader();
        std::thread::scope(|scope| -> Result<(), Fault> {
            let (empty, empties) = sync_channel(AHEAD);
            let (piece, pieces) = sync_channel(AHEAD);
            for _ in 0..AHEAD {
                let _ = empty.send(Buffer::new(PIECE));
            }
            std::thread::Builder::new()
                .spawn_scoped(scope, move || read_ahead(&mut reader, &empties, &piece))
                .map_err(|error| Fault::Unreachable(format!("can't start a thread to read: {error}")))?;
            let mut got = at;
            for read in pieces {
                let (buffer, more) = read.map_err(|error: std::io::Error| fault(error.into(), got, of))?;
                got += more as u64;
                if !take(&buffer[..more])? || more == 0 {
                    break;
                }
                let _ = empty.send(buffer);
            }
            Ok(())
        })
    }
}

type Piece = std::io::Result<(Buffer, usize)>;

/// Reads until the end, a fault, or until the receiver is gone.
fn read_ahead(from: &mut impl Read, empties: &Receiver<Buffer>, pieces: &SyncSender<Piece>) {
    for mut buffer in empties {
        let got = from.read(&mut buffer);
        let more = matches!(got, Ok(1..));
        if pieces.send(got.map(|got| (buffer, got))).is_err() || !more {
            return;
        }
    }
}

impl From<Refused> for Fault {
    fn from(why: Refused) -> Self {
        match why {
            Refused::NoUrl => Self::BadAnswer(why.to_string()),
            _ => Self::Refused(why.to_string()),
        }
    }
}

/// Turns the client's error into a fault.
fn fault(error: ureq::Error, got: u64, of: Option<u64>) -> Fault {
    match error {
        ureq::Error::Timeout(Timeout::Global | Timeout::PerCall) => Fault::TooSlow { got, of },
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => Fault::Unreachable("no connection in time".into()),
        ureq::Error::Timeout(_) => Fault::Stalled { got, of },
        ureq::Error::HostNotFound => Fault::NoHost,
        ureq::Error::Rustls(error) => Fault::Tls(error.to_string()),
        ureq::Error::Tls(why) => Fault::Tls(why.into()),
        ureq::Error::ConnectProxyFailed(why) => Fault::Unreachable(format!("the proxy refused: {why}")),
        ureq::Error::Io(error) => io_fault(&error, got, of),
        other => Fault::BadAnswer(other.to_string()),
    }
}

fn io_fault(error: &std::io::Error, got: u64, of: Option<u64>) -> Fault {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
            Fault::Cut { got, of }
        }
        Kind::TimedOut | Kind::WouldBlock => Fault::Stalled { got, of },
        _ if error.to_string().contains("failed to lookup address") => Fault::NoHost,
        // The kind with which rustls reports a certificate that it does not trust.
        Kind::InvalidData => Fault::Tls(error.to_string()),
        _ => Fault::Unreachable(error.to_string()),
    }
}

fn roots_of(path: &Path) -> Result<RootCerts, String> {
    let pem =
        foreign::read_named(path, bounds::CERTIFICATES).map_err(|error| format!("{}: {error}", path.display()))?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("{}: expected PEM certificates, found none", path.display()));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}
