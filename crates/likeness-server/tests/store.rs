//! Tests `likeness store` and `likeness key` from the command line.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

#[path = "service/cluster.rs"]
mod cluster;

struct World {
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(world.path("data")).unwrap();
        world
    }

    /// Creates a world with a store.
    fn made() -> Self {
        let world = Self::new();
        assert_eq!(code(&world.store("init", &[])), 0);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn call(&self, command: &[&str], key_file: &str, more: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_likeness"));
        program.args(command).env_remove("DATABASE_URL").env_remove("LIKENESS_KEY_FILE");
        program.arg("--store").arg(format!("sqlite:{}", self.path("data/store.db").display()));
        program.arg("--key-file").arg(self.path(key_file)).args(more).output().unwrap()
    }

    fn store(&self, command: &str, more: &[&str]) -> Output {
        self.call(&["store", command], "master.key", more)
    }

    fn key(&self, command: &str, more: &[&str]) -> Output {
        self.call(&["key", command], "master.key", more)
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn init_makes_a_store_and_a_key_file_that_no_other_user_reads_and_never_a_second_time() {
    let world = World::made();
    for file in ["master.key", "data/store.db"] {
        let mode = fs::metadata(world.path(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
    let (key, data) = (fs::read(world.path("master.key")).unwrap(), fs::read(world.path("data/store.db")).unwrap());
    let again = world.store("init", &[]);
    assert_eq!(code(&again), 56, "{}", stderr(&again));
    let other = world.call(&["store", "init"], "other.key", &[]);
    assert_eq!(code(&other), 24, "{}", stderr(&other));
    assert!(!world.path("other.key").exists(), "a key that opens nothing stays behind");
    assert_eq!(
        (fs::read(world.path("master.key")).unwrap(), fs::read(world.path("data/store.db")).unwrap()),
        (key, data)
    );
}

#[test]
fn every_refusal_has_its_code_and_writes_nothing() {
    let world = World::made();
    let foreign = World::made();
    fs::copy(foreign.path("master.key"), world.path("foreign.key")).unwrap();
    fs::write(world.path("text.key"), "no key").unwrap();
    fs::copy(world.path("master.key"), world.path("open.key")).unwrap();
    fs::copy(world.path("master.key"), world.path("shared.key")).unwrap();
    for (file, mode) in [("text.key", 0o600), ("open.key", 0o666), ("shared.key", 0o640)] {
        fs::set_permissions(world.path(file), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let state = || {
        let mut files: Vec<_> = fs::read_dir(world.path("data"))
            .unwrap()
            .map(|entry| (entry.as_ref().unwrap().file_name(), fs::read(entry.unwrap().path()).unwrap()))
            .filter(|(name, _)| name != "store.db-shm")
            .collect();
        files.sort();
        files
    };
    let before = state();
    let check = ["store", "check"];
    let table: [(&[&str], &str, i32, &str); 9] = [
        (&check, "foreign.key", 51, "wrong_key"),
        (&["store", "rotate"], "foreign.key", 51, "wrong_key"),
        (&["key", "list"], "foreign.key", 51, "wrong_key"),
        (&check, "text.key", 56, "64 hexadecimal digits"),
        (&check, "none.key", 56, "none.key"),
        (&check, "open.key", 56, "chmod 600"),
        (&check, "shared.key", 56, "chmod 600"),
        (&["store", "init"], "data/master.key", 56, "lies with the data"),
        (&["key", "revoke", "0123"], "master.key", 2, "0123"),
    ];
    for (command, key, exit, word) in table {
        let output = world.call(command, key, &[]);
        let said = stderr(&output);
        assert_eq!((code(&output), output.stdout.len()), (exit, 0), "{command:?} {key}: {said}");
        assert!(said.starts_with("error: ") && said.contains(word), "{command:?} {key}: {said}");
        let files: Vec<_> =
            state().into_iter().filter(|(name, bytes)| name != "store.db-wal" || !bytes.is_empty()).collect();
        assert!(files == before, "{command:?} {key} wrote");
    }
    fs::remove_file(world.path("data/store.db")).unwrap();
    assert_eq!(code(&world.store("check", &[])), 53, "no database");
    fs::write(world.path("data/store.db"), [7; 8192]).unwrap();
    let broken = world.store("check", &[]);
    assert_eq!(code(&broken), 52, "{}", stderr(&broken));
}

#[test]
fn a_key_is_printed_once_listed_without_its_secret_and_ended_by_its_id() {
    let world = World::made();
    let new =
        world.key("new", &["--scopes", "verify,enroll", "--tenant", "acme", "--expires", "30", "--per-minute", "60"]);
    let text = stdout(&new).trim().to_owned();
    assert_eq!((code(&new), stderr(&new).as_str()), (0, ""));
    let [lk, id, secret] = text.split('_').collect::<Vec<_>>()[..] else { panic!("{} parts", text.split('_').count()) };
    assert_eq!((lk, id.len(), secret.len()), ("lk", 16, 64));
    let listed = stdout(&world.key("list", &["--json"]));
    let keys: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((keys[0]["id"].as_str(), keys[0]["tenant"].as_str()), (Some(id), Some("acme")));
    assert_eq!((keys[0]["scopes"].as_str(), keys[0]["good"].as_bool()), (Some("verify,enroll"), Some(true)));
    assert!(!listed.contains(secret), "the list tells the secret");
    for file in fs::read_dir(world.path("data")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(64).any(|window| window == secret.as_bytes()), "the database holds the secret");
        assert!(!bytes.windows(4).any(|window| window == b"acme"), "the database holds a tenant in clear");
    }
    assert_eq!(code(&world.key("revoke", &[&text])), 0, "the whole key");
    let again = world.key("revoke", &[&text]);
    assert_eq!(code(&again), 2, "a second time");
    assert!(stderr(&again).contains(id) && !stderr(&again).contains(secret), "{}", stderr(&again));
    assert!(stdout(&world.key("list", &[])).contains("revoked"));
    for wrong in [
        &["--scopes", "root", "--tenant", "*"][..],
        &["--scopes", "verify", "--tenant", "a b"],
        &["--scopes", "verify"],
    ] {
        assert_eq!(code(&world.key("new", wrong)), 2, "{wrong:?}");
    }
}

#[test]
fn a_rotation_makes_the_old_key_worthless_and_a_prepared_one_lets_both_open() {
    let world = World::made();
    let keys = || fs::read_to_string(world.path("master.key")).unwrap().lines().filter(|line| line.len() == 64).count();
    fs::copy(world.path("master.key"), world.path("old.key")).unwrap();
    assert_eq!((code(&world.store("rotate", &["--prepare"])), keys()), (0, 2));
    assert_eq!(code(&world.call(&["store", "check"], "old.key", &[])), 0, "prepared, nothing is wrapped anew yet");
    assert_eq!((code(&world.store("rotate", &[])), keys()), (0, 1));
    assert_eq!(code(&world.call(&["store", "check"], "old.key", &[])), 51);
    assert_eq!(code(&world.store("check", &["--json"])), 0);
    let mode = fs::metadata(world.path("master.key")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "the new key file");
    // A link to the key file stays a link, and leads to the new key.
    std::os::unix::fs::symlink(world.path("master.key"), world.path("link.key")).unwrap();
    assert_eq!(code(&world.call(&["store", "rotate"], "link.key", &[])), 0);
    assert!(fs::symlink_metadata(world.path("link.key")).unwrap().is_symlink());
    assert_eq!(code(&world.store("check", &[])), 0);
}

#[test]
fn a_database_off_this_machine_is_believed_by_its_certificate_alone() {
    if !cluster::Cluster::possible("a_database_off_this_machine_is_believed_by_its_certificate_alone") {
        return;
    }
    let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (own, other) = (made(), made());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _cluster = cluster::Cluster::with_tls(port, &own.cert.pem(), &own.signing_key.serialize_pem());
    let world = World::new();
    fs::write(world.path("own.pem"), own.cert.pem()).unwrap();
    fs::write(world.path("other.pem"), other.cert.pem()).unwrap();
    let (file, host) = (|name: &str| world.path(name).display().to_string(), "postgres://postgres@localhost");
    let rows = [
        ("in clear, where the server wants TLS", format!("{host}:{port}/postgres"), 53, "no encryption"),
        (
            "signed by another",
            format!("{host}:{port}/postgres?sslmode=require&sslrootcert={}", file("other.pem")),
            53,
            "invalid peer certificate: BadSignature",
        ),
        (
            "another name",
            format!(
                "postgres://postgres@127.0.0.1:{port}/postgres?sslmode=verify-full&sslrootcert={}",
                file("own.pem")
            ),
            53,
            "invalid peer certificate: certificate not valid for name",
        ),
        (
            "no authorities",
            format!("{host}:{port}/postgres?sslmode=require&sslrootcert={}", file("absent.pem")),
            24,
            "absent.pem",
        ),
        (
            "as it should be",
            format!("{host}:{port}/postgres?sslmode=verify-full&sslrootcert={}", file("own.pem")),
            0,
            "",
        ),
    ];
    let mut wrong = Vec::new();
    for (what, url, expected, message) in rows {
        let mut init = Command::new(env!("CARGO_BIN_EXE_likeness"));
        init.args(["store", "init", "--store", &url, "--key-file"]).arg(world.path(&format!("key of {what}")));
        let output = init.output().unwrap();
        if code(&output) != expected || !stderr(&output).contains(message) {
            wrong.push(format!(
                "{what}: expected {expected} and {message:?}, found {}: {}",
                code(&output),
                stderr(&output)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Attack: on the connection, the attacker answers that the server has no TLS.
#[test]
fn a_server_that_refuses_tls_gets_nothing() {
    use std::io::{Read as _, Write as _};
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let (mut peer, _) = server.accept().unwrap();
        peer.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
        let mut request = [0; 8];
        peer.read_exact(&mut request).unwrap();
        peer.write_all(b"N").unwrap();
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).unwrap();
        (request, rest)
    });
    let world = World::new();
    let url = format!("postgres://postgres:secret@localhost:{port}/postgres?sslmode=require");
    let mut init = Command::new(env!("CARGO_BIN_EXE_likeness"));
    let output = init.args(["store", "init", "--store", &url, "--key-file"]).arg(world.path("key")).output().unwrap();
    assert_eq!(code(&output), 53, "{}", stderr(&output));
    assert!(stderr(&output).contains("TLS"), "{}", stderr(&output));
    // PostgreSQL's manual, Message Formats, SSLRequest: length 8, then 80877103.
    assert_eq!(heard.join().unwrap(), ([0, 0, 0, 8, 4, 210, 22, 47], Vec::new()));
}

/// Cousins of a key that no caller has: a stdout that can't be written is no success either.
#[test]
fn a_key_for_a_stdout_that_can_t_be_written_is_revoked() {
    let world = World::made();
    let mut new = Command::new(env!("CARGO_BIN_EXE_likeness"));
    new.args(["key", "new", "--scopes", "verify", "--tenant", "acme", "--key-file"]).arg(world.path("master.key"));
    new.arg("--store").arg(world.path("data/store.db")).stdout(fs::File::open("/dev/null").unwrap());
    assert_eq!(new.status().unwrap().code(), Some(47));
    let listed = stdout(&world.key("list", &[]));
    assert!(listed.contains("revoked") && !listed.contains("good"), "{listed}");
}

#[test]
fn what_the_command_line_lacks_is_one_line_of_json_and_half_a_store_or_an_address_is_refused() {
    let world = World::made();
    fs::write(world.path("journal"), "").unwrap();
    let run = |words: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_likeness"));
        program.env_remove("DATABASE_URL").env_remove("LIKENESS_KEY_FILE").current_dir(world.dir.path());
        program.args(words).output().unwrap()
    };
    let lacking = run(&["store", "check", "--json"]);
    let line: serde_json::Value = serde_json::from_slice(&lacking.stderr).unwrap();
    assert_eq!((code(&lacking), &line["error_code"]), (2, &serde_json::json!("USAGE")));
    for (words, expected) in [
        (&["journal", "verify", "journal", "--store", "data/store.db"][..], 2),
        (&["journal", "verify", "journal", "--key-file", "master.key"], 2),
        (&["store", "init", "--store", "file:data/other.db", "--key-file", "other.key"], 24),
    ] {
        assert_eq!(code(&run(words)), expected, "{words:?}");
    }
}
