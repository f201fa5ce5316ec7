//! Starts a PostgreSQL 15 cluster in a temporary directory, on a socket there, and stops it after the test.

#![allow(dead_code, reason = "each suite uses its part of it")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{ground, need};

const BIN: &str = "/usr/lib/postgresql/15/bin";

/// A cluster that is stopped when dropped.
pub struct Cluster {
    dir: tempfile::TempDir,
    made: AtomicUsize,
    /// The options for listening beside the socket.
    listen: String,
}

impl Cluster {
    /// Starts a cluster; returns `None` if this machine has no PostgreSQL.
    pub fn start(test: &str) -> Option<Self> {
        Self::possible(test).then(|| {
            let cluster = Self::new("-c listen_addresses=".into());
            cluster.up();
            cluster
        })
    }

    /// Returns whether a cluster can be started here; otherwise the test is skipped.
    pub fn possible(test: &str) -> bool {
        need::full_tier(test, "a database") && need::file(test, BIN.as_ref(), "apt-get install postgresql")
    }

    /// Starts a cluster that also listens at this loopback port, only with TLS, with this certificate and
    /// key.
    pub fn with_tls(port: u16, certificate: &str, key: &str) -> Self {
        let cluster = Self::new(format!("-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on"));
        let data = PathBuf::from(cluster.data());
        let rules = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
        for (name, text) in [("server.crt", certificate), ("server.key", key), ("pg_hba.conf", rules)] {
            let (file, owner) = (data.join(name), owner());
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(&file, Some(owner.0), Some(owner.1)).unwrap();
        }
        cluster.up();
        cluster
    }

    fn new(listen: String) -> Self {
        let cluster = Self { dir: ground::folder("postgres"), made: AtomicUsize::new(0), listen };
        let owner = owner();
        std::os::unix::fs::chown(cluster.dir.path(), Some(owner.0), Some(owner.1)).unwrap();
        let data = cluster.data();
        cluster.call("initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]);
        cluster
    }

    pub fn up(&self) {
        let socket = format!("{} -c unix_socket_directories={}", self.listen, self.dir.path().display());
        let log = self.dir.path().join("log").display().to_string();
        self.call("pg_ctl", &["-D", &self.data(), "-w", "-t", "60", "-l", &log, "-o", &socket, "start"]);
    }

    /// Stops the cluster: `fast` ends connections, `immediate` is a crash.
    pub fn down(&self, how: &str) {
        self.call("pg_ctl", &["-D", &self.data(), "-w", "-m", how, "stop"]);
    }

    fn data(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn call(&self, program: &str, args: &[&str]) {
        let (user, group) = owner();
        let mut command = Command::new(PathBuf::from(BIN).join(program));
        command.args(args).current_dir(self.dir.path()).env("LC_ALL", "C");
        if user != rustix::process::geteuid().as_raw() {
            command.uid(user).gid(group);
        }
        let output = command.stdout(std::process::Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{BIN}/{program}: {error}: ./test installs postgresql"));
        assert!(output.status.success(), "{program} {args:?}: {output:?}");
    }

    /// Locks a table of this database until the result is dropped.
    pub fn lock(&self, database: &str, table: &str) -> Lock {
        let mut command = Command::new(PathBuf::from(BIN).join("psql"));
        command.args(["-qtA", "-v", "ON_ERROR_STOP=1", database]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut session = command.spawn().unwrap();
        let mut input = session.stdin.take().unwrap();
        writeln!(input, "BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 'locked';").unwrap();
        let mut line = String::new();
        BufReader::new(session.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "locked\n");
        Lock { session, _input: input }
    }

    /// Creates a database and returns its URL.
    pub fn database(&self) -> String {
        let name = format!("t{}", self.made.fetch_add(1, Ordering::Relaxed));
        let host = self.dir.path().display().to_string().replace('/', "%2F");
        self.call("createdb", &["-h", self.dir.path().to_str().unwrap(), "-U", "postgres", &name]);
        format!("postgres://postgres@{host}/{name}")
    }
}

/// A session that has locked a table.
pub struct Lock {
    session: Child,
    _input: ChildStdin,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::fs::exists(self.dir.path().join("data/postmaster.pid")).unwrap() {
            self.down("immediate");
        }
    }
}

/// Returns the user of the cluster: root can't run one, so Debian's user `postgres` does.
fn owner() -> (u32, u32) {
    let me = rustix::process::geteuid().as_raw();
    match (me, std::fs::metadata("/var/lib/postgresql")) {
        (0, Ok(home)) => (home.uid(), home.gid()),
        _ => (me, rustix::process::getegid().as_raw()),
    }
}
