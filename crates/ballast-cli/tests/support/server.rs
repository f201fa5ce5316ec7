//! A scripted server on loopback. The first part of the path selects how it answers. It serves one file and remembers
//! each request. Each read and each write waits at most 20 seconds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// No connection lives longer without a byte.
const BOUND: Duration = Duration::from_secs(20);
/// The header by which a hub names the commit behind a branch.
const COMMIT: &str = "X-Repo-Commit: 0123456789abcdef0123456789abcdef01234567\r\n";

/// A commit of a hub's file with other bytes.
const OLD_COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A request: path, Range, Authorization.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    pub path: String,
    pub range: Option<u64>,
    pub authorization: Option<String>,
}

#[derive(Clone)]
pub struct Server {
    pub port: u16,
    bytes: Arc<Vec<u8>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// A stream of either kind.
pub trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

impl Server {
    pub fn start(bytes: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self::of(&listener, bytes);
        let served = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = served.clone();
                std::thread::spawn(move || server.serve(bounded(stream)));
            }
        });
        server
    }

    pub fn of(listener: &TcpListener, bytes: &[u8]) -> Self {
        let port = listener.local_addr().unwrap().port();
        Self { port, bytes: Arc::new(bytes.to_vec()), requests: Arc::default() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// One connection, one answer. A peer that has gone is none of our business.
    pub fn serve(&self, stream: impl Wire) {
        let mut stream = BufReader::new(stream);
        if let Some(mut request) = read_request(&mut stream) {
            if request.line.starts_with("CONNECT ") {
                self.requests.lock().unwrap().push(request);
                let _ = stream.get_mut().write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
                match read_request(&mut stream) {
                    Some(inner) => request = inner,
                    None => return,
                }
            }
            let before = self.requests().iter().filter(|other| other.path == request.path).count();
            self.requests.lock().unwrap().push(request.clone());
            let _ = self.answer(stream.get_mut(), &request, before);
        }
    }

    fn answer(&self, to: &mut dyn Wire, request: &Request, before: usize) -> std::io::Result<()> {
        let (all, first) = (&self.bytes[..], before == 0);
        let half = all.len() / 2;
        let (behaviour, rest) = request.path.split_once('/').unwrap_or((&request.path, ""));
        match behaviour {
            "right" => self.whole_or_range(to, request),
            "cut-always" => body(to, "200 OK", all.len(), "", &all[..half / 2]),
            "cut-once" if first => body(to, "200 OK", all.len(), "", &all[..half]),
            "cut-once" => self.whole_or_range(to, request),
            "whole-to-range" | "page-to-range" | "short-ranges" | "wrong-range" | "refuses-range" => {
                let from = request.range.and_then(|from| usize::try_from(from).ok()).filter(|_| !first);
                if first { body(to, "200 OK", all.len(), "", &all[..half]) } else { to_range(to, behaviour, all, from) }
            }
            "closes-at-once" => Ok(()),
            "stalls" => body(to, "200 OK", all.len(), "", &all[..half]).and_then(|()| hold(to)),
            "never-answers" => hold(to),
            "trickles" => trickle(to, all),
            "slow" => slow(to, all, request.range.unwrap_or(0)),
            "announces-more" => body(to, "200 OK", all.len() + 100, "", all),
            "announces-less" => body(to, "200 OK", all.len() - 100, "", &all[..all.len() - 100]),
            "chunked-short" => chunked(to, &all[..half], true),
            "chunked-endless" => loop {
                chunked(to, all, false)?;
            },
            "hub" if rest.contains("/resolve/") => self.whole_or_range(to, request),
            // The hub names commit and digest of a large file, and redirects to where it lies.
            "large" | "lies" if rest.contains("/resolve/") => {
                // An old commit has other bytes.
                let is_right = behaviour == "large" && !rest.contains(OLD_COMMIT);
                let digest = crate::support::pin_of(if is_right { all } else { b"other bytes" });
                body(to, "302 Found", 0, &format!("{COMMIT}X-Linked-Etag: \"{digest}\"\r\nLocation: /right/w\r\n"), b"")
            }
            "gzip" => body(to, "200 OK", all.len(), "Content-Encoding: gzip\r\n", all),
            "identity" => body(to, "200 OK", all.len(), "Content-Encoding: identity\r\n", all),
            "commit" => body(to, "200 OK", all.len(), COMMIT, all),
            // The commit that these name has no such file, or another one.
            "commit-without-file" if rest.contains("/main/") => body(to, "200 OK", all.len(), COMMIT, all),
            "commit-of-other" if rest.contains("/main/") => body(to, "200 OK", all.len(), COMMIT, all),
            "commit-of-other" => body(to, "200 OK", all.len(), &repr_digest(b"other bytes"), all),
            "commit-of-same-size" if rest.contains("/main/") => body(to, "200 OK", all.len(), COMMIT, all),
            "commit-of-same-size" => body(to, "200 OK", all.len(), "", &vec![0; all.len()]),
            "latest" if rest.contains("/latest/") => {
                redirect(to, &format!("latest/{}", rest.replace("latest/download", "download/v1.2")))
            }
            "latest" => body(to, "200 OK", all.len(), "", all),
            "circle" => redirect(to, &request.path),
            "endless-redirects" => redirect(to, &format!("endless-redirects/x{rest}")),
            "hops" if rest.len() < "xxxxw.bin".len() => redirect(to, &format!("hops/x{rest}")),
            "hops" => body(to, "200 OK", all.len(), "", all),
            "to-localhost" => {
                let location = format!("Location: http://localhost:{}/right/w.bin\r\n", self.port);
                body(to, "302 Found", 0, &location, b"")
            }
            "wrong-bytes" => body(to, "200 OK", all.len(), "", &all.iter().map(|byte| !byte).collect::<Vec<_>>()),
            "html" => body(to, "200 OK", 60, "", &page(60)),
            "html-of-that-length" => body(to, "200 OK", all.len(), "", &page(all.len())),
            "lfs" => {
                let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n";
                body(to, "200 OK", pointer.len(), "", pointer)
            }
            "denied" => body(to, "403 Forbidden", 0, "", b""),
            "teapot" => body(to, "418 I'm a teapot", 0, "", b""),
            "busy" => body(to, "503 Service Unavailable", 0, "", b""),
            "busy-once" if first => body(to, "500 Internal Server Error", 0, "", b""),
            "busy-once" => body(to, "200 OK", all.len(), "", all),
            "garbage" => to.write_all(b"\x00\x01\x02 this is no HTTP\r\n\r\n"),
            _ => self.claim(to, request, behaviour),
        }
    }

    /// What hosts say of a file in their headers.
    fn claim(&self, to: &mut dyn Wire, request: &Request, behaviour: &str) -> std::io::Result<()> {
        let all = &self.bytes[..];
        let lead = |to: &mut dyn Wire, path: &str| {
            body(to, "301 Moved Permanently", 0, &format!("Location: /{path}/w.bin\r\n"), b"")
        };
        match behaviour {
            "digest" => body(to, "200 OK", all.len(), &repr_digest(all), all),
            "digest-in-gzip" => {
                let head = format!("Content-Encoding: gzip\r\n{}", repr_digest(b"other bytes"));
                body(to, "200 OK", all.len() - 1, &head, &all[1..])
            }
            "two-digests" => body(to, "200 OK", all.len(), &(repr_digest(all) + &repr_digest(b"other bytes")), all),
            "digest-of-other" => body(to, "200 OK", all.len(), &repr_digest(b"other bytes"), all),
            "moved" => lead(to, "digest"),
            "moved-and-changed" => lead(to, "digest-of-other"),
            "gone" => body(to, "410 Gone", 0, "", b""),
            "no-head" if request.line.starts_with("HEAD ") => body(to, "405 Method Not Allowed", 0, "", b""),
            "no-head" => {
                let range = format!("Content-Range: bytes 0-0/{}\r\n{}", all.len(), repr_digest(all));
                body(to, "206 Partial Content", 1, &range, &all[..1])
            }
            _ => body(to, "404 Not Found", 60, "", &page(60)),
        }
    }

    fn whole_or_range(&self, to: &mut dyn Wire, request: &Request) -> std::io::Result<()> {
        let all = &self.bytes[..];
        match request.range {
            Some(from) if from < all.len() as u64 => {
                let range = format!("Content-Range: bytes {from}-{}/{}\r\n", all.len() - 1, all.len());
                let rest = &all[usize::try_from(from).unwrap()..];
                body(to, "206 Partial Content", rest.len(), &range, rest)
            }
            _ => body(to, "200 OK", all.len(), "", all),
        }
    }
}

pub fn bounded(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.set_write_timeout(Some(BOUND)).unwrap();
    stream
}

fn read_request(stream: &mut BufReader<impl Wire>) -> Option<Request> {
    let mut request = Request { line: String::new(), path: String::new(), range: None, authorization: None };
    stream.read_line(&mut request.line).ok().filter(|got| *got > 0)?;
    request.path = request.line.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|got| *got > 0)?;
        match line.trim_end().split_once(": ") {
            None => return Some(request),
            Some((name, value)) if name.eq_ignore_ascii_case("range") => {
                request.range = value.trim_start_matches("bytes=").trim_end_matches('-').parse().ok();
            }
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                request.authorization = Some(value.to_owned());
            }
            Some(_) => {}
        }
    }
}

fn body(to: &mut dyn Wire, status: &str, announced: usize, more: &str, bytes: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {announced}\r\nConnection: close\r\n{more}\r\n");
    to.write_all(head.as_bytes())?;
    to.write_all(bytes)?;
    to.flush()
}

fn repr_digest(bytes: &[u8]) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(bytes));
    format!("Repr-Digest: sha-256=:{digest}:\r\n")
}

fn redirect(to: &mut dyn Wire, path: &str) -> std::io::Result<()> {
    body(to, "302 Found", 0, &format!("Location: /{path}\r\n"), b"")
}

fn chunked(to: &mut dyn Wire, bytes: &[u8], whole: bool) -> std::io::Result<()> {
    to.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")?;
    loop {
        to.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        to.write_all(bytes)?;
        to.write_all(b"\r\n")?;
        if whole {
            return to.write_all(b"0\r\n\r\n");
        }
    }
}

/// Says nothing until the peer has gone, or the bound is reached.
fn hold(to: &mut dyn Wire) -> std::io::Result<()> {
    to.read(&mut [0]).map(|_| ())
}

/// A byte now and then, so that only the overall time can end it.
fn trickle(to: &mut dyn Wire, all: &[u8]) -> std::io::Result<()> {
    body(to, "200 OK", all.len(), "", b"")?;
    for byte in all {
        to.write_all(&[*byte])?;
        to.flush()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The rest of the file in pieces, slowly enough to be killed in the middle.
fn slow(to: &mut dyn Wire, all: &[u8], from: u64) -> std::io::Result<()> {
    let rest = &all[usize::try_from(from).unwrap()..];
    let range = format!("Content-Range: bytes {from}-{}/{}\r\n", all.len() - 1, all.len());
    body(to, if from > 0 { "206 Partial Content" } else { "200 OK" }, rest.len(), &range, b"")?;
    for piece in rest.chunks(64 << 10) {
        to.write_all(piece)?;
        to.flush()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// How servers answer what follows a cut download: `from` is where the requested range begins.
fn to_range(to: &mut dyn Wire, behaviour: &str, all: &[u8], from: Option<usize>) -> std::io::Result<()> {
    let range = |from: usize, end: usize| format!("Content-Range: bytes {from}-{}/{}\r\n", end - 1, all.len());
    match (behaviour, from) {
        ("page-to-range", _) => body(to, "200 OK", 60, "", &page(60)),
        // A piece of the range, as some caches send it.
        ("short-ranges", Some(from)) => {
            let end = (from + all.len() / 16).min(all.len());
            body(to, "206 Partial Content", end - from, &range(from, end), &all[from..end])
        }
        ("wrong-range", Some(_)) => body(to, "206 Partial Content", all.len(), &range(0, all.len()), all),
        ("refuses-range", Some(_)) => body(to, "416 Range Not Satisfiable", 0, "", b""),
        _ => body(to, "200 OK", all.len(), "", all),
    }
}

fn page(len: usize) -> Vec<u8> {
    let mut page = b"<!DOCTYPE html><html><title>Sign in</title></html>".to_vec();
    page.resize(len, b' ');
    page
}
