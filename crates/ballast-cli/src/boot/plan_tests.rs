use super::*;

const APP: Ids = Ids { uid: 100, gid: 101 };
const ROOT: Ids = Ids { uid: 0, gid: 0 };
const ALL: Caps = Caps { chown: true, dac_override: true, fowner: true, setuid: true, setgid: true };
const NONE: Caps = Caps { chown: false, dac_override: false, fowner: false, setuid: false, setgid: false };
const THREE: Caps = Caps { chown: true, setuid: true, setgid: true, ..NONE };
const TWO: Caps = Caps { setuid: true, setgid: true, ..NONE };

fn facts(ids: Ids, caps: Caps, volume: Volume) -> Facts {
    Facts {
        who: Who { ids, groups: vec![], caps, no_new_privs: true },
        app: Some(App { ids: APP, explicit: false, mapped: true }),
        app_groups: vec![],
        volume,
        baked: true,
        can_repoint: true,
        bytes: 106 << 20,
        memory_limit: None,
    }
}

fn disk(owner: Ids, mode: u32) -> Volume {
    Volume::Present(VolumeFacts { owner, mode, fs: Fs::Durable, read_only: false, mount_point: true, free: None })
}

fn on(fs: Fs, mount_point: bool) -> Volume {
    Volume::Present(VolumeFacts { owner: ROOT, mode: 0o755, fs, read_only: false, mount_point, free: None })
}

fn read_only() -> Volume {
    Volume::Present(VolumeFacts {
        owner: ROOT,
        mode: 0o755,
        fs: Fs::Durable,
        read_only: true,
        mount_point: true,
        free: None,
    })
}

fn shape(plan: Result<Plan, Refusal>) -> String {
    match plan {
        Err(Refusal::CannotDrop { .. }) => "cannot-drop".into(),
        Err(Refusal::CannotBecome { .. }) => "cannot-become".into(),
        Err(Refusal::NotMapped { .. }) => "not-mapped".into(),
        Ok(plan) => {
            let mut words = Vec::new();
            words.extend(plan.hand_over.map(|_| "hand-over".to_owned()));
            words.extend(plan.drop_to.map(|ids| format!("drop {}:{}", ids.uid, ids.gid)));
            words.extend(plan.serve.iter().map(|serve| format!("{serve:?}")));
            words.join(", ")
        }
    }
}

/// The rows are those of the scenario table; the letters are its own.
#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row for each case")]
fn every_privilege_and_every_volume_has_one_defined_order_of_attempts() {
    let plain = Ids { uid: 1_000_650_000, gid: 0 };
    let small = |volume| Facts { memory_limit: Some(64 << 20), ..facts(ROOT, THREE, volume) };
    let gid = |gid| Ids { uid: 0, gid };
    let unmapped = |f: Facts| Facts { app: f.app.map(|app| App { mapped: false, ..app }), ..f };
    let in_groups = |groups: &[u32], f: Facts| Facts { app_groups: groups.to_vec(), ..f };
    let with_free = |free, caps| {
        let Volume::Present(volume) = disk(ROOT, 0o755) else { unreachable!() };
        facts(ROOT, caps, Volume::Present(VolumeFacts { free: Some(free), ..volume }))
    };
    let explicit = |f: Facts| Facts { app: Some(App { ids: APP, explicit: true, mapped: true }), ..f };
    let rows: Vec<(&str, Facts, &str)> = vec![
        (
            "a all capabilities, root's volume",
            facts(ROOT, ALL, disk(ROOT, 0o755)),
            "hand-over, drop 100:101, HealVolume, Baked",
        ),
        ("b root, no capability", facts(ROOT, NONE, disk(ROOT, 0o755)), "cannot-drop"),
        ("b root, only SETUID", facts(ROOT, Caps { setuid: true, ..NONE }, disk(ROOT, 0o755)), "cannot-drop"),
        (
            "c three capabilities, root's volume",
            facts(ROOT, THREE, disk(ROOT, 0o755)),
            "hand-over, drop 100:101, HealVolume, Baked",
        ),
        (
            "c three capabilities, stranger's volume",
            facts(ROOT, THREE, disk(Ids { uid: 7, gid: 7 }, 0o700)),
            "hand-over, drop 100:101, HealVolume, Baked",
        ),
        ("c2 two capabilities, app's volume", facts(ROOT, TWO, disk(APP, 0o755)), "drop 100:101, HealVolume, Baked"),
        (
            "c2 two capabilities, root's volume: the kernel will refuse",
            facts(ROOT, TWO, disk(ROOT, 0o755)),
            "hand-over, drop 100:101, HealVolume, Baked",
        ),
        ("d the app itself, its volume", facts(APP, NONE, disk(APP, 0o755)), "HealVolume, Baked"),
        ("d the app itself, root's volume", facts(APP, NONE, disk(ROOT, 0o755)), "HealVolume, Baked"),
        ("d the app itself, by --user", explicit(facts(APP, NONE, disk(APP, 0o755))), "HealVolume, Baked"),
        (
            "root, by --user: its groups are set anew",
            Facts { app: Some(App { ids: ROOT, explicit: true, mapped: true }), ..facts(ROOT, ALL, disk(ROOT, 0o755)) },
            "drop 0:0, HealVolume, Baked",
        ),
        ("e arbitrary uid", facts(plain, NONE, disk(ROOT, 0o775)), "HealVolume, Baked"),
        ("e arbitrary uid, another one by --user", explicit(facts(plain, NONE, disk(ROOT, 0o775))), "cannot-become"),
        ("f read-only cache", facts(ROOT, THREE, read_only()), "drop 100:101, VerifyVolume, Baked"),
        (
            "g tmpfs mounted as the cache",
            facts(ROOT, THREE, on(Fs::Memory, true)),
            "hand-over, drop 100:101, HealVolume, Baked",
        ),
        (
            "n no volume, /tmp is tmpfs",
            facts(ROOT, THREE, Volume::Absent { fs: Fs::Memory }),
            "drop 100:101, Baked, HealVolume",
        ),
        ("n no volume, 64 MB of memory", small(Volume::Absent { fs: Fs::Memory }), "drop 100:101, Baked"),
        ("n a plain directory in tmpfs", facts(ROOT, THREE, on(Fs::Memory, false)), "drop 100:101, Baked, HealVolume"),
        ("n tmpfs as cache, 64 MB of memory", small(on(Fs::Memory, true)), "drop 100:101, Baked, VerifyVolume"),
        ("n the container's own layer", facts(ROOT, THREE, on(Fs::Overlay, false)), "drop 100:101, Baked, HealVolume"),
        ("a directory to be made on a disk", facts(APP, NONE, Volume::Absent { fs: Fs::Durable }), "HealVolume, Baked"),
        ("a file in the cache's place", facts(APP, NONE, Volume::Unusable { errno: 20 }), "Baked"),
        (
            "a, again: the app's volume stays as it is",
            facts(ROOT, ALL, disk(APP, 0o755)),
            "drop 100:101, HealVolume, Baked",
        ),
        ("b root, only SETGID", facts(ROOT, Caps { setgid: true, ..NONE }, disk(APP, 0o755)), "cannot-drop"),
        ("b root, only CHOWN", facts(ROOT, Caps { chown: true, ..NONE }, disk(APP, 0o755)), "cannot-drop"),
        ("b root, no capability, no volume", facts(ROOT, NONE, Volume::Absent { fs: Fs::Memory }), "cannot-drop"),
        ("b root, no capability, read-only cache", facts(ROOT, NONE, read_only()), "cannot-drop"),
        ("c the volume is everybody's", facts(ROOT, THREE, disk(ROOT, 0o1777)), "drop 100:101, HealVolume, Baked"),
        ("c the volume is its group's", facts(ROOT, THREE, disk(gid(101), 0o775)), "drop 100:101, HealVolume, Baked"),
        (
            "c the volume is a group's that the app is in (fsGroup)",
            in_groups(&[2000], facts(ROOT, THREE, disk(gid(2000), 0o2775))),
            "drop 100:101, HealVolume, Baked",
        ),
        (
            "c the volume is a group's that the app is not in",
            in_groups(&[2001], facts(ROOT, THREE, disk(gid(2000), 0o2775))),
            "hand-over, drop 100:101, HealVolume, Baked",
        ),
        (
            "c the app's own volume, which it made unwritable to itself",
            facts(ROOT, THREE, disk(APP, 0o577)),
            "hand-over, drop 100:101, HealVolume, Baked",
        ),
        ("e arbitrary uid, volume 0755", facts(plain, NONE, disk(ROOT, 0o755)), "HealVolume, Baked"),
        ("f read-only cache, the app itself", facts(APP, NONE, read_only()), "VerifyVolume, Baked"),
        ("f read-only cache, no baked layer", Facts { baked: false, ..facts(APP, NONE, read_only()) }, "VerifyVolume"),
        (
            "g less free space than weights: tried, then the layer",
            with_free(50 << 20, THREE),
            "hand-over, drop 100:101, HealVolume, Baked",
        ),
        (
            "g no free space at all: what is there may still be right",
            with_free(0, THREE),
            "hand-over, drop 100:101, HealVolume, Baked",
        ),
        ("l rootless, the app's ids not in the namespace", unmapped(facts(ROOT, ALL, disk(ROOT, 0o755))), "not-mapped"),
        (
            "l keep-id: a plain user, the lock file's owner not in the namespace",
            unmapped(facts(Ids { uid: 1000, gid: 1000 }, NONE, disk(ROOT, 0o755))),
            "HealVolume, Baked",
        ),
        (
            "l a user by --user who is not in the namespace",
            unmapped(explicit(facts(plain, TWO, disk(ROOT, 0o755)))),
            "not-mapped",
        ),
        ("m the image's own owner on the volume", facts(APP, NONE, disk(APP, 0o755)), "HealVolume, Baked"),
        (
            "n no volume, 64 MB of memory, the app itself",
            Facts { memory_limit: Some(64 << 20), ..facts(APP, NONE, Volume::Absent { fs: Fs::Memory }) },
            "Baked",
        ),
        (
            "n no volume, memory to spare, no baked layer",
            Facts { baked: false, ..facts(APP, NONE, Volume::Absent { fs: Fs::Memory }) },
            "HealVolume",
        ),
        (
            "n the container's own layer, the cache absent",
            facts(APP, NONE, Volume::Absent { fs: Fs::Overlay }),
            "Baked, HealVolume",
        ),
        (
            "q a mount root that is root's and sticky",
            facts(ROOT, THREE, disk(gid(101), 0o1775)),
            "drop 100:101, HealVolume, Baked",
        ),
        ("no app named: stay root", Facts { app: None, ..facts(ROOT, ALL, disk(ROOT, 0o755)) }, "HealVolume, Baked"),
        ("no baked layer", Facts { baked: false, ..facts(APP, NONE, disk(APP, 0o755)) }, "HealVolume"),
        ("no variable to point with", Facts { can_repoint: false, ..facts(APP, NONE, disk(APP, 0o755)) }, "HealVolume"),
    ];
    let wrong: Vec<_> = rows
        .iter()
        .map(|(name, facts, expected)| (name, expected, shape(plan(facts, CacheOwner::App))))
        .filter(|(_, expected, found)| **expected != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sticky_lets_root_heal_and_hands_nothing_over() {
    let rows = [
        (facts(ROOT, ALL, disk(ROOT, 0o755)), "drop 100:101, RootOwnedVolume, Baked"),
        (facts(ROOT, THREE, read_only()), "drop 100:101, VerifyVolume, Baked"),
        (facts(APP, NONE, disk(APP, 0o755)), "HealVolume, Baked"),
    ];
    let wrong: Vec<_> = rows
        .iter()
        .map(|(f, expected)| (expected, shape(plan(f, CacheOwner::Root))))
        .filter(|(e, f)| **e != f)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_plan_ever_runs_the_command_as_root_when_an_app_is_named() {
    for bits in 0..32u8 {
        let caps = Caps {
            chown: bits & 1 != 0,
            dac_override: bits & 2 != 0,
            fowner: bits & 4 != 0,
            setuid: bits & 8 != 0,
            setgid: bits & 16 != 0,
        };
        let outcome = plan(&facts(ROOT, caps, disk(ROOT, 0o755)), CacheOwner::App);
        assert!(outcome.is_err() || outcome.is_ok_and(|plan| plan.drop_to == Some(APP)), "{caps:?}");
    }
}
