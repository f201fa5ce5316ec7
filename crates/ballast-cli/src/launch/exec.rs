//! The last step: environment, descriptors, signal state, and the command itself.
//!
//! The path search is execvp's, but execve tries each candidate, without a check before. A file
//! that is not a program is not passed to a shell.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::{fs, io};

use nix::errno::Errno;
use nix::libc;

use super::dropped::Dropped;
use super::error::{Kind, LaunchError};
use super::received;
use crate::secrets::is_secret;

const DEFAULT_PATH: &str = "/bin:/usr/bin";
const FIRST_FD: u32 = 3;

/// How to exec.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExecOptions<'a> {
    /// Whether the command gets every descriptor; otherwise it gets 0 to 2, and those that LISTEN_FDS announces.
    pub keep_fds: bool,
    /// Variables that the command does not get.
    pub drop_env: &'a [OsString],
}

/// Becomes the command, in this process. Returns only when that failed.
///
/// The environment is this process's own without Ballast's secrets, HOME as the dropped account has
/// it, then the overrides, without what the options drop.
pub fn exec(
    dropped: Dropped,
    command: &[OsString],
    overrides: &[(String, String)],
    options: &ExecOptions,
) -> LaunchError {
    let environment = CommandEnv::new(dropped, overrides, options.drop_env);
    match attempt(command, &environment, options) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn attempt(
    command: &[OsString],
    environment: &CommandEnv,
    options: &ExecOptions,
) -> Result<std::convert::Infallible, LaunchError> {
    let Some(program) = command.first().filter(|program| !program.is_empty()) else {
        return Err(no_command());
    };
    let args = c_strings(command.iter().map(|arg| arg.as_bytes().to_vec()))?;
    let variables = c_strings(environment.lines())?;
    let candidates = c_strings(candidates(program, environment.get("PATH")).into_iter())?;
    if !options.keep_fds {
        hide_descriptors(first_hidden()).map_err(|error| descriptors(&error))?;
    }
    received::restore();
    let errno = try_each(&candidates, &args, &variables);
    received::keep_writing();
    Err(failed(program, errno, environment.get("PATH")))
}

/// Tries the candidates. A program never returns; otherwise returns the most useful error.
fn try_each(candidates: &[CString], args: &[CString], variables: &[CString]) -> Errno {
    let mut telling = Errno::ENOENT;
    for path in candidates {
        let Err(errno) = nix::unistd::execve(path, args, variables);
        match errno {
            Errno::ENOENT | Errno::ENOTDIR => {}
            Errno::EACCES => telling = errno,
            _ => return errno,
        }
    }
    telling
}

/// The possible paths of the program: the name itself if it contains a slash, otherwise below each
/// directory of PATH; an empty entry means the working directory.
fn candidates(program: &OsStr, path: Option<&OsStr>) -> Vec<Vec<u8>> {
    let program = program.as_bytes();
    if program.contains(&b'/') {
        return vec![program.to_vec()];
    }
    let below = |directory: &[u8]| match directory {
        [] => program.to_vec(),
        _ => [directory, b"/", program].concat(),
    };
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes();
    path.split(|&byte| byte == b':').map(below).collect()
}

/// The command's environment.
struct CommandEnv(Vec<(OsString, OsString)>);

impl CommandEnv {
    fn new(dropped: Dropped, overrides: &[(String, String)], drop: &[OsString]) -> Self {
        Self::of(env::vars_os(), dropped.home, overrides, drop)
    }

    fn of(
        received: impl Iterator<Item = (OsString, OsString)>,
        home: Option<PathBuf>,
        overrides: &[(String, String)],
        drop: &[OsString],
    ) -> Self {
        let mut all = Self(received.filter(|(name, value)| !is_secret(name, value)).collect());
        if let Some(home) = home {
            all.set("HOME".into(), home.into_os_string());
        }
        for (name, value) in overrides {
            all.set(name.into(), value.into());
        }
        all.0.retain(|(name, _)| !drop.contains(name));
        all
    }

    fn set(&mut self, name: OsString, value: OsString) {
        self.0.retain(|(other, _)| *other != name);
        self.0.push((name, value));
    }

    fn get(&self, name: &str) -> Option<&OsStr> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_os_str())
    }

    fn lines(&self) -> impl Iterator<Item = Vec<u8>> {
        self.0.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
    }
}

fn c_strings(texts: impl Iterator<Item = Vec<u8>>) -> Result<Vec<CString>, LaunchError> {
    let each = |text| CString::new(text).map_err(|error| zero_byte(error.into_vec()));
    texts.map(each).collect()
}

/// The first descriptor that the command does not get: after those that a service manager announced
/// to this process, otherwise 3.
fn first_hidden() -> u32 {
    let number = |name| env::var(name).ok()?.parse::<u32>().ok();
    let ours = number("LISTEN_PID") == Some(std::process::id());
    let announced = number("LISTEN_FDS").filter(|_| ours).unwrap_or(0);
    FIRST_FD.saturating_add(announced)
}

/// Marks these descriptors close-on-exec, so that they stay usable after a failed exec.
fn hide_descriptors(first: u32) -> io::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    #[expect(unsafe_code, reason = "no safe call covers a range of descriptors")]
    // SAFETY: three integers; the flag takes no descriptor from its owner before exec does.
    let code = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flag) };
    if code == 0 { Ok(()) } else { hide_one_by_one(first) }
}

/// Hides descriptors one by one, for kernels before 5.11 and filters that refuse close_range.
fn hide_one_by_one(first: u32) -> io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&fd: &i32| fd.unsigned_abs() >= first)
        .collect();
    for fd in open {
        #[expect(unsafe_code, reason = "the descriptors belong to others")]
        // SAFETY: three integers; one that was closed since is refused with EBADF.
        let code = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        if code != 0 && Errno::last() != Errno::EBADF {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn failed(program: &OsStr, errno: Errno, path: Option<&OsStr>) -> LaunchError {
    let which = format!("{program:?}");
    let place = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    let found = io::Error::from(errno).to_string();
    if errno != Errno::ENOENT && errno != Errno::ENOTDIR {
        let hint = "it must be a program or script that this user may execute";
        return LaunchError::new(Kind::NotExecutable, "cannot execute", which, "a program", found, hint.into());
    }
    let slash = program.as_bytes().contains(&b'/');
    let (expected, hint) = if slash {
        ("a program".into(), "check the path, and the interpreter that it names".into())
    } else {
        (format!("a program in PATH {place:?}"), "give its full path, or set PATH".into())
    };
    LaunchError::new(Kind::NotFound, "cannot find", which, &expected, found, hint)
}

fn no_command() -> LaunchError {
    let hint = "put it after --, as in ballast run -- CMD".into();
    LaunchError::new(Kind::NotFound, "cannot find", "the command".into(), "a program's name", "nothing".into(), hint)
}

fn zero_byte(text: Vec<u8>) -> LaunchError {
    let which = format!("{:?}", OsString::from_vec(text));
    LaunchError::new(
        Kind::NotExecutable,
        "cannot hand on",
        which,
        "text without a zero byte",
        "one".into(),
        "remove it".into(),
    )
}

fn descriptors(error: &io::Error) -> LaunchError {
    LaunchError::new(
        Kind::Descriptors,
        "cannot close",
        "descriptors from 3 up".into(),
        "close_range, or /proc/self/fd",
        error.to_string(),
        "mount /proc, or ask for --keep-fds".into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The environment of a command that starts with these variables.
    fn handed_on(received: &[(&str, &str)], drop: &[&str]) -> Vec<String> {
        let received = received.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let overrides = [("MODEL_HOME".to_owned(), "/models".to_owned())];
        let drop: Vec<OsString> = drop.iter().map(OsString::from).collect();
        let environment = CommandEnv::of(received, Some("/home/app".into()), &overrides, &drop);
        environment.lines().map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
    }

    #[test]
    fn secrets_stay_here_and_all_else_is_handed_on_but_what_is_dropped() {
        let rows: [(&str, &str, bool); 15] = [
            ("BALLAST_TOKENS", "h=s3cret", false),
            ("BALLAST_TOKENS_FILE", "/run/secrets/tokens", false),
            ("BALLAST_REGISTRY_USER", "user", false),
            ("BALLAST_REGISTRY_PASSWORD", "s3cret", false),
            ("BALLAST_MIRRORS", "https://user:s3cret@mirror/", false),
            ("BALLAST_MIRRORS", "/models https://s3cret@mirror/", false),
            ("BALLAST_MIRRORS", "oci://user:s3cret@mirror/x:y", false),
            ("BALLAST_MIRRORS", "https://mirror/a@b /models", true),
            ("BALLAST_MIRRORS", "https://mirror?sig=s3cret", false),
            ("BALLAST_LOCK", "/etc/ballast/weights.lock", true),
            ("BALLAST_SEAL", "auto", true),
            ("HF_TOKEN", "for the app", true),
            ("HTTPS_PROXY", "http://user:for-the-app@proxy", true),
            ("MY_BALLAST_TOKENS", "its own", true),
            ("EMPTY", "", true),
        ];
        let kept = |name: &str, value: &str| handed_on(&[(name, value)], &[]).contains(&format!("{name}={value}"));
        let wrong: Vec<_> = rows.iter().filter(|(name, value, right)| kept(name, value) != *right).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let all = [("HF_TOKEN", "t"), ("HF_TOKEN_2", "u"), ("HOME", "/root")];
        assert_eq!(handed_on(&all, &[]), ["HF_TOKEN=t", "HF_TOKEN_2=u", "HOME=/home/app", "MODEL_HOME=/models"]);
        assert_eq!(handed_on(&all, &["HF_TOKEN", "HOME", "MODEL_HOME", "ABSENT"]), ["HF_TOKEN_2=u"]);
    }
}
