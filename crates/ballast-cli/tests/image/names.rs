//! Tests host names in an image without a C library: the static programs resolve names with linked code.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use crate::server::Server;
use crate::ship::{Builder, Ship};
use crate::support::docker::find;
use crate::support::{pin_of, stderr, stdout};

/// A loopback address that no other name server uses.
const NAMESERVER: &str = "127.77.53.1";
const HOST: &str = "models.example";

/// Starts a name server that returns 127.0.0.1 for every name.
fn nameserver() {
    let socket = UdpSocket::bind((NAMESERVER, 53)).unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((size, from)) = socket.recv_from(&mut question) {
            let name = 12 + question[12..size].iter().position(|byte| *byte == 0).unwrap_or(0) + 1;
            let wants_v4 = question.get(name..name + 2) == Some(&[0, 1]);
            let mut answer = question[..name + 4].to_vec();
            answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(wants_v4), 0, 0, 0, 0]);
            if wants_v4 {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            let _ = socket.send_to(&answer, from);
        }
    });
}

/// Runs `ballast fetch` with that host name in a root that contains only the program and these files of
/// `/etc`.
fn fetch(program: &Path, lock: &str, etc: &[(&str, String)]) -> std::process::Output {
    let root = testkit::ground::folder("scratch");
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::copy(program, root.path().join("ballast")).unwrap();
    fs::write(root.path().join("weights.lock"), lock).unwrap();
    for (name, text) in etc {
        fs::write(root.path().join("etc").join(name), text).unwrap();
    }
    let mut fetch = Command::new(find("chroot"));
    fetch.env_clear().arg(root.path()).args(["/ballast", "fetch", "--retries", "0"]);
    fetch.args(["--lock", "/weights.lock", "--into", "/fetched"]).output().unwrap()
}

#[test]
fn a_host_name_is_resolved_where_there_is_no_c_library() {
    let Some(ship) = Ship::new("a_host_name_is_resolved_where_there_is_no_c_library") else { return };
    // Creates the build context, which contains the full static program.
    ship.build(Builder::Classic, "names", &ship.lock(), &ship.mirror(), &["--network", "none"]);
    let program = ship.docker.path("context-names/files/full/ballast");
    nameserver();
    let server = Server::start(b"w");
    let pin = pin_of(b"w");
    let lock = format!(
        "version = 1\n[store]\npath = \"/cache\"\n[[weight]]\npath = \"w\"\nsha256 = \"{pin}\"\nsources = [\"http://{HOST}:{}/right/w\"]\n",
        server.port
    );
    let (resolv, hosts) = (format!("nameserver {NAMESERVER}\n"), format!("127.0.0.1 {HOST}\n"));
    let foreign = "hosts: resolve myhostname files dns\n".to_owned();
    let table = [
        ("a name server", vec![("resolv.conf", resolv.clone())], true),
        (
            "a name server, and modules that are not there",
            vec![("resolv.conf", resolv), ("nsswitch.conf", foreign)],
            true,
        ),
        ("/etc/hosts", vec![("hosts", hosts)], true),
        ("neither", vec![("hosts", String::new())], false),
    ];
    let wrong: Vec<_> = table
        .into_iter()
        .map(|(by, etc, right)| (by, right, fetch(&program, &lock, &etc)))
        .filter(|(_, right, output)| output.status.success() != *right)
        .map(|(by, right, output)| format!("{by}: expected {right}: {}{}", stdout(&output), stderr(&output)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
