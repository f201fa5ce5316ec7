//! Who asks, and what he may do.

use axum::extract::Request;

use crate::app::App;
use crate::problem::Problem;
use crate::routes::Route;

/// Whoever asks: without any key made, everybody on this machine, who may do everything.
#[derive(Debug, Clone)]
pub struct Caller;

impl Caller {
    /// Tells who asks a route.
    ///
    /// # Errors
    /// `UNAUTHORIZED`, `FORBIDDEN`
    pub fn of(_app: &App, _route: &Route, _request: &Request) -> Result<Self, Problem> {
        Ok(Self)
    }
}
