//! Captures: a session in which a camera's frames follow the prompts of the server.
//!
//! `geometry` measures how a face is turned, `guide` advises the person in front of the camera. Pure: knows no
//! clock, network, image or random number. `docs/captures.md` says what a capture proves.

pub mod geometry;
pub mod guide;
