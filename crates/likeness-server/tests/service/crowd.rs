//! Fills the service with connections that never read, send nothing, or send half a request. Meanwhile,
//! health and other addresses are served, and every such connection ends.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpSocket;

use crate::support::{Ground, PATIENCE, Request, Service, wait_for};

const KEY: &str = "a-key-of-the-tests-of-32-letters";

/// Raises this process's limit of open files, which the started service inherits.
fn many_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}

fn address(service: &Service) -> SocketAddr {
    service.url.rsplit('/').next().unwrap().parse().unwrap()
}

/// Connects from `127.0.0.LAST`, with a small receive buffer.
fn connect(service: &Service, last: u8) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connected = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
        socket.connect(address(service)).await.unwrap().into_std().unwrap()
    });
    connected.set_nonblocking(true).unwrap();
    connected
}

/// Opens connections from several addresses in turn; each sends these bytes and nothing more.
fn crowd(service: &Service, connections: usize, addresses: u8, sends: &[u8]) -> Vec<TcpStream> {
    let one = |number: usize| {
        let last = 1 + u8::try_from(number % usize::from(addresses)).unwrap();
        let mut stream = connect(service, last);
        // The write may be partial, or fail if a connection without a place was closed meanwhile.
        let _ = stream.write(sends);
        stream
    };
    (0..connections).map(one).collect()
}

/// Sends a request from this address on a new connection; returns status and body.
fn ask_from(service: &Service, last: u8, path: &str) -> (u16, String) {
    use std::io::Read as _;
    let mut stream = connect(service, last);
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{path} from {last}: {read:?}: {text:?}")), text)
}

/// Waits until the service has ended most of its connections.
fn until_left(service: &Service) {
    let left = || metric(service, "likeness_connections{listener=\"service\"}");
    wait_for("the end of the connections", || (left() <= 8.0).then_some(()));
}

/// Returns a metric, read from an address outside the crowd; 0 if it is missing.
fn metric(service: &Service, name: &str) -> f64 {
    let (status, text) = ask_from(service, 250, "/metrics");
    assert_eq!(status, 200, "{text}");
    let line = text.lines().find(|line| line.starts_with(name)).map(|line| line.rsplit(' ').next().unwrap());
    line.map_or(0.0, |value| value.trim().parse().unwrap())
}

#[test]
fn no_crowd_of_connections_keeps_a_probe_or_another_address_from_being_answered() {
    if !testkit::need::time("no_crowd_of_connections_keeps_a_probe_or_another_address_from_being_answered") {
        return;
    }
    let ground = Ground::new();
    many_descriptors();
    let service = ground.serve(&[], &[("API_KEY_SECRET", KEY), ("REQUEST_TIMEOUT_SECONDS", "3")]).ready();
    let endless = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(3000);
    let table: [(&str, &[u8]); 4] = [
        ("never reads", &endless),
        ("says nothing", b""),
        ("never ends its headers", b"GET / HTTP/1.1\r\nhost: localhost\r\nx: "),
        ("never ends its body", b"POST /api/v1/verify HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9999\r\n\r\nx"),
    ];
    for (row, sends) in table {
        // More than the share of one address.
        let crowd = crowd(&service, 400, 1, sends);
        for turn in 0..5 {
            assert_eq!(ask_from(&service, 1, "/api/v1/health/live").0, 200, "{row} {turn}: of the crowd's address");
            assert_eq!(ask_from(&service, 2, "/api/v1/health/ready").0, 200, "{row} {turn}: of another one");
            assert_eq!(ask_from(&service, 2, "/openapi.json").0, 200, "{row} {turn}: no probe");
        }
        until_left(&service);
        drop(crowd);
    }
    assert!(metric(&service, "likeness_connections_stalled_total") >= 200.0, "ended by the deadline on writes");
    assert!(metric(&service, "likeness_connections_without_a_place_total") >= 400.0);
}

#[test]
fn where_every_place_is_taken_from_many_addresses_probes_are_answered_and_the_rest_is_refused_by_name() {
    let ground = Ground::new();
    many_descriptors();
    let service = ground.serve(&[], &[("API_KEY_SECRET", KEY), ("REQUEST_TIMEOUT_SECONDS", "20")]).ready();
    let crowd = crowd(&service, 1200, 6, b"GET / HTTP/1.1\r\n");
    for path in ["/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready", "/api/v1/health/detailed"] {
        assert_eq!(ask_from(&service, 9, path).0, 200, "{path}");
    }
    let (status, text) = ask_from(&service, 9, "/openapi.json");
    assert!(status == 503 && text.contains("OVERLOADED") && text.contains("retry-after"), "{text}");
    drop(crowd);
    wait_for("a free place", || (ask_from(&service, 9, "/openapi.json").0 == 200).then_some(()));
}

#[test]
fn a_trusted_proxy_has_no_share_since_it_stands_for_many() {
    let ground = Ground::new();
    many_descriptors();
    let lines = [("API_KEY_SECRET", KEY), ("TRUSTED_PROXIES", "127.0.0.1"), ("REQUEST_TIMEOUT_SECONDS", "20")];
    let service = ground.serve(&[], &lines).ready();
    let crowd = crowd(&service, 400, 1, b"GET / HTTP/1.1\r\n");
    assert_eq!(ask_from(&service, 1, "/openapi.json").0, 200);
    drop(crowd);
}

#[test]
fn health_has_the_listener_of_metrics_too() {
    let ground = Ground::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let own = format!("127.0.0.1:{port}");
    let _service = ground.serve(&["--metrics-listen", &own], &[("API_KEY_SECRET", KEY)]).ready();
    for path in ["/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready", "/metrics"] {
        assert_eq!(Request::new("GET", path).to(&format!("http://{own}")).status, 200, "{path}");
    }
    assert_eq!(Request::new("GET", "/openapi.json").to(&format!("http://{own}")).status, 404);
}
