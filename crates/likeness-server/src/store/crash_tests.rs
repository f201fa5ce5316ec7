//! Kills processes and cuts the power during enrolments and a rotation. Acknowledged data must be stored, and no data
//! may be stored partly.
//!
//! The killed process is this test program, run with only the test `driver`.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr as _;
use std::time::Instant;

use super::sqlite_tests::{Mount, may_mount, run};
use super::suite::{NEW, NOW, Place, enroll, enrollment, fresh, subject, tenant};
use super::*;

/// The variable with the driver's order: `FROM TO` (enrolments), `rotate`, `export ARCHIVE KEY` or `import
/// ARCHIVE KEY`, and the store.
const ORDER: &str = "LIKENESS_STORE_DRIVER";

#[test]
#[ignore = "the process that other tests end; does nothing by itself"]
fn driver() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let words: Vec<&str> = order.split(' ').collect();
    let (location, key_file) = (Location::from_str(words[0]).unwrap(), Path::new(words[1]));
    let store = Store::open(&location, key_file, Purpose::Manage).unwrap();
    let mut out = std::io::stdout();
    match words[2] {
        "rotate" => {
            store.rotate(key_file).unwrap();
            out.write_all(b"rotated\n").unwrap();
        }
        "export" => {
            store.export(&mut store.archive(Path::new(words[3]), Path::new(words[4])).unwrap(), NOW).unwrap();
        }
        "import" => {
            let keys = archive_keys(Path::new(words[3]), Path::new(words[4])).unwrap();
            let done = store.import(&mut Archive::open(Path::new(words[3]), &keys).unwrap(), NOW).unwrap();
            out.write_all(format!("imported {} and {}\n", done.stored, done.already).as_bytes()).unwrap();
        }
        from => {
            let (from, to) = (from.parse::<u64>().unwrap(), words[3].parse().unwrap());
            for seed in from..to {
                let (tenant, subject) = (tenant(), subject(&format!("p{seed}")));
                let outcome = store.enroll(&enrollment(&tenant, &subject, vec![fresh(seed, 80.0)], NEW)).unwrap();
                // The killed run may have stored this person without acknowledging it.
                assert!(seed == from || outcome.templates() == Some(1), "{outcome:?}");
                out.write_all(format!("stored {seed}\n").as_bytes()).unwrap();
            }
        }
    }
}

/// Starts the driver.
pub fn drive(place: &Place, order: &str, wrapper: &[&str]) -> Child {
    let location = match &place.location {
        Location::Sqlite(path) => format!("sqlite:{}", path.display()),
        Location::Postgres(url) => url.clone(),
    };
    let this = std::env::current_exe().unwrap();
    let mut words = wrapper.iter().map(std::ffi::OsStr::new).chain([this.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["store::crash_tests::driver", "--exact", "--ignored", "--nocapture"]);
    command.env(ORDER, format!("{location} {} {order}", place.key_file.display()));
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// A random sequence that is the same in each run.
pub struct Dice(pub u64);

impl Dice {
    /// Returns a number from 0 to 1.
    pub fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

/// Returns the last person that the driver acknowledged before it was killed.
fn acknowledged(child: &mut Child) -> Option<u64> {
    last_stored(BufReader::new(child.stdout.take().unwrap()).lines())
}

fn last_stored(lines: impl Iterator<Item = std::io::Result<String>>) -> Option<u64> {
    // The test harness writes on the same line as the driver's first output.
    lines.map_while(std::result::Result::ok).filter_map(|line| line.rsplit_once("stored ")?.1.parse().ok()).last()
}

/// Checks that every person up to this number is stored, bit for bit, and at most one more.
fn whole(store: &Store, up_to: u64) -> std::result::Result<u64, String> {
    let checked = store.check().map_err(|error| error.to_string())?;
    if !checked.unreadable.is_empty() || checked.persons < up_to || checked.persons > up_to + 1 {
        return Err(format!("{up_to} were acknowledged: {checked:?}"));
    }
    for seed in 0..up_to {
        let person = store.load(&tenant(), &subject(&format!("p{seed}")), NOW).map_err(|error| error.to_string())?;
        if person.map(|person| person.templates[0].data.clone()) != Some(fresh(seed, 80.0)) {
            return Err(format!("p{seed} was acknowledged and is not what was enrolled"));
        }
    }
    Ok(checked.persons)
}

#[test]
fn killed_again_and_again_during_500_enrolments() {
    let place = Place::sqlite();
    place.store();
    let (mut dice, mut next, mut killed, mut wrong) = (Dice(0x5EED), 0, 0, Vec::new());
    while next < 500 {
        let mut child = drive(&place, &format!("{next} 500"), &[]);
        // Kill after this number of lines, including the harness's own. Lines, unlike time, do not depend on
        // the speed of the machine.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let before: Vec<_> = lines.by_ref().take((dice.roll() * 90.0) as usize).collect();
        killed += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        let stored = last_stored(before.into_iter().chain(lines));
        child.wait().unwrap();
        let up_to = stored.map_or(next, |last| last + 1);
        match whole(&place.store(), up_to) {
            Ok(persons) => next = persons,
            Err(why) => {
                wrong.push(why);
                break;
            }
        }
    }
    let mut out = std::io::stderr();
    writeln!(out, "{killed} processes were killed during 500 enrolments").unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(killed >= 3, "only {killed} were still running");
}

#[test]
fn the_power_goes_during_enrolments_on_ext4() {
    if !may_mount("the_power_goes_during_enrolments") {
        return;
    }
    let place = Place::sqlite();
    let (image, copy, data) =
        (place.dir.path().join("disk"), place.dir.path().join("copy"), place.dir.path().join("data"));
    fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
    run("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()]);
    run("mount", &["-o", "loop", image.to_str().unwrap(), data.to_str().unwrap()]);
    let mounted = Mount(data);
    place.store();
    let after = Place::sqlite();
    let after = Place { key_file: place.key_file.clone(), ..after };
    let (mut dice, mut next, mut cut, mut wrong) = (Dice(0xC07), 0, 0, Vec::new());
    for _ in 0..8 {
        let mut child = drive(&place, &format!("{next} 100000"), &[]);
        std::thread::sleep(Duration::from_secs_f64(0.1 + dice.roll() * 0.3));
        run("kill", &["-STOP", &child.id().to_string()]);
        // The next boot finds what had reached the device when the process stopped.
        fs::copy(&image, &copy).unwrap();
        child.kill().unwrap();
        let stored = acknowledged(&mut child);
        child.wait().unwrap();
        let up_to = stored.map_or(next, |last| last + 1);
        cut += usize::from(up_to > next);
        run("mount", &["-o", "loop", copy.to_str().unwrap(), after.dir.path().join("data").to_str().unwrap()]);
        let mounted = Mount(after.dir.path().join("data"));
        let found = Store::open(&after.location, &after.key_file, Purpose::Manage)
            .map_err(|error| error.to_string())
            .and_then(|store| whole(&store, up_to));
        wrong.extend(found.err());
        drop(mounted);
        next = place.store().check().unwrap().persons;
    }
    drop(mounted);
    writeln!(std::io::stderr(), "{cut} of 8 cuts came after new enrolments; {next} were made").unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(cut >= 4, "only {cut} cuts came after new enrolments");
}

#[test]
fn each_enrolment_is_synced_before_it_is_acknowledged() {
    let place = Place::sqlite();
    place.store();
    let trace = place.dir.path().join("trace");
    let wrapper = ["strace", "-f", "-y", "-qqq", "-e", "trace=fdatasync,fsync,write", "-o", trace.to_str().unwrap()];
    let status = drive(&place, "0 20", &wrapper).wait().unwrap();
    assert!(status.success(), "{status:?}");
    let (mut synced, mut answers, mut early) = (false, 0, Vec::new());
    for line in fs::read_to_string(&trace).unwrap().lines() {
        if line.contains("sync(") && line.contains("store.db-wal") && line.ends_with("= 0") {
            synced = true;
        }
        if line.contains("write(1") && line.contains("stored ") {
            answers += 1;
            early.extend((!synced).then(|| line.to_owned()));
            synced = false;
        }
    }
    assert_eq!((answers, early), (20, vec![]));
}

#[test]
fn a_rotation_killed_anywhere_goes_on_while_a_server_enrols() {
    if !testkit::need::time("a_rotation_killed_anywhere_goes_on_while_a_server_enrols") {
        return;
    }
    let place = Place::sqlite();
    place.store();
    let server = Store::open(&place.location, &place.key_file, Purpose::Serve).unwrap();
    for seed in 0..3000 {
        enroll(&server, &format!("p{seed}"), seed);
    }
    let old = place.dir.path().join("old.key");
    fs::copy(&place.key_file, &old).unwrap();
    let (mut dice, mut killed, mut mixed, mut seed) = (Dice(0xBEE), 0, 0, 3000);
    let until = Instant::now() + Duration::from_secs(400);
    // The delays grow until the rotation ends by itself, whatever the speed of the machine.
    let mut longer = 0.004;
    loop {
        assert!(Instant::now() < until, "it never ended");
        let life = format!("{:.4}", longer * (1.0 + dice.roll()));
        longer *= 1.25;
        let mut child = drive(&place, "rotate", &["timeout", "--signal=KILL", &life]);
        // Meanwhile the server enrols and loads without an error.
        while child.try_wait().unwrap().is_none() {
            enroll(&server, &format!("p{seed}"), seed);
            let earlier = subject(&format!("p{}", seed * 7 % 3000));
            assert!(server.load(&tenant(), &earlier, NOW).unwrap().is_some());
            seed += 1;
        }
        let ended = child.wait().unwrap().success();
        killed += usize::from(!ended);
        let checked = place.store().check().unwrap();
        assert_eq!((checked.persons, checked.unreadable.len()), (seed, 0), "mixed or not, everybody opens");
        mixed += usize::from(checked.former_key > 0 && checked.former_key < checked.persons);
        if ended {
            assert_eq!(checked.former_key, 0);
            break;
        }
    }
    writeln!(std::io::stderr(), "{killed} rotations were killed, {mixed} of them in the middle; {seed} persons")
        .unwrap();
    assert!(killed >= 2, "only {killed} were still running");
    let refused = Store::open(&place.location, &old, Purpose::Manage).err().map(|error| error.kind);
    assert_eq!(refused, Some(Kind::WrongKey), "the old key opens nothing");
}
