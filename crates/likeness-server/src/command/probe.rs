//! `likeness probe` sends one request to a running service, for images without a shell.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::args::Probe;
use crate::certificates;
use crate::exit::{Exit, Failure};

/// The longest time for the whole request and response.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs the command.
///
/// # Errors
/// [`Exit::Unhealthy`] if there is no response, or one with a status other than 200.
pub fn run(args: &Probe) -> Result<Exit, Failure> {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
    let config = config.max_redirects(0).tls_config(tls(args)?).build();
    let agent = ureq::Agent::new_with_config(config);
    let unhealthy = |why: String| Failure::new(Exit::Unhealthy, format!("{}: {why}", args.url));
    let answer = agent.get(&args.url).call().map_err(|why| unhealthy(why.to_string()))?;
    match answer.status().as_u16() {
        200 => Ok(Exit::Success),
        status => Err(unhealthy(format!("expected 200, found {status}"))),
    }
}

/// Sets which certificates are accepted: those that `path` signs, otherwise any for this machine, otherwise
/// those of public authorities.
fn tls(args: &Probe) -> Result<TlsConfig, Failure> {
    let Some(path) = &args.ca else {
        let host = args.url.parse::<ureq::http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        let here = host.is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host.as_str()));
        return Ok(TlsConfig::builder().disable_verification(here).build());
    };
    let bad = |why: String| Failure::new(Exit::FileFailed, format!("{}: {why}", path.display()));
    let authorities = certificates::read(path).map_err(bad)?;
    let roots = authorities.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
    let roots = RootCerts::Specific(Arc::new(roots.collect()));
    Ok(TlsConfig::builder().root_certs(roots).build())
}
