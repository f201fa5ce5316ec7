//! One file per command.

mod bake;
mod doctor;
mod heal;
mod status;
mod verify;

pub use bake::bake;
pub use doctor::doctor;
pub use heal::{app, check_pins, guarded, heal, run, target};
pub use status::status;
pub use verify::verify;
