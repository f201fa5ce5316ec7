//! The table of layouts: whose directories lead to the one that root would change.

use ballast::disk::Kind;

use super::*;

const APP: Ids = Ids { uid: 100, gid: 101 };

fn dir(uid: u32, gid: u32, mode: u32) -> Component {
    let stat = Stat { kind: Kind::Directory, size: 0, uid, gid, mode, links: 2, id: (1, 1), mtime_ns: 0, ctime_ns: 0 };
    Component { stat, mount_root: false }
}

fn mount(uid: u32, gid: u32, mode: u32) -> Component {
    Component { mount_root: true, ..dir(uid, gid, mode) }
}

/// Whether the lock file names the directory, and whether the environment does.
type Row<'a> = (&'a str, Vec<Component>, Result<Permit, Denial>, Result<Permit, Denial>);

#[test]
fn root_changes_a_mount_root_the_apps_own_or_its_own_on_a_path_that_the_app_cannot_change() {
    use Permit::{AppOwned, MountRoot, RootPath};
    let root = dir(0, 0, 0o755);
    let tmp = dir(0, 0, 0o1777);
    let own = dir(100, 101, 0o755);
    let secret = dir(0, 0, 0o700);
    let foreign = Err(Denial::NotNamedByLock { uid: 0 });
    let postgres = (Err(Denial::NotRoots { uid: 999 }), Err(Denial::NotNamedByLock { uid: 999 }));
    let below = |at| Err(Denial::Replaceable { at });
    let rows: Vec<Row> = vec![
        ("a volume of root's", vec![root, mount(0, 0, 0o755)], Ok(MountRoot), Ok(MountRoot)),
        (
            "root's volume below a sticky tmpfs",
            vec![root, mount(0, 0, 0o1777), mount(0, 0, 0o755)],
            Ok(MountRoot),
            Ok(MountRoot),
        ),
        ("a volume of a drifted uid", vec![root, tmp, mount(999, 999, 0o755)], Ok(MountRoot), Ok(MountRoot)),
        ("a volume below the app's directory", vec![root, own, mount(0, 0, 0o755)], Ok(MountRoot), Ok(MountRoot)),
        ("a volume on a volume", vec![root, mount(100, 101, 0o755), mount(0, 0, 0o700)], Ok(MountRoot), Ok(MountRoot)),
        ("a directory below a nested mount's root", vec![root, mount(0, 0, 0o755), root], Ok(RootPath), foreign),
        ("a directory below the app's mount", vec![root, mount(100, 101, 0o755), secret], below(2), foreign),
        ("the app's directory", vec![root, own], Ok(AppOwned), Ok(AppOwned)),
        ("the app's directory in the app's", vec![root, own, own], Ok(AppOwned), Ok(AppOwned)),
        ("the app's directory in another service's", vec![root, dir(999, 999, 0o777), own], Ok(AppOwned), Ok(AppOwned)),
        ("root's secret in the app's directory", vec![root, own, secret], below(2), foreign),
        (
            "another service's secret in the app's directory",
            vec![root, own, dir(999, 999, 0o700)],
            postgres.0,
            postgres.1,
        ),
        ("another service's directory", vec![root, dir(999, 999, 0o755)], postgres.0, postgres.1),
        ("root's below another service's", vec![root, dir(999, 999, 0o755), root], below(2), foreign),
        ("root's on root's path", vec![root, root, root], Ok(RootPath), foreign),
        ("root's two below the app's", vec![root, own, root, root], below(2), foreign),
        ("root's below a directory open to all", vec![root, dir(0, 0, 0o777), root], below(2), foreign),
        ("root's below a directory of the app's group", vec![root, dir(0, 101, 0o775), root], below(2), foreign),
        ("root's below a directory of the app's other group", vec![root, dir(0, 50, 0o775), root], below(2), foreign),
        ("root's below a directory of a stranger's group", vec![root, dir(0, 60, 0o775), root], Ok(RootPath), foreign),
        ("root's in a sticky directory", vec![root, tmp, root], Ok(RootPath), foreign),
        ("root's on root's path in a sticky directory", vec![root, tmp, root, root], Ok(RootPath), foreign),
        ("root's, open to all, in a sticky directory", vec![root, tmp, dir(0, 0, 0o777)], below(2), foreign),
        ("root's, kept before, in a sticky directory", vec![root, tmp, dir(0, 101, 0o1775)], below(2), foreign),
        ("root's, kept before, on root's path", vec![root, root, dir(0, 101, 0o1775)], Ok(RootPath), foreign),
        ("root's, open to all, on root's path", vec![root, root, dir(0, 0, 0o777)], Ok(RootPath), foreign),
        ("root's in another service's sticky directory", vec![root, dir(999, 999, 0o1777), root], below(2), foreign),
        ("root's in the app's sticky directory", vec![root, dir(100, 101, 0o1777), root], below(2), foreign),
        ("a root file system of the app's", vec![dir(100, 101, 0o755), root], below(1), foreign),
        ("nothing", vec![], below(0), below(0)),
    ];
    let wrong: Vec<_> = rows
        .iter()
        .flat_map(|(name, path, by_lock, by_environment)| {
            [(RootPaths::Allowed, by_lock), (RootPaths::Refused, by_environment)]
                .map(|(root_paths, expected)| (name, root_paths, expected, decide(path, root_paths, APP, &[50])))
        })
        .filter(|(_, _, expected, found)| *expected != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_denial_names_the_component_and_the_way_out() {
    let words = |denial: Denial| denial.words(Path::new("/data/models/x"), APP);
    assert_eq!(
        words(Denial::Replaceable { at: 2 }),
        "uid 100 could put another directory at /data/models: mount a volume at this very path, or keep every directory \
         above it root's"
    );
    assert!(words(Denial::NotNamedByLock { uid: 0 }).contains("the lock file does not name it"));
    assert!(words(Denial::NotRoots { uid: 999 }).starts_with("it belongs to uid 999"));
}
