//! A proxy between the program and the registry. It forwards each request, counts the bytes of each response,
//! and changes some responses as a test says. Each connection carries one request.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(20);
/// Only responses with longer bodies are changed.
const MUCH: usize = 100_000;

/// How the proxy changes long responses to a GET of a blob.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deed {
    Nothing,
    /// The connection ends in the middle of the body, this many times.
    Cut(usize),
    /// The body stops in the middle and the connection stays open.
    Stall,
    /// One byte is changed, this many times.
    Flip(usize),
    /// The response contains the whole blob, whatever the requested range is.
    WholeToRange,
    /// The response is a range of the right length with other bytes.
    OtherRange,
    /// The response has this status, this many times.
    Status(usize, u16),
    /// The response contains more bytes than were requested.
    Longer,
    /// The response announces a shorter body than requested.
    Shorter,
}

impl Deed {
    /// Returns whether a repeated request succeeds.
    pub fn is_overcome(self) -> bool {
        matches!(self, Self::Cut(1) | Self::Status(1, 503))
    }
}

/// A request, and the number of bytes in the response's body.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
    pub body: usize,
}

type Hook = Arc<dyn Fn(&Request) -> Option<Vec<u8>> + Send + Sync>;
type Passed = Arc<dyn Fn(&Request) + Send + Sync>;

#[derive(Clone)]
pub struct Between {
    pub port: u16,
    to: String,
    deed: Arc<Mutex<Deed>>,
    requests: Arc<Mutex<Vec<Request>>>,
    done: Arc<Mutex<HashMap<String, usize>>>,
    before: Option<Hook>,
    passed: Option<Passed>,
}

struct Answer {
    head: Vec<String>,
    body: Vec<u8>,
}

impl Between {
    pub fn start(host: &str, to: &str, deed: Deed) -> Self {
        Self::with(host, to, deed, None, None)
    }

    /// Starts a proxy. `before` may respond itself; `passed` is called for each response before it is
    /// forwarded.
    pub fn with(host: &str, to: &str, deed: Deed, before: Option<Hook>, passed: Option<Passed>) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let deed = Arc::new(Mutex::new(deed));
        let between =
            Self { port, to: to.into(), deed, requests: Arc::default(), done: Arc::default(), before, passed };
        let served = between.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let between = served.clone();
                std::thread::spawn(move || between.serve(&stream));
            }
        });
        between
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns the number of forwarded bytes of blobs.
    pub fn bytes(&self) -> usize {
        self.requests().iter().filter(|request| request.is_blob()).map(|request| request.body).sum()
    }

    fn serve(&self, stream: &TcpStream) -> Option<()> {
        stream.set_read_timeout(Some(BOUND)).ok()?;
        stream.set_write_timeout(Some(BOUND)).ok()?;
        let mut from = BufReader::new(stream);
        let mut head = read_head(&mut from)?;
        if head[0].starts_with("CONNECT ") {
            // For a CONNECT request, the proxy itself ends the tunnel and forwards to the registry.
            (&*stream).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
            head = read_head(&mut from)?;
        }
        let mut body = vec![0; length(&head).unwrap_or(0)];
        from.read_exact(&mut body).ok()?;
        let mut request = Request {
            line: head[0].clone(),
            range: field(&head, "range"),
            authorization: field(&head, "authorization"),
            body: 0,
        };
        if let Some(answer) = self.before.as_ref().and_then(|before| before(&request)) {
            self.requests.lock().unwrap().push(request);
            return (&*stream).write_all(&answer).ok();
        }
        let mut answer = self.forward(&head, &body)?;
        if let Some(passed) = &self.passed {
            passed(&request);
        }
        let deed = self.deed_for(&request, &answer);
        meddle(deed, &request, &mut answer, || self.forward_whole(&head));
        request.body = answer.body.len();
        let sent = match deed {
            Deed::Cut(_) | Deed::Stall => answer.body.len() / 2,
            _ => answer.body.len(),
        };
        request.body = request.body.min(sent);
        self.requests.lock().unwrap().push(request.clone());
        let mut to = stream;
        to.write_all((answer.head.join("\r\n") + "\r\n\r\n").as_bytes()).ok()?;
        to.write_all(&answer.body[..sent]).ok()?;
        if deed == Deed::Stall {
            // Wait until the peer has closed the connection, or the time limit is reached.
            let _ = from.read(&mut [0]);
        }
        Some(())
    }

    fn deed_for(&self, request: &Request, answer: &Answer) -> Deed {
        if !request.is_blob() || answer.body.len() < MUCH {
            return Deed::Nothing;
        }
        let deed = *self.deed.lock().unwrap();
        let path = request.line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut done = self.done.lock().unwrap();
        let count = done.entry(path).or_default();
        *count += 1;
        match deed {
            Deed::Cut(times) | Deed::Flip(times) | Deed::Status(times, _) if *count > times => Deed::Nothing,
            deed => deed,
        }
    }

    fn forward(&self, head: &[String], body: &[u8]) -> Option<Answer> {
        let mut upstream = TcpStream::connect(&self.to).ok()?;
        upstream.set_read_timeout(Some(BOUND)).ok()?;
        // Keeps the host name that the program used, from which the registry builds its URLs.
        let kept = head.iter().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let text: Vec<&str> = kept.map(String::as_str).chain(["Connection: close"]).collect();
        upstream.write_all((text.join("\r\n") + "\r\n\r\n").as_bytes()).ok()?;
        upstream.write_all(body).ok()?;
        let mut from = BufReader::new(upstream);
        let mut answer = Answer { head: read_head(&mut from)?, body: Vec::new() };
        answer.head.retain(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        answer.head.push("Connection: close".into());
        if !head[0].starts_with("HEAD ") {
            from.read_to_end(&mut answer.body).ok()?;
        }
        Some(answer)
    }

    fn forward_whole(&self, head: &[String]) -> Option<Answer> {
        let head: Vec<String> =
            head.iter().filter(|l| !l.to_ascii_lowercase().starts_with("range:")).cloned().collect();
        self.forward(&head, &[])
    }
}

impl Request {
    pub fn is_blob(&self) -> bool {
        self.line.starts_with("GET ") && self.line.contains("/blobs/sha256:")
    }
}

fn meddle(deed: Deed, request: &Request, answer: &mut Answer, whole: impl Fn() -> Option<Answer>) {
    let middle = answer.body.len() / 2;
    match deed {
        Deed::Nothing | Deed::Cut(_) | Deed::Stall => {}
        Deed::Flip(_) => answer.body[middle] ^= 1,
        Deed::WholeToRange => *answer = whole().unwrap(),
        Deed::OtherRange if request.range.is_some() => answer.body.rotate_left(1),
        Deed::OtherRange => {}
        Deed::Status(_, code) => {
            let head = vec![format!("HTTP/1.1 {code} Odd"), "Content-Length: 0".into(), "Connection: close".into()];
            *answer = Answer { head, body: Vec::new() };
        }
        Deed::Longer => announce(answer, answer.body.len() + 100),
        Deed::Shorter => announce(answer, answer.body.len() - 100),
    }
}

/// Changes the announced length and the body of a response.
fn announce(answer: &mut Answer, len: usize) {
    answer.head.retain(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
    answer.head.push(format!("Content-Length: {len}"));
    answer.body.resize(len, 0);
}

fn read_head(from: &mut impl BufRead) -> Option<Vec<String>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line).ok().filter(|got| *got > 0)?;
        match line.trim_end() {
            "" => return Some(head).filter(|head| !head.is_empty()),
            line => head.push(line.to_owned()),
        }
    }
}

fn field(head: &[String], name: &str) -> Option<String> {
    let found = head.iter().filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().to_owned())
}

fn length(head: &[String]) -> Option<usize> {
    field(head, "content-length")?.parse().ok()
}
