//! On SIGHUP, reads certificates, keys and policy again while the service runs.
//!
//! Promises: either all of them are replaced or none; a request keeps the policy that it began with, and a
//! connection keeps its certificate. Other settings need a restart.

use std::sync::{Arc, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::args::Serve;
use crate::config::Settings;
use crate::exit::Failure;
use crate::listen::Tls;
use crate::series;

/// Reloads at each SIGHUP and never ends.
///
/// # Errors
/// The handler of the signal can't be installed.
pub async fn follow(app: App, args: Arc<Serve>, tls: Option<Tls>) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    while hangup.recv().await.is_some() {
        let (app, args, tls) = (app.clone(), args.clone(), tls.clone());
        let outcome = tokio::task::spawn_blocking(move || reload(&app, &args, tls.as_ref())).await;
        match outcome {
            Ok(Ok(policy_changed)) => {
                series::reloaded(true);
                tracing::info!(policy_changed, "certificates, keys and policy were read again");
            }
            Ok(Err(failure)) => refused(&failure.what),
            Err(panic) => refused(&panic.to_string()),
        }
    }
    Ok(())
}

fn refused(why: &str) {
    series::reloaded(false);
    tracing::error!(why, "certificates, keys and policy are unchanged");
}

/// Reads everything first, then replaces it. Returns whether the policy changed.
fn reload(app: &App, args: &Serve, tls: Option<&Tls>) -> Result<bool, Failure> {
    let settings = Settings::read(args, &|name| std::env::var(name).ok())?;
    let renewed = tls.map(Tls::again).transpose()?;
    app.models.now().calibrated(&settings.policy, &app.options())?;
    if let Some(templates) = &app.templates {
        templates.store.reread_keys()?;
    }
    if let (Some(tls), Some(renewed)) = (tls, renewed) {
        tls.replace(renewed);
    }
    app.admission.keys.replace(settings.access.secret.as_ref());
    if app.policy() != settings.policy {
        app.records.policy(&settings.policy);
    }
    let mut policy = app.policy.write().unwrap_or_else(PoisonError::into_inner);
    let changed = *policy != settings.policy;
    *policy = settings.policy;
    Ok(changed)
}
