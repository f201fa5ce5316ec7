//! Tests `fetch` on loopback: sources that lie, stall, cut or send HTML pages; partial files, tokens,
//! proxies, TLS, full disks, kills. `members` tests archives and wheels, `outdated` tests changed sources and
//! `pin --refresh`.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod members;
mod outdated;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;
mod updates;

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use server::{Server, bounded};
use support::{is_root, pin_of, program, stderr, stdout};
use tempfile::TempDir;

/// Timeouts that are short enough for a test and long enough for a busy machine.
const QUICK: [&str; 6] = ["--idle-timeout", "5", "--timeout", "30", "--retries", "1"];

fn bytes() -> Vec<u8> {
    (0..300_000u32).map(|at| (at * 31 % 251 + at / 65_536) as u8).collect()
}

/// A lock file and the store that `fetch` fills.
struct World {
    dir: TempDir,
}

impl World {
    fn new(sources: &[String], size: Option<usize>, bytes: &[u8]) -> Self {
        let dir = testkit::ground::folder("fetch");
        let size = size.map(|size| format!("size = {size}\n")).unwrap_or_default();
        let lock = format!(
            "version = 1\n[store]\npath = \"/srv/models\"\n[[weight]]\npath = \"m/w.bin\"\nsha256 = \"{}\"\n{size}sources = {sources:?}\n",
            pin_of(bytes)
        );
        fs::write(dir.path().join("weights.lock"), lock).unwrap();
        Self { dir }
    }

    /// Creates a world with one weight of a pinned size.
    fn sized(sources: &[String], bytes: &[u8]) -> Self {
        Self::new(sources, Some(bytes.len()), bytes)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        for variable in ["BALLAST_MIRRORS", "BALLAST_TOKENS", "BALLAST_LOCK", "SSL_CERT_FILE", "HF_TOKEN"] {
            command.env_remove(variable);
        }
        for variable in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
            command.env_remove(variable).env_remove(variable.to_lowercase());
        }
        command.current_dir(self.dir.path()).arg("fetch").args(QUICK).args(args);
        command
    }

    fn fetch(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("mirror/m/w.bin")
    }

    fn part(&self, bytes: &[u8]) -> PathBuf {
        self.target().with_file_name(format!(".ballast-part.{}", pin_of(bytes)))
    }

    fn right(&self, bytes: &[u8]) -> bool {
        fs::read(self.target()).is_ok_and(|found| found == bytes)
    }

    fn names(&self) -> usize {
        fs::read_dir(self.target().parent().unwrap()).unwrap().count()
    }
}

/// The behaviour of a source, the fault that must be named, and more options.
type Row = (&'static str, Option<&'static str>, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("right", None, &[]),
    ("cut-always", Some("cut"), &[]),
    ("cut-once", None, &[]),
    ("whole-to-range", None, &[]),
    ("short-ranges", None, &[]),
    ("page-to-range", Some("html"), &[]),
    ("wrong-range", None, &[]),
    ("refuses-range", None, &[]),
    ("closes-at-once", Some("cut"), &[]),
    ("stalls", Some("stalled"), &["--idle-timeout", "0.7", "--retries", "0"]),
    ("never-answers", Some("stalled"), &["--idle-timeout", "0.7", "--retries", "0"]),
    ("trickles", Some("too-slow"), &["--timeout", "2"]),
    ("announces-more", Some("wrong-length"), &[]),
    ("announces-less", Some("wrong-length"), &[]),
    ("chunked-short", Some("wrong-length"), &[]),
    ("chunked-endless", Some("too-long"), &[]),
    ("circle", Some("redirects"), &[]),
    ("endless-redirects", Some("redirects"), &[]),
    ("hops", None, &[]),
    ("wrong-bytes", Some("wrong-bytes"), &[]),
    ("html", Some("html"), &[]),
    ("html-of-that-length", Some("html"), &[]),
    ("lfs", Some("lfs-pointer"), &[]),
    ("missing", Some("not-found"), &[]),
    ("denied", Some("denied"), &[]),
    ("teapot", Some("status"), &[]),
    ("busy", Some("status"), &[]),
    ("busy-once", None, &[]),
    ("garbage", Some("bad-answer"), &[]),
];

/// Runs `fetch` with the row's options in place of the same quick ones, because an option may be given only
/// once.
fn run_row(world: &World, options: &[&str]) -> Output {
    let kept = QUICK.chunks(2).filter(|pair| !options.contains(&pair[0])).flatten();
    let mut command = Command::new(program());
    for variable in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
    command.current_dir(world.dir.path()).arg("fetch").args(kept).args(options).output().unwrap()
}

fn judge(row: &Row, server: &Server, all: &[u8]) -> Vec<String> {
    let (behaviour, fault, options) = row;
    let mut wrong = Vec::new();
    let bad = server.url(&format!("{behaviour}/w.bin"));
    let named = |output: &Output| fault.is_none_or(|fault| stderr(output).contains(&format!("{fault}: ")));
    let world = World::sized(&[bad.clone(), server.url("right/next.bin")], all);
    let output = run_row(&world, options);
    let from = if fault.is_none() { &bad } else { &server.url("right/next.bin") };
    if !output.status.success() || !named(&output) || !stderr(&output).contains(&format!("right, from {from}")) {
        wrong.push(format!("{behaviour}, then a right source: {output:?}"));
    }
    if !world.right(all) || world.names() != 1 {
        wrong.push(format!("{behaviour}: the store holds something else than the weight"));
    }
    if fault.is_some() {
        let alone = World::sized(&[bad], all);
        let output = run_row(&alone, options);
        let reported = stderr(&output).contains("m/w.bin") && stderr(&output).contains("hint: ");
        if output.status.code() != Some(17) || !named(&output) || !reported || alone.target().exists() {
            wrong.push(format!("{behaviour}, alone: {output:?}"));
        }
    }
    wrong
}

#[test]
fn each_lie_of_a_source_has_its_name_and_the_next_source_gives_the_file() {
    let all = bytes();
    // Each row has its own server, because some behave differently at the second request.
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let rows: Vec<_> = ROWS.iter().map(|row| scope.spawn(|| judge(row, &Server::start(&all), &all))).collect();
        rows.into_iter().flat_map(|row| row.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn an_unreachable_host_an_unknown_host_and_no_source_have_names() {
    let all = bytes();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut wrong = Vec::new();
    for (source, fault) in [
        (Some(format!("http://127.0.0.1:{closed}/w.bin")), "unreachable: "),
        (Some("http://models.invalid/w.bin".to_owned()), "no-such-host: "),
        (Some("/nonexistent/w.bin".to_owned()), "not-found: "),
        (Some("/dev/zero".to_owned()), "unreadable: "),
        (None, "no-source: "),
    ] {
        let output = World::sized(source.as_slice(), &all).fetch(&[]);
        if output.status.code() != Some(17) || !stderr(&output).contains(fault) {
            wrong.push(format!("{source:?}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_cut_download_continues_and_a_right_file_is_not_requested_again() {
    let all = bytes();
    let server = Server::start(&all);
    let world = World::sized(&[server.url("cut-once/w.bin")], &all);
    assert!(world.fetch(&[]).status.success());
    let ranges: Vec<_> = server.requests().iter().map(|request| request.range).collect();
    assert_eq!(ranges, [None, Some(150_000)]);
    let again = world.fetch(&[]);
    assert!(again.status.success() && stdout(&again).starts_with("1 of 1 right in "), "{again:?}");
    assert_eq!(server.requests().len(), 2, "requested again");
}

#[test]
fn a_page_in_place_of_the_rest_leaves_the_part() {
    let all = bytes();
    let server = Server::start(&all);
    let world = World::sized(&[server.url("page-to-range/w.bin")], &all);
    let output = world.fetch(&[]);
    assert!(output.status.code() == Some(17) && stderr(&output).contains("html: "), "{output:?}");
    assert_eq!(fs::read(world.part(&all)).unwrap(), all[..all.len() / 2]);
}

#[test]
fn a_part_that_was_tampered_with_costs_a_second_download_and_nothing_else() {
    let all = bytes();
    let server = Server::start(&all);
    let mut rows = Vec::new();
    let mut flipped = all[..200_000].to_vec();
    flipped[77] ^= 1;
    for (name, part, ranges) in [
        ("flipped", flipped, vec![Some(200_000), None]),
        ("right", all[..200_000].to_vec(), vec![Some(200_000)]),
        ("complete", all.clone(), vec![]),
        ("complete and flipped", all.iter().map(|byte| !byte).collect(), vec![None, None]),
        ("too long", [&all[..], b"x"].concat(), vec![None]),
    ] {
        let path = format!("right/{}", name.replace(' ', "-"));
        let world = World::sized(&[server.url(&path)], &all);
        fs::create_dir_all(world.target().parent().unwrap()).unwrap();
        fs::write(world.part(&all), part).unwrap();
        let output = world.fetch(&[]);
        let sent: Vec<_> =
            server.requests().iter().filter(|request| request.path == path).map(|request| request.range).collect();
        // For a complete but wrong partial file, `fetch` may first request a Range beyond its end.
        let fits = sent == ranges || name == "complete and flipped";
        if !output.status.success() || !world.right(&all) || world.names() != 1 || !fits {
            rows.push(format!("{name}: requested {sent:?}, {output:?}"));
        }
    }
    assert!(rows.is_empty(), "{}", rows.join("\n"));
}

#[test]
fn a_fetch_that_is_killed_goes_on_where_it_was() {
    let all: Vec<u8> = (0..6_000_000u32).map(|at| (at * 31 % 251 + at / 65_536) as u8).collect();
    let server = Server::start(&all);
    let world = World::sized(&[server.url("slow/w.bin")], &all);
    let mut child = world.command(&[]).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while fs::metadata(world.part(&all)).map_or(0, |part| part.len()) < 500_000 {
        assert!(Instant::now() < until, "no part came");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!world.target().exists(), "a part has the weight's name");
    let output = world.fetch(&[]);
    assert!(output.status.success() && world.right(&all) && world.names() == 1, "{output:?}");
    let resumed = server.requests()[1].range.unwrap_or(0);
    assert!(resumed >= 500_000, "resumed at {resumed}");
}

#[test]
fn mirrors_are_used_first_in_order_and_by_path_name_and_digest() {
    let all = bytes();
    let server = Server::start(&all);
    let mirrors = testkit::ground::folder("scratch");
    let mut wrong = Vec::new();
    for (form, path) in [("path", "m/w.bin".to_owned()), ("name", "w.bin".to_owned()), ("digest", pin_of(&all))] {
        let dir = mirrors.path().join(form);
        fs::create_dir_all(dir.join("m")).unwrap();
        fs::write(dir.join(path), &all).unwrap();
        let world = World::sized(&[server.url("right/never.bin")], &all);
        let output = world.fetch(&["--mirror", "/nonexistent", "--mirror", dir.to_str().unwrap()]);
        let reported = stderr(&output).contains(&format!("right, from {}", dir.display()));
        if !output.status.success() || !world.right(&all) || !reported {
            wrong.push(format!("{form}: {output:?}"));
        }
    }
    fs::write(mirrors.path().join("w.bin"), vec![0; all.len()]).unwrap();
    let world = World::sized(&[], &all);
    let variable = format!("{} {}", mirrors.path().display(), server.url("right"));
    let output = world.command(&[]).env("BALLAST_MIRRORS", variable).output().unwrap();
    if !output.status.success() || !stderr(&output).contains("wrong-bytes: ") || !world.right(&all) {
        wrong.push(format!("BALLAST_MIRRORS: {output:?}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(server.requests().iter().map(|request| request.path.as_str()).collect::<Vec<_>>(), ["right/m/w.bin"]);
}

#[test]
fn a_mirror_in_the_hubs_layout_is_reached_by_endpoint_and_as_a_mirror() {
    let all = bytes();
    let server = Server::start(&all);
    let source = || "https://huggingface.co/org/model/resolve/0123/sub/w%20v1.bin".to_owned();
    let path = "hub/org/model/resolve/0123/sub/w%20v1.bin";
    let world = World::sized(&[source()], &all);
    let endpoint = server.url("hub");
    let output = world.command(&[]).env("HF_ENDPOINT", &endpoint).env("HF_TOKEN", "s3cret").output().unwrap();
    assert!(output.status.success() && world.right(&all) && stderr(&output).contains(&endpoint), "{output:?}");
    let requests = server.requests();
    assert_eq!(requests.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(), [path]);
    assert_eq!(requests[0].authorization.as_deref(), Some("Bearer s3cret"));
    let world = World::sized(&[source()], &all);
    let output = world.fetch(&["--mirror", &endpoint]);
    assert!(output.status.success() && world.right(&all), "{output:?}");
    assert_eq!(server.requests().last().map(|request| request.path.clone()).as_deref(), Some(path));
    let wrong = World::sized(&[source()], &all).command(&[]).env("HF_ENDPOINT", "mirror.example").output().unwrap();
    assert!(wrong.status.code() == Some(2) && stderr(&wrong).contains("HF_ENDPOINT"), "{wrong:?}");
}

#[test]
fn a_token_goes_to_its_host_and_no_further_and_is_not_printed() {
    let all = bytes();
    let server = Server::start(&all);
    let world = World::sized(&[server.url("to-localhost/w.bin")], &all);
    let output = world.command(&[]).env("BALLAST_TOKENS", "127.0.0.1=s3cret").output().unwrap();
    assert!(output.status.success() && world.right(&all), "{output:?}");
    let sent: Vec<_> = server.requests().iter().map(|request| request.authorization.clone()).collect();
    assert_eq!(sent, [Some("Bearer s3cret".to_owned()), None]);
    let user = server.url("missing/w.bin?sig=s3cret").replace("127.0.0.1", "user:s3cret@127.0.0.1");
    let failed = World::sized(&[user], &all).command(&[]).env("BALLAST_TOKENS", "127.0.0.1=s3cret").output().unwrap();
    assert_eq!(failed.status.code(), Some(17));
    for output in [output, failed] {
        assert!(!format!("{output:?}").contains("s3cret"), "{output:?}");
    }
}

#[test]
fn a_proxy_of_the_environment_is_used_unless_no_proxy_names_the_host() {
    let all = bytes();
    let server = Server::start(&all);
    let world = World::sized(&["http://models.invalid/right/w.bin".to_owned()], &all);
    let proxy = format!("http://127.0.0.1:{}", server.port);
    let through = |no: &str| world.command(&[]).env("HTTP_PROXY", &proxy).env("NO_PROXY", no).output().unwrap();
    let refused = through("models.invalid");
    assert!(stderr(&refused).contains("no-such-host: ") && server.requests().is_empty(), "{refused:?}");
    let output = through("");
    assert!(output.status.success() && world.right(&all), "{output:?}");
    assert_eq!(server.requests()[0].line.trim_end(), "CONNECT models.invalid:80 HTTP/1.1");
}

#[test]
fn tls_is_trusted_by_the_file_of_certificates_and_not_without() {
    let all = bytes();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::of(&listener, &all);
    let served = server.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = rustls::ServerConnection::new(config.clone()).unwrap();
            served.serve(rustls::StreamOwned::new(tls, bounded(stream)));
        }
    });
    let world = World::sized(&[server.url("right/w.bin").replace("http:", "https:")], &all);
    let refused = world.fetch(&[]);
    assert!(refused.status.code() == Some(17) && stderr(&refused).contains("tls: "), "{refused:?}");
    let pem = world.dir.path().join("ca.pem");
    fs::write(&pem, made.cert.pem()).unwrap();
    let output = world.fetch(&["--ca-file", pem.to_str().unwrap()]);
    assert!(output.status.success() && world.right(&all), "{output:?}");
    fs::remove_dir_all(world.dir.path().join("mirror")).unwrap();
    let output = world.command(&[]).env("SSL_CERT_FILE", &pem).output().unwrap();
    assert!(output.status.success() && world.right(&all), "{output:?}");
}

#[test]
fn a_full_disk_has_a_name_and_a_source_that_never_ends_leaves_room_for_the_next() {
    if !is_root("a_full_disk_has_a_name") {
        return;
    }
    let all = bytes();
    let server = Server::start(&all);
    let large = World::new(&[server.url("right/w.bin")], Some(3 << 20), &all);
    let endless = World::new(&[server.url("chunked-endless/w.bin"), server.url("right/w.bin")], None, &all);
    for world in [&large, &endless] {
        let mirror = world.dir.path().join("mirror");
        fs::create_dir(&mirror).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&mirror).status();
        assert!(mounted.unwrap().success());
    }
    let outputs = [large.fetch(&[]), endless.fetch(&[])];
    let right = endless.right(&all);
    for world in [&large, &endless] {
        assert!(Command::new("umount").arg(world.dir.path().join("mirror")).status().unwrap().success());
    }
    assert!(outputs[0].status.code() == Some(17) && stderr(&outputs[0]).contains("disk-full: "), "{:?}", outputs[0]);
    assert!(outputs[1].status.success() && stderr(&outputs[1]).contains("disk-full: "), "{:?}", outputs[1]);
    assert!(right);
}

#[test]
fn what_was_fetched_is_baked_without_naming_it() {
    let all = bytes();
    let server = Server::start(&all);
    let world = World::sized(&[server.url("right/w.bin")], &all);
    assert!(world.fetch(&[]).status.success());
    let mut bake = Command::new(program());
    let output =
        bake.current_dir(world.dir.path()).env_remove("BALLAST_LOCK").args(["bake", "layer"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(fs::read(world.dir.path().join("layer/m/w.bin")).unwrap() == all);
}
