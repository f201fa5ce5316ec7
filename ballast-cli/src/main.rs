//! The program `ballast`.
#![allow(dead_code, reason = "temporary: the commands that use the rest are to come")]

mod launch;
mod user;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(2);
    let (mut spec, mut keep_fds, mut no_new_privs) = (None, false, false);
    while let Some(arg) = args.next().filter(|arg| arg != "--") {
        match arg.to_str() {
            Some("--user") => spec = args.next().and_then(|text| text.into_string().ok()),
            Some("--keep-fds") => keep_fds = true,
            Some("--no-new-privs") => no_new_privs = true,
            _ => return ExitCode::from(2),
        }
    }
    let command: Vec<OsString> = args.collect();
    let (code, message) = run(spec.as_deref(), keep_fds, no_new_privs, &command);
    let _ = writeln!(std::io::stderr(), "error: {message}");
    ExitCode::from(code)
}

fn run(spec: Option<&str>, keep_fds: bool, no_new_privs: bool, command: &[OsString]) -> (u8, String) {
    let options = launch::DropOptions { no_new_privs };
    let dropped = match spec.map(identity).transpose() {
        Err(problem) => return (1, problem.to_string()),
        Ok(Some(identity)) => launch::drop_to(&identity, &options),
        Ok(None) => launch::stay(&options),
    };
    let error = match dropped {
        Ok(dropped) => launch::exec(dropped, command, &[], &launch::ExecOptions { keep_fds }),
        Err(error) => error,
    };
    let code = match error.kind() {
        launch::Kind::NotFound => 127,
        launch::Kind::NotExecutable => 126,
        _ => 1,
    };
    (code, format!("{error}\nhint: {}", error.problem().hint))
}

fn identity(spec: &str) -> Result<user::Identity, user::Problem> {
    user::Accounts::read()?.resolve(&spec.parse()?, rustix::process::getegid().as_raw())
}
