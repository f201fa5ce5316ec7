//! One file per command.

mod bake;
mod heal;
mod status;
mod verify;

pub use bake::bake;
pub use heal::{heal, run};
pub use status::status;
pub use verify::verify;
