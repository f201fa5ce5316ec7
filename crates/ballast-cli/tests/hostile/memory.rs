//! Attack: responses, archives and folders are far longer than they should be. Memory and time depend on the
//! limits, not on the sender. The kernel reports the program's peak memory.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tar::{EntryType, Header};

use crate::support::{PAIR, TREE, World, is_root, pin_of, program, stdout};

/// The largest memory that an attack may cause, in MiB.
const MEMORY: i64 = 200;

/// A small process that starts the program, because the kernel counts the memory of the parent for a child
/// too.
const MEASURE: &str = "
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)
";

/// Runs the program for at most two minutes; returns its exit code and its peak memory in MiB.
fn measured(world: &World, args: &[&str], env: &[(&str, &str)]) -> (i32, i64) {
    let mut command = Command::new("python3");
    command.args(["-c", MEASURE, "timeout", "--signal=KILL", "120"]).arg(program()).args(args);
    command.env("BALLAST_LOCK", world.lock()).env_remove("BALLAST_MIRRORS").current_dir(world.dir.path());
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let output = command.envs(env.iter().copied()).output().unwrap();
    let reported = stdout(&output);
    let (code, mib) = reported.split_once(' ').unwrap_or_else(|| panic!("{output:?}"));
    (code.parse().unwrap(), mib.parse().unwrap())
}

fn ballast(world: &World, args: &[&str]) -> (i32, i64) {
    measured(world, args, &[])
}

/// Starts a registry whose responses for a path begin with this head and do not end.
fn endless(path: &'static str, head: &'static str, filler: u8) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || pour(&stream, path, head, filler, port));
        }
    });
    port
}

fn pour(stream: &TcpStream, path: &str, head: &str, filler: u8, port: u16) -> Option<()> {
    let mut from = BufReader::new(stream);
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    let mut rest = String::new();
    while from.read_line(&mut rest).ok()? > 2 {
        rest.clear();
    }
    let mut to = stream;
    if !line.contains(path) {
        let realm = format!("WWW-Authenticate: Bearer realm=\"http://127.0.0.1:{port}/token\"\r\n");
        let challenge = if path == "/token" { realm } else { String::new() };
        let status = if path == "/token" { "401 Unauthorized" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\n{challenge}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}");
        return to.write_all(answer.as_bytes()).ok();
    }
    to.write_all(head.as_bytes()).ok()?;
    let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![filler; 1 << 20], b"\r\n"].concat();
    // Sends sixteen times the allowed memory, then nothing more.
    for _ in 0..(MEMORY * 16) {
        to.write_all(&chunk).ok()?;
    }
    None
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn an_answer_without_an_end_is_not_kept_in_memory() {
    if !testkit::need::time("an_answer_without_an_end_is_not_kept_in_memory") {
        return;
    }
    let world = World::new(&PAIR);
    let rows = [
        ("a manifest", "/manifests/", CHUNKED, b' '),
        ("an array as a manifest", "/manifests/", CHUNKED, b'['),
        ("a manifest's error", "/manifests/", "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n", b' '),
        ("a manifest of a length", "/manifests/", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b' '),
        ("a token", "/token", CHUNKED, b' '),
        ("headers", "/manifests/", "HTTP/1.1 200 OK\r\nX-Long: ", b'x'),
        ("the first answer", "/v2/ ", CHUNKED, b' '),
        (
            "a redirect",
            "/manifests/",
            "HTTP/1.1 307 Go\r\nLocation: /v2/x/y/manifests/z\r\nTransfer-Encoding: chunked\r\n\r\n",
            b' ',
        ),
    ];
    let mut wrong = Vec::new();
    for (name, path, head, filler) in rows {
        let url = format!("oci://127.0.0.1:{}/x/y:z", endless(path, head, filler));
        let (code, mib) = ballast(&world, &["pull", "--retries", "0", "--idle-timeout", "10", "--into", "m", &url]);
        if mib > MEMORY || code != 17 {
            wrong.push(format!("{name}: exit {code}, {mib} MiB"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns a tar entry whose header claims this size.
fn entry(path: &str, kind: EntryType, size: u64, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_path(path).unwrap();
    header.set_cksum();
    let mut bytes = [header.as_bytes().as_slice(), content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// Returns a GNU sparse entry with no bytes and this length.
fn sparse(path: &str, real: u64) -> Vec<u8> {
    let number = |value: u64| {
        let mut field = [0; 12];
        field[4..].copy_from_slice(&value.to_be_bytes());
        field[0] = 0x80;
        field
    };
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(0);
    header.set_path(path).unwrap();
    let gnu = header.as_gnu_mut().unwrap();
    gnu.realsize = number(real);
    gnu.sparse[0].offset = number(real);
    gnu.sparse[0].numbytes = number(0);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Returns the world's archive with its small layer changed by `layer`.
fn archive_with(world: &World, layer: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let from = world.path("source").display().to_string();
    assert_eq!(ballast(world, &["export", "--from", &from, "models.tar"]).0, 0);
    let bytes = fs::read(world.path("models.tar")).unwrap();
    let mut files = BTreeMap::new();
    for file in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let mut file = file.unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.insert(String::from_utf8_lossy(&file.path_bytes()).into_owned(), content);
    }
    let blob = |part: &Value| part["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/");
    let mut index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let mut manifest: Value = serde_json::from_slice(&files[&blob(&index["manifests"][0])]).unwrap();
    let small = files[&blob(&manifest["layers"][0])].clone();
    let mut put = |part: &mut Value, content: Vec<u8>| {
        part["digest"] = format!("sha256:{}", pin_of(&content)).into();
        part["size"] = content.len().into();
        files.insert(blob(part), content);
    };
    put(&mut manifest["layers"][0], layer(small));
    put(&mut index["manifests"][0], serde_json::to_vec(&manifest).unwrap());
    files.insert("index.json".into(), serde_json::to_vec(&index).unwrap());
    let entries = files.iter().map(|(path, content)| entry(path, EntryType::Regular, content.len() as u64, content));
    [entries.flatten().collect::<Vec<u8>>(), vec![0; 1024]].concat()
}

#[test]
fn an_archive_that_says_more_than_it_holds_is_refused_in_bounded_memory() {
    if !testkit::need::time("an_archive_that_says_more_than_it_holds_is_refused_in_bounded_memory") {
        return;
    }
    let world = World::new(&PAIR);
    let right = archive_with(&world, |layer| layer);
    let small = |first: Vec<u8>| archive_with(&world, |layer| [first.as_slice(), &layer].concat());
    let before = |first: Vec<u8>| [first.as_slice(), &right].concat();
    let many = |count: usize, one: &dyn Fn(String) -> Vec<u8>| {
        before((0..count).flat_map(|at| one(format!("x{at}"))).collect())
    };
    let long = |path: &str, kind| before(entry(path, kind, 64 << 20, &vec![b'n'; 64 << 20]));
    let file = EntryType::Regular;
    type Row<'a> = (&'a str, i32, Box<dyn Fn() -> Vec<u8> + 'a>);
    let rows: Vec<Row> = vec![
        ("the right one", 0, Box::new(|| right.clone())),
        ("a sparse file in the small layer", 17, Box::new(|| small(sparse("x", 3_000_000_000)))),
        ("a sparse index in the small layer", 17, Box::new(|| small(sparse(".ballast/weights.index", 3_000_000_000)))),
        ("a thousand sparse files beside the blobs", 17, Box::new(|| many(1000, &|name| sparse(&name, 4 << 20)))),
        ("a sparse index.json", 17, Box::new(|| before(sparse("index.json", 3_000_000_000)))),
        (
            "300 files of 1 MiB beside the blobs",
            0,
            Box::new(|| many(300, &|name| entry(&name, file, 1 << 20, &[b'x'; 1 << 20]))),
        ),
        ("a name of 64 MiB", 17, Box::new(|| long("l", EntryType::GNULongName))),
        ("extended headers of 64 MiB", 17, Box::new(|| long("p", EntryType::XHeader))),
        ("a lock file of 64 MiB", 17, Box::new(|| long("weights.lock", file))),
        ("an index.json of 64 MiB", 17, Box::new(|| long("index.json", file))),
        ("ten thousand entries", 17, Box::new(|| many(10_000, &|name| entry(&name, file, 0, b"")))),
    ];
    let mut wrong = Vec::new();
    for (name, expected, bytes) in rows {
        fs::write(world.path("evil.tar"), bytes()).unwrap();
        let (code, mib) = ballast(&world, &["import", "--into", "imported", "evil.tar"]);
        if mib > MEMORY || code != expected {
            wrong.push(format!("{name}: exit {code}, {mib} MiB"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// pip reads the whole response of an index, so the memory that it may map is limited.
#[test]
fn an_index_of_packages_without_an_end_costs_no_memory_without_an_end() {
    let test = "an_index_of_packages_without_an_end_costs_no_memory_without_an_end";
    if Command::new("pip").arg("--version").output().is_err() {
        testkit::need::skip(test, "pip (apt-get install python3-pip)");
        return;
    }
    let world = World::new(&PAIR);
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
    let url = format!("http://127.0.0.1:{}/simple", endless("/simple", page, b' '));
    let pin = ["pin", "--lock", "new.lock", "--store", "/srv/m", "--into", "into", "pip:x==1!w.bin"];
    let env = [("PIP_INDEX_URL", url.as_str()), ("PIP_CONFIG_FILE", "/dev/null"), ("PIP_NO_CACHE_DIR", "1")];
    let (code, mib) = measured(&world, &pin, &env);
    assert!(code == 17 && mib < 2300, "exit {code}, {mib} MiB");
}

/// Mounts a tmpfs there, visible only to this thread and its children.
fn own_tmpfs(at: &Path) {
    #[expect(unsafe_code, reason = "no safe call enters a new namespace")]
    // SAFETY: the flag concerns this thread's mounts and working directory; no descriptor is shared less.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) }.unwrap();
    let mount = |words: &[&str]| assert!(Command::new("mount").args(words).status().unwrap().success(), "{words:?}");
    mount(&["--make-rprivate", "/"]);
    mount(&["-t", "tmpfs", "-o", "mode=0755,nr_inodes=0", "tmpfs", at.to_str().unwrap()]);
}

#[test]
fn six_hundred_thousand_names_in_the_volume_neither_hang_a_boot_nor_fill_its_memory() {
    let test = "six_hundred_thousand_names_in_the_volume_neither_hang_a_boot_nor_fill_its_memory";
    if !is_root(test) {
        return;
    }
    let world = World::new(&PAIR);
    own_tmpfs(&world.cache());
    let weights = world.cache().join(TREE);
    fs::create_dir_all(&weights).unwrap();
    fs::write(world.cache().join("one"), "").unwrap();
    let fill = |dir: &Path, start: &str| {
        for at in 0..200_000 {
            fs::hard_link(world.cache().join("one"), dir.join(format!("{start}{at:07}"))).unwrap();
        }
    };
    fill(&weights, ".ballast-staged.");
    fill(&weights, "left-over-with-a-long-name-that-takes-room-");
    fill(&world.cache(), "left-over-");
    for dir in [world.cache(), world.cache().join(".deepface"), weights] {
        std::os::unix::fs::chown(dir, Some(100), Some(101)).unwrap();
    }
    let report = world.report().display().to_string();
    let mut wrong = Vec::new();
    let (code, mib) = ballast(&world, &["adopt", "--lock", "new.lock", "--store", "/srv/m", "cache"]);
    if code != 2 || mib > MEMORY {
        wrong.push(format!("adopt: exit {code}, {mib} MiB"));
    }
    for hold in ["owned", "sticky"] {
        let args = ["run", "--no-new-privs", "--hold", hold, "--report", &report, "--", "/bin/true"];
        let (code, mib) = ballast(&world, &args);
        if code != 0 || mib > MEMORY {
            wrong.push(format!("{hold}: exit {code}, {mib} MiB"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
