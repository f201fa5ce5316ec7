//! Resolves the command's user, by the `user[:group]` grammar and the two account files.
//!
//! Promises: the result comes from `/etc/passwd` and, unless the group is a number, `/etc/group`
//! alone, read here, each at most [`bounds::ACCOUNTS`] bytes; no name service is used and no shared
//! object is opened. An all-digit part is an id, as with gosu and `docker --user`, never a name.
//! Invalid lines are skipped, and never mean root. Touches only those two files.
//!
//! Two choices differ from gosu: the primary group is always listed among the groups (a
//! set-group-id program then can't shed it), and ids reach 4294967294 instead of 2147483647.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[cfg(feature = "full")]
use crate::boot::plan::Ids;
use crate::{bounds, foreign};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const GRAMMAR: &str = "user or user:group, each a name or a number up to 4294967294";

/// A failure: what failed, for what, what was expected and found, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What could not be done.
    pub what: String,
    /// The user, file or command that failed.
    pub which: String,
    /// What would have been right.
    pub expected: String,
    /// What was there instead.
    pub found: String,
    /// The next step for a person; empty if none is known.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.what, self.which)?;
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for Problem {}

/// The ids that the kernel needs to become a user, and the user's home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user id, for real, effective and saved alike.
    pub uid: u32,
    /// The primary group id, likewise.
    pub gid: u32,
    /// All groups with the primary one, in ascending order, each once.
    pub groups: Vec<u32>,
    /// The home directory; `/` when the account files know none.
    pub home: PathBuf,
    /// The account's name; `None` for a number without an entry.
    pub name: Option<String>,
}

/// A checked `user[:group]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    user: Part,
    group: Option<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Id(u32),
    Name(String),
}

impl FromStr for UserSpec {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let halves = text.split_once(':');
        let (user, group) = halves.map_or((text, None), |(user, group)| (user, Some(group)));
        let part = |part: &str| Part::parse(part).ok_or_else(|| bad_spec(text));
        Ok(Self { user: part(user)?, group: group.map(part).transpose()? })
    }
}

#[cfg(feature = "full")]
impl UserSpec {
    /// Whether this is root, in whatever image.
    pub fn is_root(&self) -> bool {
        self.user.is(0, "root")
    }

    /// The ids, if no account file has to be read: the group of a user without one is root's, as in an image that does
    /// not list the user.
    pub fn numbers(&self) -> Option<Ids> {
        let number = |part: &Part| if let Part::Id(id) = part { Some(*id) } else { None };
        Some(Ids { uid: number(&self.user)?, gid: self.group.as_ref().map_or(Some(0), number)? })
    }
}

/// Reads `UID:GID`, the owner of files in an image.
///
/// # Errors
/// The text is no pair of numbers.
#[cfg(feature = "full")]
pub fn numbers(text: &str) -> Result<Ids, String> {
    let ids = text.split_once(':').and_then(|(uid, gid)| Some(Ids { uid: id(uid)?, gid: id(gid)? }));
    ids.ok_or_else(|| format!("expected UID:GID in numbers, found {text:?}"))
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return id(text).map(Self::Id);
        }
        let odd = |c: char| c == ':' || c.is_control() || c.is_whitespace();
        let plain = !text.is_empty() && text.len() <= 256 && !text.contains(odd);
        plain.then(|| Self::Name(text.to_owned()))
    }

    fn is(&self, id: u32, name: &str) -> bool {
        match self {
            Self::Id(own) => *own == id,
            Self::Name(own) => own == name,
        }
    }

    fn id_or(&self, missing: impl FnOnce(&str) -> Problem) -> Result<u32, Problem> {
        match self {
            Self::Id(id) => Ok(*id),
            Self::Name(name) => Err(missing(name)),
        }
    }
}

/// An id as both files write it: digits only, and not the kernel's "leave unchanged".
fn id(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id != u32::MAX)
}

fn bad_spec(text: &str) -> Problem {
    Problem {
        what: "cannot read the user".into(),
        which: format!("{text:?}"),
        expected: GRAMMAR.into(),
        found: "neither".into(),
        hint: "write it as in --user 100:101".into(),
    }
}

fn unknown(kind: &str, name: &str, file: &str) -> Problem {
    Problem {
        what: format!("cannot find the {kind}"),
        which: format!("{name:?}"),
        expected: format!("a line for it in {file}"),
        found: "none".into(),
        hint: format!("add the {kind} to the image, or give its number"),
    }
}

/// The text of the two account files. Lines that are not entries are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Of `/etc/passwd`.
    pub passwd: String,
    /// Of `/etc/group`.
    pub group: String,
}

struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl Accounts {
    /// Reads the files that this spec needs: a group's number does not need the second file.
    /// An absent file counts as empty, as in an image made from scratch.
    pub fn read_for(spec: &UserSpec) -> Result<Self, Problem> {
        let passwd = read_bounded(Path::new(PASSWD))?;
        let numbered = matches!(spec.group, Some(Part::Id(_)));
        let group = if numbered { String::new() } else { read_bounded(Path::new(GROUP))? };
        Ok(Self { passwd, group })
    }

    fn users(&self) -> impl Iterator<Item = PasswdEntry<'_>> {
        self.passwd.lines().filter_map(PasswdEntry::parse)
    }

    fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        self.group.lines().filter_map(Group::parse)
    }

    /// The account that a spec names. A user without an entry and without a group in the
    /// spec gets `default_gid`, the caller's own, as with gosu and docker.
    pub fn resolve(&self, spec: &UserSpec, default_gid: u32) -> Result<Account, Problem> {
        let user = self.users().find(|user| spec.user.is(user.uid, user.name));
        let uid = match &user {
            Some(user) => user.uid,
            None => spec.user.id_or(|name| unknown("user", name, PASSWD))?,
        };
        let name = user.as_ref().map(|user| user.name.to_owned());
        let (gid, mut groups) = match &spec.group {
            Some(group) => (self.group_id(group)?, Vec::new()),
            None => (user.as_ref().map_or(default_gid, |user| user.gid), self.listing(name.as_deref()).collect()),
        };
        groups.push(gid);
        groups.sort_unstable();
        groups.dedup();
        let home = user.map(|user| user.home).filter(|home| !home.is_empty());
        Ok(Account { uid, gid, groups, home: PathBuf::from(home.unwrap_or("/")), name })
    }

    fn group_id(&self, part: &Part) -> Result<u32, Problem> {
        let group = self.groups().find(|group| part.is(group.gid, group.name));
        match group {
            Some(group) => Ok(group.gid),
            None => part.id_or(|name| unknown("group", name, GROUP)),
        }
    }

    fn listing(&self, name: Option<&str>) -> impl Iterator<Item = u32> {
        let lists = move |group: &Group| name.is_some_and(|name| group.members().any(|member| member == name));
        self.groups().filter(lists).map(|group| group.gid)
    }
}

/// Lines that start with `+` or `-` are instructions to a name service, not accounts.
fn is_account(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['+', '-'])
}

impl<'a> PasswdEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| is_account(name))?;
        let (uid, gid) = (id(fields.nth(1)?)?, id(fields.next()?)?);
        let home = fields.nth(1).unwrap_or_default();
        Some(Self { name, uid, gid, home })
    }
}

impl<'a> Group<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| is_account(name))?;
        let gid = id(fields.nth(1)?)?;
        Some(Self { name, gid, members: fields.next().unwrap_or_default() })
    }

    fn members(&self) -> impl Iterator<Item = &'a str> {
        self.members.split(',').map(str::trim)
    }
}

/// Returns the text of a regular file of at most [`bounds::ACCOUNTS`] bytes; empty if the file does not exist.
fn read_bounded(path: &Path) -> Result<String, Problem> {
    let refused = |error: io::Error| Problem {
        what: "cannot read".into(),
        which: path.display().to_string(),
        expected: format!("a regular file of at most {} bytes", bounds::ACCOUNTS),
        found: error.to_string(),
        hint: "repair the file in the image".into(),
    };
    match foreign::read_named(path, bounds::ACCOUNTS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => Ok(String::from_utf8_lossy(&read.map_err(refused)?).into_owned()),
    }
}

#[cfg(test)]
#[path = "user_tests.rs"]
mod tests;
