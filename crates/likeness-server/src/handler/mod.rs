//! Each file handles one route or a few similar ones: it reads the request and returns the response. A
//! handler requests its networks by role, so it can't respond without them.

pub mod captures;
pub mod compare;
pub mod deepface;
pub mod delete;
pub mod detect;
pub mod enroll;
pub mod enroll_multi;
pub mod erasure;
pub mod frame;
pub mod health;
pub mod inspect;
pub mod inspect_response;
pub mod liveness;
pub mod metrics;
pub mod page;
pub mod person;
pub mod persons;
pub mod problem_page;
pub mod records;
pub mod response;
pub mod search;
pub mod statement;
pub mod terms;
pub mod verify;
