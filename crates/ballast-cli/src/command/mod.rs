//! One file per command.

#[cfg(feature = "full")]
mod adopt;
#[cfg(feature = "full")]
mod adopt_signed;
#[cfg(feature = "full")]
mod adopted_table;
#[cfg(feature = "full")]
mod bake;
mod doctor;
#[cfg(feature = "full")]
mod export;
#[cfg(feature = "full")]
mod fetch;
mod heal;
#[cfg(feature = "full")]
mod import;
#[cfg(feature = "full")]
mod init;
#[cfg(feature = "full")]
mod lock_file_editor;
#[cfg(feature = "full")]
mod outdated;
#[cfg(feature = "full")]
mod pin;
#[cfg(feature = "full")]
mod pull;
#[cfg(feature = "full")]
mod push;
mod run_env;
#[cfg(feature = "full")]
mod sign;
#[cfg(feature = "full")]
mod signed;
#[cfg(feature = "full")]
mod statement;
mod status;
mod verify;

#[cfg(feature = "full")]
pub use adopt::adopt;
#[cfg(feature = "full")]
pub use bake::bake;
pub use doctor::doctor;
#[cfg(feature = "full")]
pub use export::export;
#[cfg(feature = "full")]
pub use fetch::fetch;
pub use heal::{heal, run};
#[cfg(feature = "full")]
pub use import::import;
#[cfg(feature = "full")]
pub use init::init;
#[cfg(feature = "full")]
pub use outdated::outdated;
#[cfg(feature = "full")]
pub use pin::pin;
#[cfg(feature = "full")]
pub use pull::pull;
#[cfg(feature = "full")]
pub use push::push;
#[cfg(feature = "full")]
pub use sign::sign;
#[cfg(feature = "full")]
pub use statement::statement;
pub use status::status;
pub use verify::verify;
