//! Accepts connections, with or without TLS. Limits the number of connections, in all and of one address, and
//! the time for headers and for taking responses. At the end, lets running requests finish. A connection
//! without a place may still send a health probe.

mod progress;
mod slots;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tower::ServiceExt;

use crate::admission::counted;
use crate::exit::{Exit, Failure};
use crate::secrets;
use progress::Progress;
use slots::{ConnectionLimits, ConnectionSlot, ConnectionSlots};

/// The longest time that the end waits for running requests.
const GRACE: Duration = Duration::from_secs(20);
/// The time that the service still accepts connections after it has reported that it is not ready.
const NOTICE: Duration = Duration::from_secs(1);
/// The largest number of connections at once, if the process may open enough descriptors.
const CONNECTIONS: usize = 1024;
/// One address may use at most the number of connections divided by this number.
const SHARE: usize = 4;
/// The largest number of connections without a place at once, which may only probe.
const RESERVE: usize = 64;
/// The longest time of a connection without a place.
const PROBE: Duration = Duration::from_secs(2);
/// The bytes of responses that the kernel buffers for a slow client.
const UNSENT: u32 = 128 << 10;
/// The number of connections that the kernel queues until they are accepted.
const BACKLOG: u32 = 1024;
/// The number of descriptors that are reserved for files and the database.
const SPARE: usize = 64;

/// How a listener handles connections.
#[derive(Clone)]
pub struct Door {
    /// The certificate and key, if TLS is used.
    pub tls: Option<Tls>,
    /// The longest time for the headers of each request.
    pub headers: Duration,
    /// The runtime of connections with a place. Accepting connections and serving probes runs on the caller's
    /// runtime, so that work delays neither.
    pub workers: Handle,
    /// Proxies, each of which sends for many clients: the limit of one address does not apply to them.
    pub proxies: Arc<[IpNet]>,
    /// The listener's name in the metrics.
    pub name: &'static str,
}

/// The routes for a connection with a place, and for one without.
#[derive(Clone)]
pub struct Routers {
    /// All routes.
    pub all: Router,
    /// Health routes only; other requests are refused.
    pub probes: Router,
}

/// Returns the limits on connections for this number of descriptors.
fn limits(name: &'static str, descriptors: Option<u64>) -> ConnectionLimits {
    let descriptors = descriptors.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let all = descriptors.saturating_sub(SPARE + RESERVE).clamp(1, CONNECTIONS);
    ConnectionLimits { name, all, each: all.div_ceil(SHARE), reserve: RESERVE }
}

/// Listens on an address.
///
/// # Errors
/// The address is in use, or is not one of this machine.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(UNSENT)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until SIGTERM or SIGINT, then calls `ending`. Accepts connections for [`NOTICE`] longer, so that a
/// load balancer notices first.
///
/// # Errors
/// The handlers of the signals can't be installed.
pub async fn serve(listener: TcpListener, routers: Routers, door: Door, ending: impl Fn()) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let graceful = GracefulShutdown::new();
    {
        let mut taking = std::pin::pin!(take(&listener, &routers, &door, &graceful));
        tokio::select! {
            () = &mut taking => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        ending();
        tracing::info!("not ready any more; the last connections are accepted");
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

/// Accepts connections and never ends; a connection without a place may only probe.
async fn take(listener: &TcpListener, routers: &Routers, door: &Door, graceful: &GracefulShutdown) {
    let slots = ConnectionSlots::new(limits(door.name, getrlimit(Resource::Nofile).current));
    loop {
        // Accepted connections run first: otherwise a burst would end a probe before its request is read.
        yield_now().await;
        // Probably no descriptor is free: wait, while open connections go on.
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let address = peer.ip().to_canonical();
        let shared = door.proxies.iter().any(|proxy| proxy.contains(&address));
        let (of, door, watcher) = (counted(address), door.clone(), graceful.watcher());
        match slots.take(of, shared) {
            Some(place) => {
                // The workers' runtime must register the socket, not this one.
                let Ok(stream) = stream.into_std() else { continue };
                let workers = door.workers.clone();
                drop(workers.spawn(placed(stream, peer, routers.all.clone(), door, watcher, place)));
            }
            None => {
                let probing = probing(stream, peer, routers.probes.clone(), door, watcher);
                slots.keep(of, tokio::spawn(probing).abort_handle());
            }
        }
    }
}

async fn placed(
    stream: std::net::TcpStream,
    peer: SocketAddr,
    router: Router,
    door: Door,
    watcher: Watcher,
    _place: ConnectionSlot,
) {
    if let Ok(stream) = TcpStream::from_std(stream) {
        connection(stream, peer, router, &door, watcher, true).await;
    }
}

/// Serves one request of a connection without a place.
async fn probing(stream: TcpStream, peer: SocketAddr, router: Router, door: Door, watcher: Watcher) {
    metrics::counter!("likeness_connections_without_a_place_total").increment(1);
    let _ = timeout(PROBE, connection(stream, peer, router, &door, watcher, false)).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    door: &Door,
    watcher: Watcher,
    keep_alive: bool,
) {
    let _ = stream.set_nodelay(true);
    let stream = Progress::new(stream, door.headers);
    let talk = Talk { peer, router, headers: door.headers, keep_alive };
    match &door.tls {
        None => talk.over(stream, watcher).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(door.headers, tls.acceptor().accept(stream)).await {
                talk.over(stream, watcher).await;
            }
        }
    }
}

/// The requests and responses of one connection.
struct Talk {
    peer: SocketAddr,
    router: Router,
    headers: Duration,
    keep_alive: bool,
}

impl Talk {
    async fn over<S>(self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { peer, router, headers, keep_alive } = self;
        let service = tower::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let router = router.clone();
            async move {
                // Many requests sent at once alternate with those of other connections.
                yield_now().await;
                router.oneshot(request.map(axum::body::Body::new)).await
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(headers)
            .keep_alive(keep_alive)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        // A client that closes its connection is no event for the log.
        let _ = watcher.watch(connection).await;
    }
}

/// The certificate and its key, which a reload replaces.
#[derive(Clone)]
pub struct Tls {
    certificates: Arc<Path>,
    key: Arc<Path>,
    now: Arc<RwLock<TlsAcceptor>>,
}

impl Tls {
    /// Reads the certificate chain and the key from PEM files.
    ///
    /// # Errors
    /// [`Exit::BadSetting`] if a file can't be read, or the key does not fit the certificate.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self, Failure> {
        let now = Arc::new(RwLock::new(acceptor(certificates, key)?));
        Ok(Self { certificates: certificates.into(), key: key.into(), now })
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// The errors of [`Self::read`].
    pub fn again(&self) -> Result<TlsAcceptor, Failure> {
        acceptor(&self.certificates, &self.key)
    }

    /// Sets the certificate for new connections.
    pub fn replace(&self, acceptor: TlsAcceptor) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn acceptor(certificates: &Path, key: &Path) -> Result<TlsAcceptor, Failure> {
    let bad = |path: &Path, why: &dyn std::fmt::Display| {
        Failure::new(Exit::BadSetting, format!("{}: {why}", path.display())).hint("--tls-cert FILE --tls-key FILE, PEM")
    };
    let chain = crate::certificates::read(certificates).map_err(|why| bad(certificates, &why))?;
    let secret = secrets::read(key).map_err(|refusal| {
        let failure = bad(key, &refusal);
        match refusal.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let private = PrivateKeyDer::from_pem_slice(secret.as_bytes()).map_err(|why| bad(key, &why))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
    let mut config = config.map_err(|why| bad(certificates, &why))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_few_descriptors_there_are_a_place_and_the_reserve_are_left() {
        let table =
            [(None, 1024, 256), (Some(1 << 20), 1024, 256), (Some(256), 128, 32), (Some(130), 2, 1), (Some(8), 1, 1)];
        let found = table.map(|(descriptors, ..)| limits("test", descriptors)).map(|limits| (limits.all, limits.each));
        assert_eq!(found, table.map(|(_, all, each)| (all, each)));
    }
}
