//! Files by https and http.
//!
//! Bounds: those of the client, and bytes and retries. A resumed response must say that it begins
//! where we stopped; a 200 to a Range starts again, unless its length shows another file. No response is trusted: the pin
//! decides.

use std::path::Path;
use std::time::Instant;

use ureq::http::{HeaderName, Method, header};

use super::address::{Address, Clear, Secret};
use super::claim::{self, Claim};
use super::client::{Ask, Client, HttpResponse};
use super::fault::Fault;
use super::limits::Limits;
use super::retry_budget::RetryBudget;
use super::secrets;
use super::sink::Sink;
use super::tokens::Tokens;

/// A client, and tokens for some hosts.
pub struct Web {
    client: Client,
    tokens: Tokens,
}

impl Web {
    /// A client that trusts the built-in certificates, or those of a PEM file instead.
    pub fn new(limits: Limits, tokens: Tokens, ca_file: Option<&Path>) -> Result<Self, String> {
        Ok(Self { client: Client::new(limits, ca_file)?, tokens })
    }

    /// Takes one file, and continues from the sink's bytes. The user named the URL, so it may be
    /// http; then no secret is sent.
    pub fn get(&self, url: &str, sink: &mut Sink) -> Result<(), Fault> {
        let (address, secret) = self.target(url)?;
        let mut patience = RetryBudget::new(self.client.limits());
        loop {
            let before = sink.len();
            sink.touched = false;
            let fault = match self.once(&address, secret.as_ref(), sink, patience.until()) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            let Some(pause) = patience.again(sink.len().saturating_sub(before), &fault) else {
                return Err(fault);
            };
            sink.line.remark(&format!("{}: {fault}; asking again", super::url::shown(url)));
            std::thread::sleep(pause);
        }
    }

    /// Returns the address of a URL, and the secret for its host.
    fn target(&self, url: &str) -> Result<(Address, Option<Secret>), Fault> {
        let expanded = secrets::expanded(url, |name| std::env::var(name).ok())?;
        // A variable's value may be a secret: it goes nowhere in the clear.
        let clear = if expanded.is_some() { Clear::Refused } else { Clear::Named };
        let (address, login) = Address::named(expanded.as_deref().unwrap_or(url), clear)?;
        let secret = self.tokens.secret(&address).or(login);
        Ok((address, secret))
    }

    /// Asks the host about a file without downloading it.
    pub fn claim(&self, url: &str) -> Result<Claim, Fault> {
        let (address, secret) = self.target(url)?;
        let mut patience = RetryBudget::new(self.client.limits());
        loop {
            let fault = match self.claim_once(&address, secret.as_ref(), patience.until()) {
                Ok(claim) => return Ok(claim),
                Err(fault) => fault,
            };
            std::thread::sleep(patience.again(0, &fault).ok_or(fault)?);
        }
    }

    /// Sends a HEAD request; if the host refuses it, requests one byte.
    fn claim_once(&self, url: &Address, secret: Option<&Secret>, until: Instant) -> Result<Claim, Fault> {
        let want = [
            (HeaderName::from_static("want-repr-digest"), "sha-256=10".to_owned()),
            (HeaderName::from_static("want-digest"), "sha-256".to_owned()),
            (HeaderName::from_static("x-amz-checksum-mode"), "ENABLED".to_owned()),
        ];
        let byte = [(header::RANGE, "bytes=0-0".to_owned())];
        let ask = |method, headers| self.client.ask(url, &Ask { method, headers, secret, until });
        let mut answer = ask(Method::HEAD, &want[..])?;
        if answer.status() != 200 {
            answer = ask(Method::GET, &byte)?;
        }
        match answer.status() {
            200 | 206 => Ok(claim_of(&answer)),
            code => Err(refusal(code)),
        }
    }

    /// One attempt. A server may send a shorter piece than was requested: the next one is requested at once.
    fn once(&self, url: &Address, secret: Option<&Secret>, sink: &mut Sink, until: Instant) -> Result<(), Fault> {
        loop {
            let mut answer = self.ask(url, secret, sink, until)?;
            // Another range than the requested one, or an impossible one.
            if sink.len() > 0 && matches!(answer.status(), 206 | 416) && !goes_on(&answer, sink.len()) {
                sink.restart()?;
                answer = self.ask(url, secret, sink, until)?;
            }
            let before = sink.len();
            match answer.status() {
                // In answer to a range this is the whole file.
                200 => return take(answer, sink, 0).map(drop),
                206 if before > 0 => sink.pieced = true,
                code => return Err(refusal(code)),
            }
            if take(answer, sink, before)? {
                return Ok(());
            }
        }
    }

    fn ask(&self, url: &Address, secret: Option<&Secret>, sink: &Sink, until: Instant) -> Result<HttpResponse, Fault> {
        let range = (sink.len() > 0).then(|| (header::RANGE, format!("bytes={}-", sink.len())));
        let ask = Ask { method: Method::GET, headers: range.as_slice(), secret, until };
        self.client.ask(url, &ask).map_err(|fault| match fault {
            Fault::TooSlow { .. } => Fault::TooSlow { got: sink.len(), of: sink.size() },
            Fault::Stalled { .. } => Fault::Stalled { got: sink.len(), of: sink.size() },
            Fault::Cut { .. } => Fault::Cut { got: sink.len(), of: sink.size() },
            other => other,
        })
    }
}

/// A status that no file has.
fn refusal(code: u16) -> Fault {
    match code {
        404 | 410 => Fault::NotFound(format!("status {code}")),
        401 | 403 | 407 => Fault::Denied(format!("status {code}")),
        code => Fault::Status(code),
    }
}

fn claim_of(answer: &HttpResponse) -> Claim {
    let header = |name: &'static str| answer.texts(&HeaderName::from_static(name));
    // Some hosts announce no byte in answer to HEAD, whatever the file has.
    let announced = answer.length().filter(|length| *length > 0);
    let size = if answer.status() == 206 { whole_length(answer) } else { announced };
    // Lengths and digests of an encoded file are those of its encoded form.
    let is_plain = answer.encoding().is_none();
    let digests = if is_plain { claim::digests(header) } else { Vec::new() };
    Claim {
        digests: digests.into_iter().chain(answer.hub.digest).collect(),
        size: size.filter(|_| is_plain),
        moved_to: answer.moved.as_ref().map(|to| to.uri().to_string()),
        hub: answer.hub.clone(),
    }
}

/// Takes the body, which begins at the file's byte `from`, and says whether the file ends with it. What it announces is
/// judged with its first bytes, before bytes of an earlier attempt are dropped.
fn take(answer: HttpResponse, sink: &mut Sink, from: u64) -> Result<bool, Fault> {
    let body = answer.length().map(|len| from.saturating_add(len));
    let announced = if answer.status() == 206 { whole_length(&answer).or(body) } else { body };
    let (mut begun, size) = (false, sink.size());
    let encoding = answer.encoding().map(str::to_owned);
    sink.encoding.clone_from(&encoding);
    sink.hub = answer.hub.clone();
    sink.promised()?;
    answer.each_piece(from, size, |piece| {
        if let Some(announced) = announced.filter(|_| !begun) {
            let head = if from == 0 { &piece[..piece.len().min(512)] } else { &[] };
            sink.announced(announced, head)?;
        }
        if !begun && sink.len() > from {
            sink.restart()?;
            sink.encoding.clone_from(&encoding);
        }
        begun = true;
        sink.write(piece).map(|()| true)
    })?;
    match (body, announced) {
        _ if !begun && sink.len() > from => Err(Fault::Cut { got: 0, of: announced }),
        (Some(body), _) if body != sink.len() => Err(Fault::Cut { got: sink.len(), of: announced }),
        // A piece without a byte would be requested for ever.
        (_, Some(all)) if from < sink.len() && sink.len() < all => Ok(false),
        _ => sink.ended().map(|()| true),
    }
}

/// The whole file's length, as a range names it.
fn whole_length(answer: &HttpResponse) -> Option<u64> {
    answer.text(&header::CONTENT_RANGE)?.rsplit_once('/')?.1.trim().parse().ok()
}

/// Whether a 206 begins where we stopped.
fn goes_on(answer: &HttpResponse, at: u64) -> bool {
    let range = answer.text(&header::CONTENT_RANGE);
    let start = range.and_then(|text| text.strip_prefix("bytes ")?.split('-').next()?.trim().parse::<u64>().ok());
    answer.status() == 206 && start == Some(at)
}
