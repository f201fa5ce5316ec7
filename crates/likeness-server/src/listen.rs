//! Sockets: a bounded number of connections, each with a time for its headers, with or without TLS,
//! and an end that lets running requests finish.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tower::ServiceExt;

use crate::exit::{Exit, Failure};

/// Running requests are waited for, at the end, so long.
const GRACE: Duration = Duration::from_secs(20);
/// Readiness is refused for so long before connections are.
const NOTICE: Duration = Duration::from_secs(1);
/// Connections at once, where the process may have as many descriptors.
const CONNECTIONS: usize = 1024;
/// Descriptors that are left for files and the database.
const SPARE: usize = 64;

/// How connections are taken.
#[derive(Clone)]
pub struct Door {
    /// The certificate, where TLS is served.
    pub tls: Option<TlsAcceptor>,
    /// A client sends its headers within this time, the next ones too.
    pub headers: Duration,
}

/// Connections at once.
fn most() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.and_then(|most| usize::try_from(most).ok());
    descriptors.unwrap_or(usize::MAX).saturating_sub(SPARE).clamp(1, CONNECTIONS)
}

/// Serves until SIGTERM or SIGINT, then `ending` is called. Connections beyond the most wait to be
/// taken; for [`NOTICE`] more are taken after the signal, so that whoever balances hears of it first.
///
/// # Errors
/// The signals can't be caught.
pub async fn serve(listener: TcpListener, router: Router, door: Door, ending: impl Fn()) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let graceful = GracefulShutdown::new();
    {
        let mut taking = std::pin::pin!(take(&listener, &router, &door, &graceful));
        tokio::select! {
            () = &mut taking => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        ending();
        tracing::info!("not ready any more; the last connections are taken");
        let _ = timeout(NOTICE, taking).await;
    }
    drop(listener);
    tracing::info!("no new connections; running requests end");
    tokio::select! {
        () = graceful.shutdown() => {}
        () = sleep(GRACE) => tracing::warn!("some requests were cut off"),
    }
    Ok(())
}

/// Takes connections, for ever.
async fn take(listener: &TcpListener, router: &Router, door: &Door, graceful: &GracefulShutdown) {
    let places = Arc::new(Semaphore::new(most()));
    loop {
        match (places.clone().acquire_owned().await, listener.accept().await) {
            (Ok(place), Ok((stream, peer))) => {
                tokio::spawn(connection(stream, peer, router.clone(), door.clone(), graceful.watcher(), place));
            }
            // Out of descriptors: those that are open go on.
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    door: Door,
    watcher: Watcher,
    _place: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    match &door.tls {
        None => talk(stream, peer, router, door.headers, watcher).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(door.headers, tls.accept(stream)).await {
                talk(stream, peer, router, door.headers, watcher).await;
            }
        }
    }
}

async fn talk<S>(stream: S, peer: SocketAddr, router: Router, headers: Duration, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = tower::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(headers)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    // A client that went away is no event.
    let _ = watcher.watch(connection).await;
}

/// The certificate and its key, from PEM files.
///
/// # Errors
/// [`Exit::BadSetting`]: one can't be read, or they don't belong together.
pub fn tls(certificates: &Path, key: &Path) -> Result<TlsAcceptor, Failure> {
    let bad = |path: &Path, why: &dyn std::fmt::Display| {
        Failure::new(Exit::BadSetting, format!("{}: {why}", path.display())).hint("--tls-cert FILE --tls-key FILE, PEM")
    };
    let chain = CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|why| bad(certificates, &why))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|why| bad(key, &why))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
    let mut config = config.map_err(|why| bad(certificates, &why))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
