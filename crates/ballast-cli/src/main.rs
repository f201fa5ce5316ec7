//! The program `ballast`: see the library.
#![no_main]

#[expect(unsafe_code, reason = "the name that the C library calls")]
// SAFETY: no other symbol has this name. The arguments, which the C library passes, are not used: the standard library
// has them by itself.
#[unsafe(export_name = "main")]
extern "C" fn main() -> std::ffi::c_int {
    ballast_cli::entry()
}
