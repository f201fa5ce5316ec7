//! Attacks by the environment of a boot, and what the command inherits: variables, roots, descriptors, umask,
//! a loader.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use nix::libc;

use crate::scene::{Scene, everywhere, set_acl};
use testkit::need;

use crate::support::{PAIR, TREE, World, is_root, program, stderr, stdout};

#[test]
fn attack_12_neither_command_line_nor_environment_makes_root_own_a_system_directory_over() {
    if !is_root("attack_12_roots") {
        return;
    }
    let world = World::new(&PAIR);
    let mut wrong = Vec::new();
    for root in [
        "/",
        "/etc",
        "/etc/ssl",
        "/usr",
        "/usr/bin",
        "/proc/1",
        "/sys",
        "/dev",
        "/dev/shm",
        "/run",
        "/var",
        "/lib",
        "/bin",
        "/home",
        "/root",
        "/srv/../etc",
    ] {
        let flag = world.command(&["heal", "--dry-run", "--store", root]).output().unwrap();
        let variable = world.command(&["heal", "--dry-run"]).env("BALLAST_STORE", root).output().unwrap();
        let text = fs::read_to_string(world.lock()).unwrap();
        let cache = format!("path = \"{}\"\n", world.cache().display());
        let lock = world.path("odd.lock");
        fs::write(&lock, text.replacen(&cache, &format!("path = \"{root}\"\n"), 1)).unwrap();
        let locked = world.command(&["heal", "--dry-run", "--lock", lock.to_str().unwrap()]).output().unwrap();
        let codes = [&flag, &variable, &locked].map(|output| output.status.code());
        if codes != [Some(2), Some(2), Some(10)] {
            wrong.push(format!("{root}: {codes:?}\n{}", stderr(&flag)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn attack_12_a_hostile_environment_chooses_neither_paths_nor_programs() {
    everywhere("attack_12_environment", |hold| {
        let scene = Scene::new();
        let etc = scene.outside("etc");
        let mut timeout = Command::new("timeout");
        for name in ["MODEL_HOME", "HOME", "TMPDIR", "DEEPFACE_HOME", "XDG_CACHE_HOME", "HOSTALIASES", "LOCPATH", "PWD"]
        {
            timeout.env(name, &etc);
        }
        timeout.env("PATH", format!("/usr/bin:/bin:{}", etc.display())).env("RUST_BACKTRACE", "full");
        timeout.env("GLIBC_TUNABLES", "glibc.malloc.check=3").env("LANG", "../../etc").env("IFS", "/");
        let output = scene.boot_by(&mut timeout, hold, &[], "echo \"started $(id -u):$(id -g) $MODEL_HOME\"");
        scene.judge(&output)
    });
}

#[test]
fn attack_13_and_14_the_command_inherits_no_descriptor_and_no_privilege() {
    everywhere("attack_13_and_14", |hold| {
        let scene = Scene::new();
        let secret = File::open(scene.outside("etc/shadow")).unwrap();
        let leaked = secret.as_raw_fd();
        let script = "ls -l /proc/self/fd | grep -c etc/shadow; grep -E '^(Uid|Gid|Groups|Cap)' /proc/self/status";
        let mut timeout = Command::new("timeout");
        #[expect(unsafe_code, reason = "a leaked descriptor is one without close-on-exec")]
        // SAFETY: fcntl is safe between fork and exec.
        unsafe {
            use std::os::unix::process::CommandExt;
            timeout.pre_exec(move || {
                libc::fcntl(leaked, libc::F_SETFD, 0);
                Ok(())
            });
        }
        let output = scene.boot_by(&mut timeout, hold, &[], script);
        let answer = stdout(&output);
        let lines: Vec<&str> = answer.lines().collect();
        let mut wrong = scene.canary.changes();
        let ids = ["Uid:\t100\t100\t100\t100", "Gid:\t101\t101\t101\t101"];
        let no_capability =
            lines.iter().filter(|line| line.starts_with("Cap")).all(|line| line.ends_with("0000000000000000"));
        if lines.first() != Some(&"0") || !ids.iter().all(|id| lines.contains(id)) || !no_capability {
            wrong.push(answer.clone());
        }
        wrong
    });
}

#[test]
fn attack_15_umask_and_inherited_access_lists_decide_no_mode() {
    everywhere("attack_15", |hold| {
        let mut wrong = Vec::new();
        for umask in ["0777", "0077", "0000"] {
            let scene = Scene::new();
            set_acl(&scene.world.cache(), "system.posix_acl_default", 7, 7);
            let run = format!(
                "umask {umask}; exec {} run --hold {hold} --report {} -- /bin/sh -c umask",
                program().display(),
                scene.world.report().display()
            );
            let output =
                Command::new("/bin/sh").args(["-c", &run]).env("BALLAST_LOCK", scene.world.lock()).output().unwrap();
            let (file, dir) = if hold == "sticky" { (0o444, 0o1775) } else { (0o644, 0o755) };
            for (path, expected) in [(".deepface", dir), (TREE, dir), (".deepface/weights/large.bin", file)] {
                let path = scene.world.cache().join(path);
                let mode = fs::metadata(&path).map(|meta| meta.mode() & 0o7777);
                let listed = acl_names(&path);
                if mode.as_ref().ok() != Some(&expected) || !listed.is_empty() {
                    wrong.push(format!("umask {umask}: {}: {mode:?}, {listed:?}\n{}", path.display(), stderr(&output)));
                }
            }
            if stdout(&output) != umask {
                wrong.push(format!("umask {umask}: the command found {}", stdout(&output)));
            }
            wrong.extend(scene.canary.changes());
        }
        wrong
    });
}

/// Returns the access lists of a path.
fn acl_names(path: &Path) -> Vec<&'static str> {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let has = |name: &&str| rustix::fs::getxattr(&path, *name, &mut [0u8; 256][..]).is_ok();
    ["system.posix_acl_access", "system.posix_acl_default"].into_iter().filter(has).collect()
}

/// LD_PRELOAD acts on the dynamic loader, which a static program does not use.
#[test]
fn attack_12_a_preloaded_object_is_loaded_by_no_static_build() {
    if !is_root("attack_12_preload") {
        return;
    }
    let Some(built) = need::static_program("attack_12_preload", "entrypoint") else { return };
    let scene = Scene::new();
    let (source, object, mark) = (scene.world.path("evil.c"), scene.world.path("evil.so"), scene.world.path("mark"));
    let code = format!(
        "#include <stdio.h>\n__attribute__((constructor)) static void evil(void) {{ FILE *f = fopen(\"{}\", \"a\"); \
         FILE *p = fopen(\"/proc/self/comm\", \"r\"); char name[64] = \"\"; fgets(name, 64, p); fputs(name, f); fclose(f); }}\n",
        mark.display()
    );
    File::create(&source).unwrap().write_all(code.as_bytes()).unwrap();
    let cc = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&object, &source]).status().unwrap();
    assert!(cc.success());
    File::create(&mark).unwrap().set_permissions(fs::Permissions::from_mode(0o666)).unwrap();
    let report = scene.world.report();
    let args = ["run", "--report", report.to_str().unwrap(), "--", "/bin/true"];
    let output = Command::new(&built)
        .args(args)
        .env("BALLAST_LOCK", scene.world.lock())
        .env("LD_PRELOAD", &object)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let loaded = fs::read_to_string(&mark).unwrap();
    assert_eq!(loaded, "true\n", "only the command, which is dynamic, may have loaded it");
}
