//! The directories on the way to a store's weights: which of them may be moved to quarantine, and the new paths of those that were.
//!
//! Promise: no command moves a directory that leads to right bytes, unless it has those bytes open or knows where the
//! directory went. Touches nothing.

/// The directories of a store, as a command knows them.
pub(crate) struct Ways<'a> {
    /// Says whether a directory, with `/` at its end, must keep its name.
    stays: Box<dyn Fn(&str) -> bool + 'a>,
    /// The former path of each quarantined directory, and its new path.
    moved: Vec<(String, String)>,
    /// The directory, by device and inode, from which abandoned staged files were last removed.
    pub(crate) collected: Option<(u64, u64)>,
}

impl<'a> Ways<'a> {
    /// Begins with no moved directory.
    pub(crate) fn new(stays: impl Fn(&str) -> bool + 'a) -> Self {
        Self { stays: Box::new(stays), moved: Vec::new(), collected: None }
    }

    /// Returns whether this directory must keep its name.
    pub(crate) fn stays(&self, way: &str) -> bool {
        (self.stays)(way)
    }

    /// Records a directory's new name in its parent, after the directory was quarantined.
    pub(crate) fn moved(&mut self, way: &str, name: &str) {
        let parent = way.trim_end_matches('/').rfind('/').map_or("", |slash| &way[..=slash]);
        self.moved.push((way.to_owned(), format!("{parent}{name}/")));
    }

    /// A path, and the file's present path if a directory above it was quarantined.
    pub(crate) fn paths(&self, path: &str) -> impl Iterator<Item = String> {
        let moved = |(way, now): &(String, String)| Some(format!("{now}{}", path.strip_prefix(way.as_str())?));
        std::iter::once(path.to_owned()).chain(self.moved.iter().filter_map(moved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_below_each_directory_that_was_set_aside() {
        let mut ways = Ways::new(|_| false);
        ways.moved("a/b/", ".ballast-aside.b");
        ways.moved("c/", ".ballast-aside.c.1");
        let rows = [
            ("a/b/w", vec!["a/b/w", "a/.ballast-aside.b/w"]),
            ("c/d/w", vec!["c/d/w", ".ballast-aside.c.1/d/w"]),
            ("a/bb/w", vec!["a/bb/w"]),
            ("w", vec!["w"]),
        ];
        let wrong: Vec<_> =
            rows.iter().filter(|(path, expected)| ways.paths(path).ne(expected.iter().copied())).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
