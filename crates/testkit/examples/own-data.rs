//! Prints the folder of the generated test data; with a path, writes the embedder there from which
//! nothing is taken off.

#![expect(clippy::print_stdout, reason = "the answer of a tool")]

use testkit::data;

fn main() -> std::io::Result<()> {
    if let Some(path) = std::env::args_os().nth(1) {
        return std::fs::write(path, data::facenet512::plain_file());
    }
    let weights = data::own_data().weights();
    println!("{}", weights.parent().unwrap_or(&weights).display());
    Ok(())
}
