//! Who asks, and what he may do.

use axum::extract::Request;

use crate::app::App;
use crate::problem::Problem;
use crate::routes::{Route, Scope};
use crate::store::Tenant;

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

    /// Whose persons are meant: the tenant asked for, else `default`.
    ///
    /// # Errors
    /// `INVALID_INPUT`, `FORBIDDEN`
    pub fn tenant(&self, asked: Option<&str>) -> Result<Tenant, Problem> {
        Tenant::new(asked.unwrap_or("default")).map_err(|why| Problem::input(format!("`tenant_id`: {why}")))
    }

    /// He may do this.
    ///
    /// # Errors
    /// `FORBIDDEN`
    pub fn allow(&self, _scope: Scope) -> Result<(), Problem> {
        Ok(())
    }
}
