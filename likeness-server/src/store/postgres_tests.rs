//! The suite on PostgreSQL 15: a cluster of its own in a temporary directory, on a socket there,
//! ended by the test.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::suite::{Place, SUITE};
use super::suite_index::MORE;
use super::*;

const BIN: &str = "/usr/lib/postgresql/15/bin";

/// A cluster that is stopped when dropped.
pub struct Cluster {
    dir: tempfile::TempDir,
    made: AtomicUsize,
}

impl Cluster {
    pub fn start() -> Self {
        let cluster = Self { dir: tempfile::tempdir().unwrap(), made: AtomicUsize::new(0) };
        let owner = owner();
        std::os::unix::fs::chown(cluster.dir.path(), Some(owner.0), Some(owner.1)).unwrap();
        let data = cluster.data();
        cluster.call("initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]);
        cluster.up();
        cluster
    }

    pub fn up(&self) {
        let socket = format!("-c listen_addresses= -c unix_socket_directories={}", self.dir.path().display());
        let log = self.dir.path().join("log").display().to_string();
        self.call("pg_ctl", &["-D", &self.data(), "-w", "-t", "60", "-l", &log, "-o", &socket, "start"]);
    }

    /// `fast` ends connections, `immediate` is a crash.
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

    /// A database of its own.
    pub fn place(&self) -> Place {
        let name = format!("t{}", self.made.fetch_add(1, Ordering::Relaxed));
        let host = self.dir.path().display().to_string().replace('/', "%2F");
        self.call("createdb", &["-h", self.dir.path().to_str().unwrap(), "-U", "postgres", &name]);
        let location = Location::from_str(&format!("postgres://postgres@{host}/{name}")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        Place { location, key_file: dir.path().join("master.key"), dir }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::fs::exists(self.dir.path().join("data/postmaster.pid")).unwrap() {
            self.down("immediate");
        }
    }
}

/// Root can't run a cluster: whoever Debian made for it does.
fn owner() -> (u32, u32) {
    let me = rustix::process::geteuid().as_raw();
    match (me, std::fs::metadata("/var/lib/postgresql")) {
        (0, Ok(home)) => (home.uid(), home.gid()),
        _ => (me, rustix::process::getegid().as_raw()),
    }
}

#[test]
fn the_suite() {
    let cluster = Cluster::start();
    for (name, test) in SUITE.into_iter().chain(MORE) {
        let place = cluster.place();
        let outcome = std::panic::catch_unwind(|| test(&place));
        assert!(outcome.is_ok(), "PostgreSQL: {name}");
    }
}

#[test]
fn stopped_and_started_in_mid_load_what_was_acknowledged_is_there() {
    use super::suite::{NEW, enrollment, fresh, subject, tenant};
    let cluster = Cluster::start();
    let place = cluster.place();
    let replicas = [place.store(), place.store()];
    let (down, stop) = (AtomicUsize::new(0), std::sync::atomic::AtomicBool::new(false));
    let stored = std::thread::scope(|scope| {
        let load = |at: u64| {
            let (store, down, stop) = (&replicas[usize::try_from(at % 2).unwrap()], &down, &stop);
            scope.spawn(move || {
                let (mut stored, mut open) = (Vec::new(), 0);
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let (tenant, subject) = (tenant(), subject(&format!("p{at}-{number}")));
                    match store.enroll(&enrollment(&tenant, &subject, vec![fresh(number, 80.0)], NEW)) {
                        Ok(outcome) => {
                            assert_eq!(outcome, Outcome::Stored { templates: 1 });
                            stored.push((subject, number));
                        }
                        Err(refusal) => {
                            assert_eq!(refusal.kind, Kind::Unavailable, "{refusal}");
                            open += 1;
                            down.fetch_add(1, Ordering::Relaxed);
                            std::thread::sleep(Duration::from_millis(5));
                        }
                    }
                }
                (stored, open)
            })
        };
        let threads: Vec<_> = (0..4).map(load).collect();
        for how in ["fast", "immediate"] {
            std::thread::sleep(Duration::from_millis(500));
            let before = down.load(Ordering::Relaxed);
            cluster.down(how);
            while down.load(Ordering::Relaxed) < before + 4 {
                std::thread::sleep(Duration::from_millis(5));
            }
            cluster.up();
        }
        std::thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let open: usize = stored.iter().map(|(_, open)| open).sum();
    let acknowledged: Vec<_> = stored.into_iter().flat_map(|(stored, _)| stored).collect();
    let lost = acknowledged.iter().filter(|(subject, number)| {
        let found = replicas[0].load(&tenant(), subject).unwrap();
        found.is_none_or(|person| person.templates[0].fresh != fresh(*number, 80.0))
    });
    assert_eq!(lost.count(), 0, "of {}", acknowledged.len());
    let checked = replicas[1].check().unwrap();
    let told = format!("{} acknowledged, {open} refused, {} there\n", acknowledged.len(), checked.persons);
    std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes()).unwrap();
    assert!(checked.unreadable.is_empty() && checked.persons >= acknowledged.len() as u64, "{checked:?}");
    assert!(acknowledged.len() > 50 && open > 0, "{} stored, {open} refused", acknowledged.len());
}
