//! The program `likeness`: see the library.

fn main() -> std::process::ExitCode {
    likeness_server::main()
}
