//! Held sticky beside a peer with the app's uid that acts while root works: wrong bytes are never called right,
//! and the layer serves where root can't keep the cache. The long form is `just sticky`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test's helpers may fail where they stand, and tell figures"
)]

#[path = "support/app.rs"]
mod app;
mod support;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use support::canary::Canary;
use support::{PAIR, TREE, World, bytes_of, is_root, stderr};

/// A cache that is the root of a mount, and a tree of root's beside it that must not change.
struct Volume {
    world: World,
    canary: Canary,
}

impl Volume {
    fn new() -> Self {
        let world = World::new(&PAIR);
        fs::create_dir(world.path("volume")).unwrap();
        let mounted = Command::new("mount").arg("--bind").arg(world.path("volume")).arg(world.cache()).status();
        assert!(mounted.unwrap().success());
        let canary = Canary::plant(world.path("outside"));
        Self { world, canary }
    }

    /// Empties it, and gives it to the app; or leaves it as an earlier sticky boot has it.
    fn reset(&self, kept: bool) {
        for entry in fs::read_dir(self.world.cache()).unwrap().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
        let (uid, mode) = if kept { (0, 0o1775) } else { (app::UID, 0o755) };
        chown(self.world.cache(), Some(uid), Some(app::GID)).unwrap();
        fs::set_permissions(self.world.cache(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn boot(&self) -> Output {
        let report = self.world.report();
        let options = ["--hold", "sticky", "--lock-wait", "1", "--report", report.to_str().unwrap()];
        let read = format!("cat \"$MODEL_HOME\"/{TREE}/large.bin \"$MODEL_HOME\"/{TREE}/small.bin");
        let args = [&["run"][..], &options, &["--", "/bin/sh", "-c", &read]].concat();
        self.world.ballast(&args)
    }

    /// How the boot ended; a lie is an error.
    fn judge(&self, output: &Output) -> Result<Ended, String> {
        let told = self.world.told();
        let is = |key: &str, value: &str| (0..2).all(|at| told["weights"][at][key] == value);
        let right = output.stdout == PAIR.iter().flat_map(bytes_of).collect::<Vec<_>>();
        let from = told["served"]["from"].as_str().unwrap_or_default().to_owned();
        match (from.as_str(), right, is("firmness", "sticky")) {
            ("keep-volume", true, true) if output.status.success() => Ok(Ended::Sticky),
            ("baked", true, _) if output.status.success() => Ok(Ended::Layer),
            _ => Err(format!("served {from}, right bytes: {right}, report {}\n{}", told["weights"], stderr(output))),
        }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.world.cache()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Sticky,
    Layer,
}

/// The racer's own directory comes and goes under the first name on the way to the weights. Root sets it aside,
/// makes its own; the racer waits for a directory of root's that lacks the first weight, and writes that.
fn race(volume: &Path, stop: &AtomicBool) {
    let (name, away) = (volume.join(".deepface"), volume.join("away"));
    let _ = fs::create_dir_all(name.join("weights"));
    while !stop.load(Ordering::Relaxed) {
        if fs::rename(&name, &away).is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound) {
            let roots = fs::metadata(name.join("weights")).is_ok_and(|meta| meta.uid() == 0);
            if roots && name.join("weights/small.bin").exists() {
                let large = File::options().write(true).create_new(true).open(name.join("weights/large.bin"));
                let _ = large.and_then(|mut file| file.write_all(b"EVIL"));
            }
        }
        let _ = fs::rename(&away, &name);
    }
}

#[test]
fn an_aimed_racer_gets_no_wrong_byte_called_right_and_few_boots_from_the_volume() {
    if !is_root("an_aimed_racer") {
        return;
    }
    let boots = long_or(1000, 40);
    let volume = Volume::new();
    let (mut wrong, mut sticky) = (Vec::new(), 0);
    for turn in 0..boots {
        volume.reset(turn % 2 == 1);
        let stop = AtomicBool::new(false);
        let output = std::thread::scope(|scope| {
            scope.spawn(|| {
                app::become_app();
                race(&volume.world.cache(), &stop);
            });
            let output = volume.boot();
            stop.store(true, Ordering::Relaxed);
            output
        });
        match volume.judge(&output) {
            Ok(Ended::Sticky) => sticky += 1,
            Ok(Ended::Layer) => eprintln!("boot {turn}: {}", stderr(&output)),
            Err(why) => wrong.push(format!("boot {turn}: {why}")),
        }
    }
    eprintln!(
        "{boots} boots beside the aimed racer: {sticky} sticky, the layer served {}",
        boots - sticky - wrong.len()
    );
    wrong.extend(volume.canary.changes());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Of few boots one may be unlucky on a busy machine; of a thousand, ten.
    let most = if boots == 1000 { 10 } else { 2 };
    assert!(boots - sticky <= most, "only {sticky} of {boots} boots ended sticky");
}

/// The number of turns: the long form takes minutes, and runs where `BALLAST_STICKY` says `long`.
fn long_or(long: usize, short: usize) -> usize {
    if std::env::var_os("BALLAST_STICKY").is_some_and(|word| word == "long") { long } else { short }
}
