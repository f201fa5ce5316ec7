//! Each file contains one command. A command loads what it needs, prints its result, and returns an exit
//! code.

mod batch;
mod bench;
mod calibrate;
mod compare;
mod detect;
mod embed;
mod enroll;
mod explain;
mod folders;
mod journal;
mod key;
mod live;
mod models;
mod photograph;
mod probe;
mod serve;
mod store;

pub use bench::run as bench;
pub use calibrate::run as calibrate;
pub use compare::run as compare;
pub use detect::run as detect;
pub use embed::run as embed;
pub use enroll::run as enroll;
pub use explain::run as explain;
pub use journal::run as journal;
pub use key::run as key;
pub use live::run as live;
pub use models::run as models;
pub use probe::run as probe;
pub use serve::run as serve;
pub use store::run as store;
