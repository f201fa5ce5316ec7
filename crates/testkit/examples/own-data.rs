//! Prints the folder of the generated test data, which has a lock file for it; with a path, writes
//! the embedder there without the correction of `spread`.

#![expect(clippy::print_stdout, reason = "the answer of a tool")]

use testkit::data;

fn main() -> std::io::Result<()> {
    if let Some(path) = std::env::args_os().nth(1) {
        return std::fs::write(path, data::facenet512::plain_file());
    }
    let own = data::own_data();
    std::fs::write(own.root().join("weights.lock"), own.lock())?;
    println!("{}", own.root().display());
    Ok(())
}
