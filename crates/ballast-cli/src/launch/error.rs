//! The reason why no command was started: a kind for the exit code, and five parts for a person.
//!
//! Plain data; touches nothing.

use std::fmt;

use crate::user::Problem;

/// The kind of failure, for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The kernel would not let this process become the user.
    CannotDrop {
        /// Whether SETUID was effective.
        have_setuid: bool,
        /// Whether SETGID was effective.
        have_setgid: bool,
    },
    /// This user namespace refuses setgroups, and the present groups are not the target's.
    GroupsDenied,
    /// The drop was made, and the proof of it failed.
    NotProven,
    /// no_new_privs could not be set.
    NoNewPrivs,
    /// Descriptors could not be closed for the command.
    Descriptors,
    /// The command does not exist: exit code 127.
    NotFound,
    /// The command exists and can't be executed: exit code 126.
    NotExecutable,
}

/// The reason why nothing was launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchError {
    kind: Kind,
    problem: Box<Problem>,
}

impl LaunchError {
    pub(super) fn new(kind: Kind, what: &str, which: String, expected: &str, found: String, hint: String) -> Self {
        let problem = Box::new(Problem { what: what.into(), which, expected: expected.into(), found, hint });
        Self { kind, problem }
    }

    /// Returns the kind of this failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The failure in its five parts.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for LaunchError {}
