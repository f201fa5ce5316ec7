//! `likeness probe`: asks a running service, for images without a shell.

use std::time::Duration;

use crate::args::Probe;
use crate::exit::{Exit, Failure};

/// The whole question and answer at most so long.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs it.
///
/// # Errors
/// [`Exit::Unhealthy`]: anything but 200.
pub fn run(args: &Probe) -> Result<Exit, Failure> {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
    let agent = ureq::Agent::new_with_config(config.max_redirects(0).build());
    let unhealthy = |why: String| Failure::new(Exit::Unhealthy, format!("{}: {why}", args.url));
    let answer = agent.get(&args.url).call().map_err(|why| unhealthy(why.to_string()))?;
    match answer.status().as_u16() {
        200 => Ok(Exit::Success),
        status => Err(unhealthy(format!("expected 200, found {status}"))),
    }
}
