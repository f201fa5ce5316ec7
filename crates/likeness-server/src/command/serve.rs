//! `likeness serve` runs the HTTP service.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Instant;

use likeness::engine::KernelSet;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use crate::admission::state::{Admission, SILENCE};
use crate::app::{App, Shared};
use crate::args::Serve;
use crate::config::{Settings, unhonoured};
use crate::exit::{Exit, Failure};
use crate::listen::{Door, Routers, Tls};
use crate::models::ModelRegistry;
use crate::record::{Program, Records};
use crate::templates::Templates;
use crate::work::Work;
use crate::{listen, print, reload, router, series};

/// Runs the service until a signal ends it.
///
/// # Errors
/// A setting, the lock file, the store or the address is not usable.
pub fn run(args: &Serve) -> Result<Exit, Failure> {
    let settings = Settings::read(args, &|name| std::env::var(name).ok())?;
    print::logging(settings.log);
    for name in unhonoured(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
        tracing::warn!(?name, "a setting without effect");
    }
    let kernels = crate::models::kernels(args.weights.kernel.as_deref())?;
    let models = ModelRegistry::begin(&args.weights)?;
    let templates = Templates::open(&settings.store)?;
    if let Some(templates) = &templates {
        templates.prepare(models.clone());
    }
    let work = Work::new(settings.limits.workers, settings.limits.wait);
    let admission = Admission::new(&settings, &work, templates.as_ref().map(|templates| templates.store.clone()));
    only_here_without_keys(&settings, &admission)?;
    let metrics = series::install(kernels.name());
    let metrics = metrics.map_err(|why| Failure::new(Exit::BadSetting, format!("metrics: {why}")))?;
    let records = records(&settings, kernels, templates.as_ref())?;
    let app = App::new(Shared {
        records,
        policy: RwLock::new(settings.policy),
        settings,
        models,
        templates,
        admission,
        work,
        kernels,
        metrics,
        started: Instant::now(),
        ending: AtomicBool::new(false),
    });
    let none = |why| Failure::new(Exit::CantListen, format!("threads: {why}"));
    let workers = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().map_err(none)?;
    let doors = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(none)?;
    let ended = doors.block_on(serve(app.clone(), args, workers.handle().clone()));
    // An event loop must not drop the database's client, which would wait for that loop.
    drop((workers, doors));
    app.records.close();
    drop(app);
    ended.map(|()| Exit::Success)
}

/// Creates the records of decisions, and sends the current policy to the journal.
fn records(settings: &Settings, kernels: KernelSet, templates: Option<&Arc<Templates>>) -> Result<Records, Failure> {
    let store = templates.map(|templates| templates.store.clone());
    let records =
        Records::new(Program::of(kernels.name()), store).map_err(|why| Failure::new(Exit::BadSetting, why))?;
    tracing::info!(public_key = records.public_key(), "decision records are signed by this key");
    records.policy(&settings.policy);
    Ok(records)
}

/// Refuses to listen beyond this machine if no key was ever created.
fn only_here_without_keys(settings: &Settings, admission: &Admission) -> Result<(), Failure> {
    let listen = settings.listen.ip();
    if admission.keys.any()? || listen.to_canonical().is_loopback() {
        return Ok(());
    }
    let what = format!("--host {listen}: expected 127.0.0.1 or ::1, since no API key was made");
    Err(Failure::new(Exit::BadSetting, what).hint(
        "`likeness key new --scopes verify,enroll --tenant ID` with the store's --store and --key-file, \
         or API_KEY_SECRET (API_KEY_SECRET_FILE=FILE): a word of 16 characters or more",
    ))
}

async fn serve(app: App, args: &Serve, workers: Handle) -> Result<(), Failure> {
    let settings = &app.settings;
    let headers = SILENCE.min(settings.limits.time);
    let tls = settings.tls.as_ref().map(|(certificates, key)| Tls::read(certificates, key)).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let (listener, address) = bind(settings.listen)?;
    let own = settings.metrics_listen.map(bind).transpose()?;
    print::listening(&format!("{scheme}://{address}"));
    let proxies = settings.access.trusted_proxies.clone().into();
    tokio::spawn(reload::follow(app.clone(), Arc::new(args.clone()), tls.clone()));
    let requests = listen::serve(
        listener,
        router::routers(&app),
        Door { tls, headers, workers, proxies, name: "service" },
        || app.ending.store(true, Ordering::Release),
    );
    let upkeep = app.metrics.clone();
    tokio::spawn(async move {
        loop {
            // Without this upkeep, samples would stay in memory until the next scrape.
            tokio::time::sleep(series::UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    let served = match own {
        None => requests.await,
        Some((listener, address)) => {
            tracing::info!(port = address.port(), "metrics and health have a port of their own");
            let own = router::operations(&app);
            let routers = Routers { all: own.clone(), probes: own };
            let door = Door { tls: None, headers, workers: Handle::current(), proxies: [].into(), name: "operations" };
            let operations = listen::serve(listener, routers, door, || {});
            tokio::try_join!(requests, operations).map(drop)
        }
    };
    served.map_err(|why| cant(settings.listen, &why))
}

fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = listen::bind(listen).map_err(|why| cant(listen, &why))?;
    let address = listener.local_addr().map_err(|why| cant(listen, &why))?;
    Ok((listener, address))
}

fn cant(listen: SocketAddr, why: &std::io::Error) -> Failure {
    Failure::new(Exit::CantListen, format!("{listen}: {why}")).hint("--host ADDRESS --port PORT")
}
