//! Exit codes: named, documented in `docs/exit-codes.md`, stable.

/// The reason why the program ended without running the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done.
    Success = 0,
    /// The command line makes no sense.
    Usage = 2,
    /// The lock file is absent, unreadable or wrong.
    BadLock = 10,
    /// As root, Ballast would use a lock file that the app could change.
    LockUntrusted = 11,
    /// A pin of the environment differs from the lock file's.
    PinMismatch = 12,
    /// Can't become the user.
    CannotDrop = 13,
    /// A required weight is not there, or not right.
    WeightsMissing = 14,
    /// A directory that the app needs can't be written.
    DirUnwritable = 15,
    /// `--seal require`, and no seal is possible.
    SealRefused = 16,
    /// A source, a mirror or a target failed.
    #[cfg_attr(not(feature = "full"), expect(dead_code, reason = "only the full build fetches"))]
    FetchFailed = 17,
    /// `doctor` found an error.
    DoctorFound = 18,
    /// This build does not have the command.
    #[cfg_attr(feature = "full", expect(dead_code, reason = "the full build has every command"))]
    NotInThisBuild = 19,
    /// Files without an entry lie beside the weights, and the lock file refuses them.
    ExtraFiles = 42,
    /// A source of the lock file changed, moved or is gone.
    #[cfg_attr(not(feature = "full"), expect(dead_code, reason = "only the full build contacts sources"))]
    SourceDrifted = 43,
    /// It is unknown whether a source still has the same bytes.
    #[cfg_attr(not(feature = "full"), expect(dead_code, reason = "only the full build contacts sources"))]
    SourceUnknown = 44,
    /// The work is done, and stdout did not take the answer.
    AnswerLost = 47,
    /// The lock file is not signed by the key that was required.
    SignatureRefused = 40,
    /// The signed lock file is older than an earlier one.
    SerialBack = 41,
    /// The command was found and can't be executed.
    NotExecutable = 126,
    /// The command was not found.
    NotFound = 127,
}

impl Exit {
    /// What the shell sees.
    pub fn code(self) -> i32 {
        i32::from(self as u8)
    }
}

/// A failure for a person: what happened, and what to do.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What failed, the file or setting, the expected value and the found value.
    pub what: String,
    /// The line to change or the command to run.
    pub hint: Option<String>,
}

/// The failure of the entrypoint build for a command of the full build.
#[cfg(not(feature = "full"))]
pub fn not_in_this_build() -> Failure {
    Failure::new(Exit::NotInThisBuild, "this is the entrypoint build: it has run, heal, verify, status and doctor")
        .hint("init, pin, adopt, sign, fetch, outdated, bake, push, pull, export, import, statement and `verify --signed` are in the full build, for build machines: the program `ballast` of the release, or `cargo build --release -p ballast-cli`")
}

/// How a program ends, and what it reports: a lost answer is always reported, and changes no exit code but 0.
pub fn ended(done: Result<(), Failure>, lost: Option<Failure>) -> (Exit, Vec<Failure>) {
    let all: Vec<_> = done.err().into_iter().chain(lost).collect();
    (all.first().map_or(Exit::Success, |first| first.exit), all)
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), hint: None }
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_answer_is_reported_beside_a_verdict_whose_exit_code_stays() {
        let failed = |exit| Failure::new(exit, "");
        let (verdict, lost) = (|| failed(Exit::WeightsMissing), || failed(Exit::AnswerLost));
        let rows = [
            (Ok(()), None, Exit::Success, 0),
            (Ok(()), Some(lost()), Exit::AnswerLost, 1),
            (Err(verdict()), None, Exit::WeightsMissing, 1),
            (Err(verdict()), Some(lost()), Exit::WeightsMissing, 2),
        ];
        let found = rows.map(|(done, lost, exit, count)| (ended(done, lost), exit, count));
        let wrong: Vec<_> =
            found.iter().filter(|((code, all), exit, count)| code != exit || all.len() != *count).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
