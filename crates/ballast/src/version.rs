//! What `--version` prints: the number, and which source and which build it is. Touches nothing.

/// The commit of the source; `unknown` unless the tool that built the program set the variable.
pub const COMMIT: &str = match option_env!("BUILD_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// Returns a version with the commit, if it is known, and with the name of the build, if the program has several.
#[must_use]
pub fn text(number: &str, build: Option<&str>) -> String {
    with(number, Some(COMMIT).filter(|commit| *commit != "unknown"), build)
}

fn with(number: &str, commit: Option<&str>, build: Option<&str>) -> String {
    let known: Vec<_> = commit.into_iter().chain(build).collect();
    if known.is_empty() { number.to_owned() } else { format!("{number} ({})", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_names_the_commit_and_the_build_that_are_known() {
        let found = [(None, None), (Some("c"), None), (None, Some("b")), (Some("c"), Some("b"))];
        let found = found.map(|(commit, build)| with("1.2.3", commit, build));
        assert_eq!(found, ["1.2.3", "1.2.3 (c)", "1.2.3 (b)", "1.2.3 (c, b)"]);
    }
}
