//! The findings of a file's checks, and the other files that it needs. Touches nothing.

use ballast::lock::RelPath;

/// A fault of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// The file contradicts itself, or is not a weight: it gets no pin.
    Refused(String),
    /// The file is unusual: it gets a pin, and a warning.
    Doubt(String),
}

/// The results of the checks of one file.
#[derive(Debug, Default)]
pub struct Findings {
    /// The objections, in the order in which they were found.
    pub objections: Vec<Objection>,
    /// The other files that this file needs.
    pub parts: Option<Parts>,
}

impl Findings {
    /// Returns the reason why the file gets no pin.
    pub fn refusal(&self) -> Option<&str> {
        self.objections.iter().find_map(|objection| match objection {
            Objection::Refused(why) => Some(why.as_str()),
            Objection::Doubt(_) => None,
        })
    }

    /// The warnings about a file that gets a pin.
    pub fn doubts(&self) -> impl Iterator<Item = &str> {
        self.objections.iter().filter_map(|objection| match objection {
            Objection::Doubt(what) => Some(what.as_str()),
            Objection::Refused(_) => None,
        })
    }

    pub(super) fn refuse(&mut self, why: impl Into<String>) {
        self.objections.push(Objection::Refused(why.into()));
    }

    pub(super) fn doubt(&mut self, what: impl Into<String>) {
        self.objections.push(Objection::Doubt(what.into()));
    }
}

/// The other files that one file needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    pub(super) named_by: RelPath,
    pub(super) names: Vec<RelPath>,
    /// The first file of a numbered set that is counted from 0, in place of the last.
    pub(super) first: Option<RelPath>,
    /// Whether any one of them is enough.
    pub(super) one_is_enough: bool,
}

/// A set that lacks files.
#[derive(Debug, PartialEq, Eq)]
pub struct Incomplete<'a> {
    /// The file that names the other files.
    pub named_by: &'a RelPath,
    /// Those that are not there.
    pub missing: Vec<&'a RelPath>,
    /// Whether all of these files are missing, as if the repository's other format was downloaded.
    pub all: bool,
    /// Whether any one of them is enough.
    pub one_is_enough: bool,
}

impl Parts {
    /// Files that `named_by` needs.
    pub fn new(named_by: &RelPath, names: Vec<RelPath>) -> Self {
        Self { named_by: named_by.clone(), names, first: None, one_is_enough: false }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The missing files of the set, if any.
    pub fn incomplete(&self, is_there: impl Fn(&RelPath) -> bool) -> Option<Incomplete<'_>> {
        let from_zero = self.first.as_ref().is_some_and(&is_there);
        let names = &self.names[..self.names.len() - usize::from(from_zero)];
        let missing: Vec<_> = names.iter().filter(|name| !is_there(name)).collect();
        let all = missing.len() == names.len();
        let one_is_enough = self.one_is_enough;
        let lacks = if one_is_enough { all } else { !missing.is_empty() };
        lacks.then_some(Incomplete { named_by: &self.named_by, missing, all, one_is_enough })
    }
}
