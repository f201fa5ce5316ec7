//! Kills real processes, fills real file systems and cuts their power. A weight's name is always absent,
//! right, or unchanged, and the next boot repairs it.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]
#![expect(clippy::print_stderr, reason = "seeds and durations are for the reader of a failure")]

mod support;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{PAIR, TREE, Weight, World, bytes_of, is_root, program, stderr, stdout};
use testkit::random::Random;

const STARTS: [&str; 3] = ["missing", "one bit flipped", "truncated"];

/// Prepares the large weight's name before a boot and returns its bytes; the small weight is missing.
fn plant(world: &World, start: &str) -> Option<Vec<u8>> {
    fs::remove_dir_all(world.cache().join(".deepface")).ok();
    let mut bytes = bytes_of(&PAIR[0]);
    match start {
        "one bit flipped" => bytes[1_500_000] ^= 1,
        "truncated" => bytes.truncate(77_777),
        _ => return None,
    }
    let dir = world.cache().join(TREE);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("large.bin"), &bytes).unwrap();
    for path in ["", ".deepface", TREE, ".deepface/weights/large.bin"] {
        chown(world.cache().join(path), Some(100), Some(101)).unwrap();
    }
    Some(bytes)
}

/// Returns the weights that are neither absent, nor right, nor unchanged.
fn lies(cache: &Path, before: Option<&Vec<u8>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for weight in &PAIR {
        let Ok(found) = fs::read(cache.join(TREE).join(weight.name)) else { continue };
        let as_before = weight.name == "large.bin" && before == Some(&found);
        if found != bytes_of(weight) && !as_before {
            wrong.push(format!("{} has {} wrong bytes", weight.name, found.len()));
        }
    }
    wrong
}

/// Returns the names that a finished boot must not leave.
fn litter(cache: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(cache.join(TREE)) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".ballast-staged.")).collect()
}

fn converges(world: &World) -> Result<(), String> {
    let output = world.run(&[]);
    let right = world.all_right(&world.cache(), &PAIR);
    let left = litter(&world.cache());
    match output.status.success() && right && left.is_empty() && stdout(&output).starts_with("started 100:101") {
        true => Ok(()),
        false => Err(format!("the next boot does not converge: right {right}, left {left:?}\n{}", stderr(&output))),
    }
}

fn start(world: &World) -> Child {
    let report = world.path("killed.json");
    let args = ["run", "--report", report.to_str().unwrap(), "--", "/bin/true"];
    world.command(&args).stderr(Stdio::null()).spawn().unwrap()
}

/// Seeded times within a boot. The span shrinks if a boot ended before its time and grows otherwise, so that
/// the times stay within a boot on a busy machine too.
struct Moments {
    dice: Random,
    span: Duration,
}

impl Moments {
    fn new(test: &str, world: &World) -> Self {
        plant(world, "one bit flipped");
        let begin = Instant::now();
        assert!(start(world).wait().unwrap().success());
        Self { dice: Random::announced(test), span: begin.elapsed() }
    }

    /// Sleeps until the next time. The time is what the test varies, so it waits for no event.
    fn pass(&mut self) -> Duration {
        let moment = self.span.mul_f64(self.dice.part());
        std::thread::sleep(moment);
        moment
    }

    fn learn(&mut self, ended: bool) {
        self.span = self.span.mul_f64(if ended { 0.8 } else { 1.02 });
    }
}

#[test]
fn killed_at_two_hundred_seeded_moments() {
    let test = "killed_at_two_hundred_seeded_moments";
    if !is_root(test) {
        return;
    }
    let world = World::new(&PAIR);
    let (mut moments, mut wrong, mut killed, mut boots) = (Moments::new(test, &world), Vec::new(), 0, 0);
    while killed < 200 {
        let state = STARTS[boots % STARTS.len()];
        boots += 1;
        let before = plant(&world, state);
        let mut child = start(&world);
        let moment = moments.pass();
        child.kill().unwrap();
        let ended = child.wait().unwrap().signal() != Some(9);
        moments.learn(ended);
        killed += usize::from(!ended);
        wrong
            .extend(lies(&world.cache(), before.as_ref()).into_iter().map(|why| format!("{state}, {moment:?}: {why}")));
        if let Err(why) = converges(&world) {
            wrong.push(format!("{state}, {moment:?}: {why}"));
        }
    }
    eprintln!("{killed} of {boots} boots were killed before their end");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// System calls that change the disk, or follow such a call.
const CALLS: [&str; 15] = [
    "mkdirat",
    "openat2",
    "flock",
    "fallocate",
    "pwrite64",
    "sync_file_range",
    "fremovexattr",
    "fchmod",
    "fdatasync",
    "linkat",
    "renameat2",
    "renameat",
    "fsync",
    "unlinkat",
    "fchownat",
];

#[test]
fn killed_at_every_system_call_that_changes_something() {
    if !is_root("killed_at_every_system_call") {
        return;
    }
    let world = World::new(&PAIR);
    let (mut wrong, mut killed) = (Vec::new(), 0);
    for call in CALLS {
        for number in 1.. {
            let before = plant(&world, "one bit flipped");
            let output = strace(&world, &format!("{call}:signal=SIGKILL:when={number}"));
            if output.status.signal().is_none() && output.status.code() != Some(137) {
                break;
            }
            killed += 1;
            wrong
                .extend(lies(&world.cache(), before.as_ref()).into_iter().map(|why| format!("{call} {number}: {why}")));
            if let Err(why) = converges(&world) {
                wrong.push(format!("{call} {number}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(killed >= 30, "only {killed} calls were met");
}

fn strace(world: &World, inject: &str) -> std::process::Output {
    let call = inject.split(':').next().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qqq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
    strace.arg(format!("inject={inject}")).arg(program());
    strace.args(["run", "--report", world.report().to_str().unwrap(), "--", "/bin/true"]);
    strace.env("BALLAST_LOCK", world.lock()).output().unwrap()
}

/// A mounted file system, unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(at: &Path, options: &str) -> Self {
        run("mount", &["-t", "tmpfs", "-o", options, "tmpfs", at.to_str().unwrap()]);
        Self(at.to_owned())
    }

    fn image(image: &Path, at: &Path) -> Self {
        run("mount", &["-o", "loop", image.to_str().unwrap(), at.to_str().unwrap()]);
        Self(at.to_owned())
    }

    fn remount(&self, options: &str) {
        run("mount", &["-o", &format!("remount,{options}"), self.0.to_str().unwrap()]);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &[self.0.to_str().unwrap()]);
    }
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

fn ext4(image: &Path, bytes: u64, more: &[&str]) {
    File::create(image).unwrap().set_len(bytes).unwrap();
    let mut args = vec!["-q", "-F"];
    args.extend(more);
    args.push(image.to_str().unwrap());
    run("mkfs.ext4", &args);
}

/// Simulates a power cut of a mounted ext4: from now on no byte reaches the device, including the journal's.
fn cut_power(mounted: &Path) {
    const SHUTDOWN: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<u32>(b'X', 125);
    const WITHOUT_FLUSH: u32 = 2;
    let dir = File::open(mounted).unwrap();
    #[expect(unsafe_code, reason = "no safe call shuts a file system down")]
    // SAFETY: EXT4_IOC_SHUTDOWN reads one u32.
    unsafe { rustix::ioctl::ioctl(&dir, rustix::ioctl::Setter::<SHUTDOWN, u32>::new(WITHOUT_FLUSH)) }.unwrap();
}

/// Cuts the power at a seeded time, or after the boot's end; then the reported result must last.
#[test]
fn the_power_goes_at_seeded_moments_on_ext4() {
    let test = "the_power_goes_at_seeded_moments_on_ext4";
    if !is_root(test) {
        return;
    }
    let world = World::new(&PAIR);
    let (image, after) = (world.path("disk.ext4"), world.path("after"));
    fs::create_dir(&after).unwrap();
    ext4(&image, 24 << 20, &[]);
    let mut moments = Moments::new(test, &world);
    let (mut wrong, mut cut, mut boots) = (Vec::new(), 0, 0);
    while cut < 24 {
        let state = STARTS[boots % STARTS.len()];
        boots += 1;
        let mounted = Mount::image(&image, &world.cache());
        let before = plant(&world, state);
        run("sync", &["-f", world.cache().to_str().unwrap()]);
        let mut child = start(&world);
        let moment = moments.pass();
        if boots % 8 == 0 {
            child.wait().unwrap();
        }
        let ended = child.try_wait().unwrap().is_some();
        cut_power(&world.cache());
        child.kill().unwrap();
        child.wait().unwrap();
        drop(mounted);
        moments.learn(ended && boots % 8 != 0);
        cut += usize::from(!ended);
        let _mounted = Mount::image(&image, &after);
        wrong.extend(lies(&after, before.as_ref()).into_iter().map(|why| format!("{state}, {moment:?}: {why}")));
        if ended && !world.all_right(&after, &PAIR) {
            wrong.push(format!("{state}: the boot had ended, and what it reported did not last"));
        }
        let output = world.run(&["--store", after.to_str().unwrap()]);
        if !output.status.success() || !world.all_right(&after, &PAIR) {
            wrong.push(format!("{state}, {moment:?}: the next boot: {output:?}"));
        }
    }
    eprintln!("{cut} of {boots} boots were cut before their end");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks that no partial file is visible and the layer serves, and that the cache heals once there is room.
fn full_then_enlarged(world: &World, name: &str, enlarge: impl FnOnce(), wrong: &mut Vec<String>) {
    let output = world.run(&[]);
    let (layer, partial) = (world.baked(), lies(&world.cache(), None));
    if !stdout(&output).ends_with(layer.to_str().unwrap()) || !partial.is_empty() {
        wrong.push(format!("{name}, full: {partial:?}\n{output:?}"));
    }
    enlarge();
    let output = world.run(&[]);
    if !stdout(&output).ends_with(world.cache().to_str().unwrap()) || !world.all_right(&world.cache(), &PAIR) {
        wrong.push(format!("{name}, enlarged: {output:?}"));
    }
}

#[test]
fn without_space_or_inodes_nothing_partial_is_visible_and_with_room_it_heals() {
    if !is_root("without_space_or_inodes") {
        return;
    }
    let mut wrong = Vec::new();
    for (name, small, large) in [
        ("tmpfs without space", "size=1m,mode=755", "size=16m"),
        ("tmpfs without inodes", "nr_inodes=2,mode=755", "nr_inodes=100"),
        ("tmpfs with inodes for the directories alone", "nr_inodes=3,mode=755", "nr_inodes=100"),
    ] {
        let world = World::new(&PAIR);
        let mounted = Mount::tmpfs(&world.cache(), small);
        full_then_enlarged(&world, name, || mounted.remount(large), &mut wrong);
    }
    let filler = |world: &World| world.cache().join("filler");
    let fill = |world: &World| {
        let file = File::create(filler(world)).unwrap();
        for at in 0u64.. {
            if file.write_all_at(&[7; 65536], at << 16).is_err() {
                break;
            }
        }
    };
    let world = World::new(&PAIR);
    let image = world.path("disk.ext4");
    ext4(&image, 8 << 20, &["-m", "0"]);
    let mounted = Mount::image(&image, &world.cache());
    fill(&world);
    full_then_enlarged(&world, "ext4 without space", || fs::remove_file(filler(&world)).unwrap(), &mut wrong);
    drop(mounted);
    let world = World::new(&PAIR);
    let image = world.path("disk.ext4");
    ext4(&image, 8 << 20, &["-N", "16"]);
    let mounted = Mount::image(&image, &world.cache());
    let names: Vec<_> =
        (0..).map(|number| world.cache().join(format!("f{number}"))).take_while(|f| File::create(f).is_ok()).collect();
    assert!(!names.is_empty());
    let free = || names.iter().for_each(|name| fs::remove_file(name).unwrap());
    full_then_enlarged(&world, "ext4 without inodes", free, &mut wrong);
    drop(mounted);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_stop_signal_ends_a_boot_also_as_process_1() {
    if !is_root("a_stop_signal_ends_a_boot") {
        return;
    }
    for wrapper in [&["env"][..], &["unshare", "--pid", "--fork", "--kill-child"]] {
        let world = World::new(&PAIR);
        let locked = File::open(world.cache()).unwrap();
        rustix::fs::flock(&locked, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let report = world.report();
        let args = ["run", "--lock-wait", "60", "--report", report.to_str().unwrap(), "--", "/bin/true"];
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(program()).args(args).env("BALLAST_LOCK", world.lock()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let boot = waiting(&world, &mut child);
        let begin = Instant::now();
        run("kill", &["-TERM", &boot.to_string()]);
        let status = child.wait().unwrap();
        eprintln!("{}: SIGTERM to end {:?}", wrapper[0], begin.elapsed());
        let reported = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
        assert_eq!(reported, 143, "{}: {status:?}", wrapper[0]);
        assert_eq!(lies(&world.cache(), None), Vec::<String>::new());
    }
}

/// Waits until a process waits for the lock of this world's cache; returns its id.
fn waiting(world: &World, child: &mut Child) -> u32 {
    let cache = fs::canonicalize(world.cache()).unwrap();
    loop {
        assert!(child.try_wait().unwrap().is_none(), "the boot ended by itself");
        for pid in fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        {
            let holds = |fd: fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|to| to == cache);
            let ours = fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|fds| fds.flatten().any(holds));
            let sleeps = fs::read_to_string(format!("/proc/{pid}/syscall")).is_ok_and(|call| call.starts_with("230 "));
            if ours && sleeps && pid != std::process::id() {
                return pid;
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Prints how long the last sync takes if write-back was started during the copy; judges nothing.
#[test]
fn a_large_heal_is_ended_in_the_middle_and_its_syncs_are_printed() {
    if !is_root("a_large_heal_is_ended") {
        return;
    }
    let large = [Weight { name: "huge.bin", need: "required", size: 48 << 20, baked: true }];
    let world = World::new(&large);
    let trace = world.path("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-qqq", "-T", "-e", "trace=fdatasync", "-o"]).arg(&trace).arg(program());
    strace.args(["run", "--report", world.report().to_str().unwrap(), "--", "/bin/true"]);
    assert!(strace.env("BALLAST_LOCK", world.lock()).output().unwrap().status.success());
    eprintln!("fdatasync of 48 MiB: {}", fs::read_to_string(&trace).unwrap().trim());
    fs::remove_dir_all(world.cache().join(".deepface")).unwrap();
    let mut child = start(&world);
    let staged = || {
        let fds = fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter().flatten().flatten();
        fds.filter_map(|fd| fs::metadata(fd.path()).ok())
            .any(|meta| meta.len() == 48 << 20 && std::os::unix::fs::MetadataExt::nlink(&meta) == 0)
    };
    while !staged() && fs::metadata(world.cache().join(TREE).join("huge.bin")).is_err() {
        std::thread::yield_now();
    }
    let begin = Instant::now();
    run("kill", &["-TERM", &child.id().to_string()]);
    let status = child.wait().unwrap();
    eprintln!("SIGTERM in the middle of 48 MiB: {:?} to the end, {status:?}", begin.elapsed());
    let name = world.cache().join(TREE).join("huge.bin");
    assert!(fs::read(name).map_or(true, |bytes| bytes == bytes_of(&large[0])), "a wrong file is visible");
}
