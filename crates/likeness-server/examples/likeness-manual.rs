//! Writes the man pages and the shell completions of `likeness` into a folder (`tools/manual`).

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("a folder is missing"))?;
    testkit::manual::write(&likeness_server::grammar(), folder.as_ref())
}
