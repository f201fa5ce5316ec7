//! Lists what a name can be (file, link, FIFO, …), and tests each way to read it.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::*;

/// A folder with one of everything.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("file"), "12345678").unwrap();
    std::fs::write(at("empty"), "").unwrap();
    std::fs::create_dir(at("directory")).unwrap();
    symlink("file", at("link")).unwrap();
    symlink("/dev/zero", at("link to endless")).unwrap();
    symlink("fifo", at("link to fifo")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("circle", at("circle")).unwrap();
    fs::mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    fs::mknodat(CWD, at("socket"), FileType::Socket, Mode::from_raw_mode(0o666), 0).unwrap();
    File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
    dir
}

#[test]
fn only_a_regular_file_of_at_most_that_length_is_read_and_nothing_hangs() {
    let dir = folder();
    // The name, whether it is read as it stands, whether it is read through links.
    let rows = [
        ("file", true, true),
        ("empty", true, true),
        ("directory", false, false),
        ("link", false, true),
        ("link to endless", false, false),
        ("link to fifo", false, false),
        ("dangling", false, false),
        ("circle", false, false),
        ("fifo", false, false),
        ("socket", false, false),
        ("sparse", false, false),
        ("absent", false, false),
        ("file/below", false, false),
        ("/dev/zero", false, false),
        ("/dev/null", false, false),
        ("/proc/kmsg", false, false),
        ("/proc/self/environ", false, false),
    ];
    let start = Instant::now();
    let mut wrong = Vec::new();
    for (name, plain, named) in rows {
        let path = dir.path().join(name);
        let (one, other) = (read(&path, 8), read_named(&path, 8));
        if one.is_ok() != plain || other.is_ok() != named {
            wrong.push(format!("{name}: {one:?}, named: {other:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(start.elapsed() < Duration::from_secs(60), "something waited");
    assert!(read(&dir.path().join("file"), 7).is_err(), "a longer file is read");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_never_taken_half() {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("changing");
    let (one, other) = (vec![b'1'; 1 << 20], vec![b'2'; (1 << 20) + 1]);
    std::fs::write(&path, &one).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::fs::write(&path, &other).unwrap();
                std::fs::write(&path, &one).unwrap();
            }
        });
        let halves = (0..200).filter_map(|_| read(&path, 2 << 20).ok());
        let halves = halves.filter(|bytes| !bytes.is_empty() && *bytes != one && *bytes != other).count();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(halves, 0, "taken half");
    });
}

#[test]
fn a_file_of_secrets_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = folder();
    let path = dir.path().join("file");
    let rows =
        [(0o600, true), (0o400, true), (0o700, true), (0o640, false), (0o604, false), (0o620, false), (0o601, false)];
    let read = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        read_secret(&path, 8).is_ok()
    };
    let wrong: Vec<_> = rows.iter().filter(|(mode, right)| read(*mode) != *right).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
