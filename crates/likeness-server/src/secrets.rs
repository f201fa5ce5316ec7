//! Protects secrets in files and in memory: the master keys, an API key, the private key of TLS.
//!
//! Promises: after [`protect_memory`], the process leaves no core dump, and other processes of its user can't
//! read its memory. A secret is read only from a regular file of limited length, and the permissions of the
//! open file are checked. A file of the service's user must be readable by that user only. A file of root, as
//! an orchestrator mounts it, may be readable by the service's group.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ballast::foreign;
use rustix::process::{DumpableBehavior, getegid, geteuid, getgroups, set_dumpable_behavior};
use zeroize::Zeroizing;

/// The largest size of a secret's file.
const LONGEST: u64 = 64 << 10;

/// The reason why a file can't be used as a secret.
#[derive(Debug)]
pub struct Refusal {
    /// The expected and the found state, without the path.
    pub what: String,
    /// The command that corrects it, if there is one.
    pub hint: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// The owner and the permissions of a file.
#[derive(Debug, Clone, Copy)]
struct Owned {
    uid: u32,
    gid: u32,
    mode: u32,
}

/// The user and the groups of the reading process.
struct Reader {
    uid: u32,
    groups: Vec<u32>,
}

impl Reader {
    fn this() -> Self {
        let more = getgroups().unwrap_or_default();
        let groups = more.into_iter().chain([getegid()]).map(rustix::process::Gid::as_raw).collect();
        Self { uid: geteuid().as_raw(), groups }
    }
}

/// Disables core dumps of this process, and tracing by other processes of its user.
///
/// # Errors
/// The kernel refused.
pub fn protect_memory() -> std::io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Reads a secret from a file.
///
/// # Errors
/// The file can't be read, is no regular file, is too long, is no text, or other users may read it.
pub fn read(path: &Path) -> Result<Zeroizing<String>, Refusal> {
    let plain = |what: String| Refusal { what, hint: None };
    let file = foreign::open_named(path).map_err(|why| plain(why.to_string()))?;
    let meta = file.metadata().map_err(|why| plain(why.to_string()))?;
    closed(owned(&meta), &Reader::this(), path)?;
    text(&file).map_err(plain)
}

fn owned(meta: &Metadata) -> Owned {
    Owned { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 }
}

/// Refuses a file that users other than the reader and root may read, unless it is root's and readable by the
/// reader's group.
fn closed(file: Owned, reader: &Reader, path: &Path) -> Result<(), Refusal> {
    let Owned { uid, gid, mode } = file;
    let own = uid == reader.uid && mode & 0o077 == 0;
    let mounted = reader.uid != 0 && uid == 0 && mode & 0o037 == 0 && reader.groups.contains(&gid);
    if own || mounted {
        return Ok(());
    }
    let what = format!("expected mode 600 and owner {}, found mode {mode:o} and owner {uid}", reader.uid);
    let path = path.display();
    let hint = match uid == reader.uid {
        true => format!("chmod 600 {path}"),
        false => format!("chown {} {path} && chmod 600 {path}, or run this as user {uid}", reader.uid),
    };
    Err(Refusal { what, hint: Some(hint) })
}

fn text(file: &File) -> Result<Zeroizing<String>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|why| why.to_string())?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("expected at most {LONGEST} bytes, found more"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "expected text, found other bytes".to_owned())?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let app = Reader { uid: 100, groups: vec![101, 7] };
        let root = Reader { uid: 0, groups: vec![0] };
        // reader, owner, group, mode, whether it is a secret
        let table: [(&Reader, u32, u32, u32, bool); 15] = [
            (&app, 100, 101, 0o600, true),
            (&app, 100, 101, 0o400, true),
            (&app, 100, 101, 0o640, false),
            (&app, 100, 101, 0o604, false),
            (&app, 100, 101, 0o620, false),
            (&app, 100, 101, 0o4644, false),
            (&app, 0, 101, 0o440, true),
            (&app, 0, 7, 0o640, true),
            (&app, 0, 9, 0o440, false),
            (&app, 0, 101, 0o444, false),
            (&app, 0, 101, 0o460, false),
            (&app, 999, 101, 0o440, false),
            (&root, 0, 0, 0o600, true),
            (&root, 0, 0, 0o640, false),
            (&root, 100, 101, 0o600, false),
        ];
        let wrong: Vec<_> = table
            .into_iter()
            .filter(|(reader, uid, gid, mode, secret)| {
                let file = Owned { uid: *uid, gid: *gid, mode: *mode };
                closed(file, reader, Path::new("key")).is_ok() != *secret
            })
            .map(|(reader, uid, gid, mode, _)| format!("{} reads {uid}:{gid} {mode:o}", reader.uid))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_process_that_holds_secrets_leaves_no_core_dump() {
        protect_memory().unwrap();
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }

    #[test]
    fn what_is_no_file_of_text_is_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        std::fs::create_dir(at("dir")).unwrap();
        for (name, bytes) in [("long", vec![b'a'; 70_000]), ("bytes", vec![0xff; 9]), ("right", b"secret".to_vec())] {
            std::fs::write(at(name), bytes).unwrap();
            set_permissions(at(name), Permissions::from_mode(0o600)).unwrap();
        }
        let refused = |name: &str| read(&at(name)).err().map(|refusal| refusal.what);
        for name in ["absent", "fifo", "dir", "long", "bytes", "/dev/zero"] {
            assert!(refused(name).is_some(), "{name}");
        }
        assert_eq!(read(&at("right")).unwrap().as_str(), "secret");
        set_permissions(at("right"), Permissions::from_mode(0o644)).unwrap();
        let open = read(&at("right")).err().unwrap();
        assert!(open.what.contains("644") && open.hint.is_some_and(|hint| hint.contains("chmod 600")));
    }
}
