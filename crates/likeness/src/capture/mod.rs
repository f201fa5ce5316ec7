//! Captures: a session in which a camera's frames follow the prompts of the server.
//!
//! `session` takes what the frames show, in order; `steps` draws what the person is to do; `geometry` measures how a
//! face is turned; `outcome` judges the holds; `guide` advises the person. Pure: knows no clock, network or random
//! number of its own. `docs/captures.md` describes what a capture proves.

pub mod geometry;
pub mod guide;
pub mod outcome;
pub mod session;
pub mod steps;
