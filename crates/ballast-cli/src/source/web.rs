//! https and http by `ureq`.
//!
//! Bounds: redirects, bytes, time without a byte, time in all, retries. A resumed answer must say
//! that it begins where we stopped; a 200 to a Range starts again. A token goes to the host that
//! it is for and no further. Nothing here is trusted: the pin decides.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use ballast::buffer::Buffer;
use ureq::config::{AutoHeaderValue, RedirectAuthHeaders};
use ureq::http::{Response, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Timeout};

use super::patience::Patience;
use super::tokens::Tokens;
use super::{Fault, Limits, Sink};

const REDIRECTS: u32 = 10;
const PIECE: usize = 256 << 10;
/// Pieces read ahead of the hash.
const AHEAD: usize = 4;

/// A client with its bounds.
pub struct Web {
    agent: Agent,
    limits: Limits,
    tokens: Tokens,
}

impl Web {
    /// A client that trusts the built-in certificates, or those of a PEM file instead.
    pub fn new(limits: Limits, tokens: Tokens, ca_file: Option<&Path>) -> Result<Self, String> {
        let roots = match ca_file {
            Some(path) => roots_of(path)?,
            None => RootCerts::WebPki,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(REDIRECTS)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_per_read(Some(limits.idle))
            .timeout_per_write(Some(limits.idle))
            .input_buffer_size(PIECE)
            .user_agent(concat!("ballast/", env!("CARGO_PKG_VERSION")))
            .accept_encoding(AutoHeaderValue::None)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        Ok(Self { agent: config.into(), limits, tokens })
    }

    /// Takes one file, going on from what the sink has.
    pub fn get(&self, url: &str, sink: &mut Sink) -> Result<(), Fault> {
        let mut patience = Patience::new(self.limits);
        loop {
            let before = sink.len();
            let fault = match self.once(url, sink, patience.until()) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            let Some(pause) = patience.again(sink.len().saturating_sub(before), &fault) else {
                return Err(fault);
            };
            sink.line.remark(&format!("{}: {fault}; asking again", super::shown(url)));
            std::thread::sleep(pause);
        }
    }

    fn once(&self, url: &str, sink: &mut Sink, until: Instant) -> Result<(), Fault> {
        let mut response = self.ask(url, sink, until)?;
        if sink.len() > 0 && !goes_on(&response, sink.len()) {
            match response.status().as_u16() {
                // The whole file, or a range that nobody asked for, or one that can't be had.
                200 => sink.restart()?,
                206 | 416 => {
                    sink.restart()?;
                    response = self.ask(url, sink, until)?;
                }
                _ => {}
            }
        }
        match response.status().as_u16() {
            200 => {}
            206 if sink.len() > 0 => sink.pieced = true,
            code @ (404 | 410) => return Err(Fault::NotFound(format!("status {code}"))),
            code @ (401 | 403 | 407) => return Err(Fault::Denied(format!("status {code}"))),
            code => return Err(Fault::Status(code)),
        }
        take(response, sink)
    }

    fn ask(&self, url: &str, sink: &Sink, until: Instant) -> Result<Response<Body>, Fault> {
        let left = until.saturating_duration_since(Instant::now());
        let mut request = self.agent.get(url).config().timeout_global(Some(left)).build();
        if sink.len() > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", sink.len()));
        }
        if let Some(token) = self.tokens.for_url(url) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.call().map_err(|error| fault(error, sink))
    }
}

/// Takes the body, which is read ahead by a thread of its own: the network does not wait for the
/// hash, nor the hash for the network.
fn take(response: Response<Body>, sink: &mut Sink) -> Result<(), Fault> {
    let announced = number(&response, header::CONTENT_LENGTH.as_str()).map(|len| sink.len() + len);
    let mut body = response.into_body();
    let mut reader = body.as_reader();
    std::thread::scope(|scope| -> Result<(), Fault> {
        let (empty, empties) = sync_channel(AHEAD);
        let (piece, pieces) = sync_channel(AHEAD);
        for _ in 0..AHEAD {
            let _ = empty.send(Buffer::new(PIECE));
        }
        std::thread::Builder::new()
            .spawn_scoped(scope, move || read_ahead(&mut reader, &empties, &piece))
            .map_err(|error| Fault::Unreachable(format!("no thread to read with: {error}")))?;
        let mut begun = false;
        for read in pieces {
            let (buffer, got) = read.map_err(|error: std::io::Error| fault(error.into(), sink))?;
            if let Some(announced) = announced.filter(|_| !begun) {
                let head = if sink.len() == 0 { &buffer[..got.min(512)] } else { &[] };
                sink.announced(announced, head)?;
            }
            begun = true;
            if got == 0 {
                break;
            }
            sink.write(&buffer[..got])?;
            let _ = empty.send(buffer);
        }
        Ok(())
    })?;
    match announced {
        Some(all) if all != sink.len() => Err(Fault::Cut { got: sink.len(), of: Some(all) }),
        _ => sink.ended(),
    }
}

type Piece = std::io::Result<(Buffer, usize)>;

/// Reads until the end, a fault, or until nobody takes what was read.
fn read_ahead(from: &mut impl Read, empties: &Receiver<Buffer>, pieces: &SyncSender<Piece>) {
    for mut buffer in empties {
        let got = from.read(&mut buffer);
        let more = matches!(got, Ok(1..));
        if pieces.send(got.map(|got| (buffer, got))).is_err() || !more {
            return;
        }
    }
}

/// Whether a 206 begins where we stopped.
fn goes_on(response: &Response<Body>, at: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start = range.and_then(|text| text.strip_prefix("bytes ")?.split('-').next()?.trim().parse::<u64>().ok());
    response.status().as_u16() == 206 && start == Some(at)
}

fn number(response: &Response<Body>, name: &str) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.trim().parse().ok()
}

fn fault(error: ureq::Error, sink: &Sink) -> Fault {
    let (got, of) = (sink.len(), sink.size());
    match error {
        ureq::Error::Timeout(Timeout::Global | Timeout::PerCall) => Fault::TooSlow { got, of },
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => Fault::Unreachable("no connection in time".into()),
        ureq::Error::Timeout(_) => Fault::Stalled { got, of },
        ureq::Error::HostNotFound => Fault::NoHost,
        ureq::Error::TooManyRedirects => Fault::Redirects(REDIRECTS),
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
        // How rustls reports a certificate that it does not trust.
        Kind::InvalidData => Fault::Tls(error.to_string()),
        _ => Fault::Unreachable(error.to_string()),
    }
}

fn roots_of(path: &Path) -> Result<RootCerts, String> {
    let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
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
