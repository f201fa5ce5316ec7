//! The baked layer on mounts of every kind: a read-only mount is a layer only if no other mount can write to the same files
//! through another one. A forged index there is not believed; a lock file there is not obeyed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{PAIR, TREE, World, bytes_of, is_root, pin_of, program, stderr, stdout};

/// How the layer is mounted at `baked`. The files are in `layer`, and the app owns them unless the set-up
/// changes that.
type Mount = (&'static str, &'static str, &'static str);

const BIND: &str = "mount --bind layer baked && mount -o remount,bind,ro baked";

const MOUNTS: &[Mount] = &[
    ("root's files", "chown -R 0:0 layer && mount --bind layer baked", "image-layer"),
    ("root's files, read-only", "chown -R 0:0 layer && $BIND", "image-layer"),
    ("the app's files", "mount --bind layer baked", "owned"),
    ("a bind mount of a volume that the app writes elsewhere", "$BIND", "owned"),
    (
        "an emptyDir that uid 100 filled",
        "mkdir ed && mount -t tmpfs tmpfs ed && cp -a layer/. ed/ && chown 0:0 ed && \
      chmod 1777 ed && mount --bind ed baked && mount -o remount,bind,ro baked",
        "owned",
    ),
    ("an image volume of one layer", "chmod -R a-w layer && $BIND", "owned"),
    (
        "an image volume of several layers",
        "mkdir low && mount -t overlay -o lowerdir=layer:low overlay baked",
        "image-layer",
    ),
    (
        "an overlay with an upper side, read-only",
        "mkdir up work && mount -t overlay -o ro,lowerdir=layer,upperdir=up,workdir=work \
      overlay baked",
        "owned",
    ),
    (
        "squashfs",
        "mksquashfs layer l.squash -quiet -no-progress >/dev/null && mount -o loop,ro l.squash baked",
        "image-layer",
    ),
];

/// Boots in a new mount namespace without a cache, so that the layer serves.
fn boot(world: &World, setup: &str) -> Output {
    let setup = setup.replace("$BIND", BIND);
    let nowhere = world.path("nowhere");
    fs::write(&nowhere, "no directory").unwrap();
    let read = format!("cat \"$MODEL_HOME\"/{TREE}/large.bin | head -c 4");
    let script = format!(
        "cd {} && mv baked layer && mkdir baked && chown -R 100:101 layer && {setup} && \
         exec \"$0\" run --seal off --store {} --report {} -- /bin/sh -c '{read}'",
        world.dir.path().display(),
        nowhere.display(),
        world.report().display()
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", &script]).arg(program());
    command.env("BALLAST_LOCK", world.lock()).output().unwrap()
}

#[test]
fn a_read_only_mount_is_a_layer_only_if_no_other_mount_writes_it() {
    if !is_root("a_read_only_mount_is_a_layer") {
        return;
    }
    let mut wrong = Vec::new();
    for (name, setup, expected) in MOUNTS {
        if *name == "squashfs"
            && !testkit::need::tool("a_read_only_mount_is_a_layer", "mksquashfs", "apt-get install squashfs-tools")
        {
            continue;
        }
        let world = World::new(&PAIR);
        let output = boot(&world, setup);
        let reported = if world.report().exists() { world.reported() } else { serde_json::Value::Null };
        let protection = reported["weights"][0]["firmness"].as_str().unwrap_or("none").to_owned();
        if protection != *expected || !output.status.success() {
            wrong.push(format!("{name}: expected {expected}, found {protection}\n{}", stderr(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A read-only root directory for the boot that contains the app's weights, as in a container with a
/// read-only root file system. `$MOUNT` may mount something over the weights.
const OWN_ROOT: &str = r#"
cd "$WORLD" && mkdir root && mount --bind root root && mkdir -p "root$WORLD" root/proc root/dev root/run
for dir in /usr /lib /lib64 /bin; do
    if [ -L $dir ]; then cp -P $dir root$dir; elif [ -d $dir ]; then mkdir root$dir && mount --bind $dir root$dir; fi
done
mount --rbind /proc root/proc && mount --bind /dev root/dev && mount -t tmpfs tmpfs root/run
cp "$0" root/ballast && cp weights.lock "root$WORLD" && touch "root$WORLD/nowhere"
mv baked "root$WORLD/baked" && chown -R 100:101 "root$WORLD/baked"
baked="root$WORLD/baked"; $MOUNT
mount -o remount,bind,ro root
exec chroot root /ballast run --seal off --lock "$WORLD/weights.lock" --store "$WORLD/nowhere" --report /run/report \
    -- /bin/sh -c 'cat /run/report'
"#;

#[test]
fn a_read_only_root_is_a_layer_where_the_weights_lie_on_the_mount_of_the_root_itself() {
    if !is_root("a_read_only_root_is_a_layer") {
        return;
    }
    let mut wrong = Vec::new();
    for (name, mount, expected) in [
        ("on the mount of the root", ":", "image-layer"),
        ("on another mount", "mount --bind $baked $baked && mount -o remount,bind,ro $baked", "owned"),
    ] {
        let world = World::new(&PAIR);
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-ec", &OWN_ROOT.replace("$MOUNT", mount)]);
        let output = command.arg(program()).env("WORLD", world.dir.path()).output().unwrap();
        let reported: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let found = |at: usize| reported["weights"][at]["firmness"].as_str();
        if (found(0), found(1), reported["served"]["from"].as_str()) != (Some(expected), Some(expected), Some("baked"))
        {
            wrong.push(format!("{name}: expected {expected}, found {reported}\n{}", stderr(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_forged_index_on_a_read_only_mount_gets_no_wrong_byte_called_right() {
    if !is_root("a_forged_index_on_a_read_only_mount") {
        return;
    }
    let mut wrong = Vec::new();
    for (owner, believed) in [("100:101", false), ("0:0", true)] {
        let world = World::new(&PAIR);
        let evil = vec![b'E'; PAIR[0].size];
        forge(&world, &evil);
        let setup = format!("chown -R {owner} layer && {BIND}");
        let output = boot(&world, &setup);
        let read_evil = stdout(&output) == "EEEE";
        // If root owns the forged index, it is trusted: so the forgery itself would work.
        if read_evil != believed || output.status.code() != Some(if believed { 0 } else { 14 }) {
            wrong.push(format!("{owner}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Writes other bytes under the first weight's name, and an index that lists their tree under the weight's
/// pin.
fn forge(world: &World, evil: &[u8]) {
    let other = World::new(&PAIR);
    let pin = pin_of(&bytes_of(&PAIR[0]));
    let lock = fs::read_to_string(other.lock()).unwrap();
    fs::write(other.lock(), lock.replace(&pin, &pin_of(evil))).unwrap();
    fs::write(other.path("source/large.bin"), evil).unwrap();
    let (from, to) = (other.path("source"), other.path("forged"));
    let baked = other.ballast(&["bake", "--from", from.to_str().unwrap(), to.to_str().unwrap()]);
    assert!(baked.status.success(), "{baked:?}");
    let bytes = fs::read(to.join(".ballast/weights.index")).unwrap();
    let (entries, _) = bytes.split_at(bytes.len() - 32);
    let forged = replaced(entries, &raw(&pin_of(evil)), &raw(&pin));
    let index = [forged.clone(), blake3::hash(&forged).as_bytes().to_vec()].concat();
    put(&world.baked().join(".ballast/weights.index"), &index);
    put(&world.baked().join(TREE).join("large.bin"), evil);
}

fn raw(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Replaces a pin in the entries and sorts them again, because the index is sorted by pin.
fn replaced(entries: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (head, mut rest) = entries.split_at(24);
    let mut all = Vec::new();
    while !rest.is_empty() {
        let size = u64::from_le_bytes(rest[32..40].try_into().unwrap());
        let len = 40 + 32 * size.div_ceil(1 << 20).max(1) as usize;
        let (entry, more) = rest.split_at(len);
        let entry = if entry.starts_with(from) { [to, &entry[32..]].concat() } else { entry.to_vec() };
        all.push(entry);
        rest = more;
    }
    all.sort();
    [head.to_vec(), all.concat()].concat()
}

fn put(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Tests the lock file in a directory with the links of a ConfigMap, made by root or by the app.
#[test]
fn a_lock_file_in_a_configmap_is_obeyed_and_one_that_uid_100_put_there_is_refused() {
    if !is_root("a_lock_file_in_a_configmap") {
        return;
    }
    let layout = "mkdir cm cm/..v1 && cp weights.lock cm/..v1/ && chmod 644 cm/..v1/weights.lock && ln -s ..v1 cm/..data && \
        ln -s ..data/weights.lock cm/weights.lock && chmod 755 cm/..v1";
    let rows = [
        ("0777, read-only", "chmod 777 cm", "ro", 0),
        ("1777, read-only", "chmod 1777 cm", "ro", 0),
        ("1777, writable", "chmod 1777 cm", "rw", 0),
        ("0777, writable", "chmod 777 cm", "rw", 11),
        ("uid 100's file, read-only", "chmod 777 cm && chown 100:101 cm/..v1/weights.lock", "ro", 11),
        ("uid 100's directory, read-only", "chmod 777 cm && chown 100:101 cm/..v1", "ro", 11),
        ("uid 100's volume, read-only", "chown -R 100:101 cm", "ro", 11),
        ("a file open to all, read-only", "chmod 777 cm && chmod 666 cm/..v1/weights.lock", "ro", 11),
        ("a directory open to all, read-only", "chmod 777 cm cm/..v1", "ro", 11),
    ];
    let mut wrong = Vec::new();
    for (name, owners, access, code) in rows {
        let world = World::new(&PAIR);
        let script = format!(
            "cd {} && {layout} && {owners} && mkdir at && mount --bind cm at && mount -o remount,bind,{access} at && \
             exec \"$0\" run --lock at/weights.lock --report {} -- /bin/true",
            world.dir.path().display(),
            world.report().display()
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", &script]).arg(program());
        let output = command.output().unwrap();
        if output.status.code() != Some(code) {
            wrong.push(format!("{name}: expected {code}, found {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
