//! Tests two replicas on one PostgreSQL. A rolling restart behind a real proxy loses no request, also with a
//! new master key and SIGHUP in the middle. A repeated request is stored once, and a person deleted on one
//! replica is not found on the other.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::support::{Answer, Ground, PATIENCE, Request, Service, wait_for};

/// Two replicas with one database, one key file and the same weights.
struct Replicas {
    ground: Ground,
    store: String,
    key: String,
}

impl Replicas {
    fn new(cluster: &Cluster) -> Self {
        let ground = Ground::new();
        let (store, key) = (cluster.database(), ground.dir.path().join("key").display().to_string());
        let place = ["--store", &store, "--key-file", &key];
        let made = Command::new(env!("CARGO_BIN_EXE_likeness")).args(["store", "init"]).args(place).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        Self { ground, store, key }
    }

    /// Makes a new master key, which wraps everything.
    fn rotate(&self) {
        let place = ["--store", &self.store, "--key-file", &self.key];
        let before = fs::read_to_string(&self.key).unwrap();
        let program = Command::new(env!("CARGO_BIN_EXE_likeness")).args(["store", "rotate"]).args(place).output();
        assert!(program.as_ref().unwrap().status.success(), "{program:?}");
        assert_ne!(fs::read_to_string(&self.key).unwrap(), before);
    }

    /// Starts a replica at a port; 0 takes a free one.
    fn replica(&self, port: u16, variables: &[(&str, &str)]) -> Service {
        let (port, log) = (port.to_string(), self.ground.dir.path().join(format!("log-{port}")));
        let mut program = self.ground.program("serve");
        program.args(["--port", &port, "--store", &self.store, "--key-file", &self.key]);
        program.envs(variables.iter().copied());
        let service = Service::start(program, log);
        service.until("/api/v1/health/ready", 200);
        service
    }
}

fn enrolment(user: &str, image: &[u8]) -> Request {
    Request::post("/api/v1/enroll").text("user_id", user).file("file", image)
}

/// Sends a request again while every core is busy.
fn patiently(url: &str, request: impl Fn() -> Request) -> Answer {
    let busy = |answer: &Answer| answer.status == 503 && answer.problem().1 == "OVERLOADED";
    wait_for("a free core", || Some(request().to(url)).filter(|answer| !busy(answer)))
}

#[test]
fn fifty_duplicates_at_two_replicas_enrol_once() {
    let Some(cluster) = Cluster::start("fifty_duplicates_at_two_replicas_enrol_once") else { return };
    let replicas = Replicas::new(&cluster);
    let services = [replicas.replica(0, &[]), replicas.replica(0, &[])];
    let live = replicas.ground.image("carl.jpg");
    let fresh = AtomicUsize::new(0);
    thread::scope(|scope| {
        for at in 0..50 {
            let (url, live, fresh) = (&services[at % 2].url, &live, &fresh);
            scope.spawn(move || {
                let answer = patiently(url, || enrolment("ann", live).header("Idempotency-Key", "k"));
                assert_eq!(answer.status, 200, "{answer:?}");
                fresh.fetch_add(usize::from(answer.header("idempotent-replayed").is_none()), Ordering::Relaxed);
            });
        }
    });
    assert_eq!(fresh.into_inner(), 1);
}

#[test]
fn who_is_deleted_at_one_replica_is_not_found_at_the_other() {
    let Some(cluster) = Cluster::start("who_is_deleted_at_one_replica_is_not_found_at_the_other") else { return };
    let replicas = Replicas::new(&cluster);
    let [a, b] = [replicas.replica(0, &[]), replicas.replica(0, &[])];
    let live = replicas.ground.image("carl.jpg");
    let found = |service: &Service| {
        let found = service.ask(Request::post("/api/v1/search").file("file", &live));
        found.json()["best_match"]["user_id"].clone()
    };
    assert_eq!(a.ask(enrolment("ann", &live)).status, 200);
    assert_eq!((found(&a), found(&b)), ("ann".into(), "ann".into()));
    assert_eq!(a.ask(Request::new("DELETE", "/api/v1/enroll/ann")).status, 200);
    assert_eq!((found(&b), found(&a)), (serde_json::Value::Null, serde_json::Value::Null));
}

#[test]
fn a_database_that_goes_and_comes_is_reported_and_no_verdict() {
    const SECRET: &str = "a-secret-of-the-environment";
    let Some(cluster) = Cluster::start("a_database_that_goes_and_comes_is_reported_and_no_verdict") else { return };
    let replicas = Replicas::new(&cluster);
    // A key of the environment is valid whatever the state of the store is.
    let service = replicas.replica(0, &[("API_KEY_SECRET", SECRET)]);
    let live = replicas.ground.image("carl.jpg");
    let ask = |request: Request| service.ask(request.header("X-API-Key", SECRET));
    assert_eq!(ask(enrolment("ann", &live)).status, 200);
    let verify = || ask(Request::post("/api/v1/verify").text("user_id", "ann").file("file", &live));
    cluster.down("fast");
    assert_eq!(verify().problem(), (503, "STORE_UNAVAILABLE".into()));
    assert_eq!(service.get("/api/v1/health/live").status, 200);
    service.until("/api/v1/health/ready", 503);
    let stateless = ask(Request::post("/api/v1/liveness").file("file", &live));
    assert_eq!(stateless.json()["verdict"], "live");
    cluster.up();
    service.until("/api/v1/health/ready", 200);
    assert_eq!(verify().json()["verified"], true);
}

#[test]
fn while_the_index_is_read_search_says_so_and_what_needs_no_person_is_answered() {
    let Some(cluster) = Cluster::start("while_the_index_is_read_search_says_so_and_what_needs_no_person_is_answered")
    else {
        return;
    };
    let replicas = Replicas::new(&cluster);
    let live = replicas.ground.image("carl.jpg");
    assert_eq!(replicas.replica(0, &[]).ask(enrolment("ann", &live)).status, 200);
    let lock = cluster.lock(&replicas.store, "person");
    let service = replicas.replica(0, &[]);
    let search = || service.ask(Request::post("/api/v1/search").file("file", &live));
    assert_eq!(search().problem(), (503, "INDEX_LOADING".into()));
    let health = service.get("/api/v1/health");
    assert_eq!((health.status, health.json()["store"].as_str()), (200, Some("index_loading")), "{health:?}");
    assert_eq!(service.ask(Request::post("/api/v1/liveness").file("file", &live)).json()["verdict"], "live");
    drop(lock);
    let found = wait_for("the index", || Some(search()).filter(|answer| answer.status == 200));
    assert_eq!(found.json()["best_match"]["user_id"], "ann");
}

#[test]
fn without_keys_a_database_that_is_gone_leaves_health_to_this_machine() {
    let Some(cluster) = Cluster::start("without_keys_a_database_that_is_gone_leaves_health_to_this_machine") else {
        return;
    };
    let replicas = Replicas::new(&cluster);
    let service = replicas.replica(0, &[]);
    cluster.down("fast");
    // After this time, the remembered results about keys have expired.
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(service.get("/api/v1/health/live").status, 200);
    let foreign = service.ask(Request::new("GET", "/api/v1/health/live").header("Origin", "http://elsewhere.example"));
    assert_eq!(foreign.problem(), (403, "FORBIDDEN".into()));
    let live = replicas.ground.image("carl.jpg");
    let refused = service.ask(Request::post("/api/v1/liveness").file("file", &live));
    assert_eq!(refused.problem(), (503, "STORE_UNAVAILABLE".into()), "keys can't be read");
}

/// HAProxy in front of two ports, ended when dropped.
struct Proxy {
    url: String,
    child: Child,
}

impl Proxy {
    fn start(ground: &Ground, ports: [u16; 2]) -> Self {
        let port = free_port();
        let [a, b] = ports;
        // If a connection fails, the other replica gets it; a request is never sent twice.
        let config = format!(
            "global\n  maxconn 200\n\
             defaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n  timeout queue 60s\n\
             \x20 option redispatch 1\n  retries 3\n  retry-on conn-failure\n  option http-server-close\n\
             frontend in\n  bind 127.0.0.1:{port}\n  default_backend replicas\n\
             backend replicas\n  balance roundrobin\n  option httpchk\n  http-response set-header x-replica %s\n\
             \x20 http-check send meth GET uri /api/v1/health/ready ver HTTP/1.1 hdr Host localhost\n\
             \x20 default-server check inter 200ms fall 1 rise 1 maxconn 4\n\
             \x20 server a 127.0.0.1:{a}\n  server b 127.0.0.1:{b}\n"
        );
        let path = ground.dir.path().join("haproxy.cfg");
        fs::write(&path, config).unwrap();
        let started =
            Command::new("haproxy").arg("-f").arg(&path).arg("-db").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = started.unwrap_or_else(|error| panic!("haproxy: {error}: ./test installs it"));
        wait_for("the proxy", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { url: format!("http://127.0.0.1:{port}"), child }
    }

    /// Waits until the proxy sends requests to both replicas.
    fn until_both(&self) {
        for name in ["a", "b"] {
            wait_for("a replica behind the proxy", || {
                let answer = Request::new("GET", "/api/v1/health/ready").to(&self.url);
                (answer.status == 200 && answer.header("x-replica") == Some(name)).then_some(())
            });
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Sends SIGHUP and waits until the service has read its files again.
fn hang_up(service: &Service) {
    const DONE: &str = "were read again";
    let count = || service.log().matches(DONE).count();
    let before = count();
    assert!(Command::new("kill").args(["-HUP", &service.child.id().to_string()]).status().unwrap().success());
    wait_for(DONE, || (count() > before).then_some(()));
}

/// Returns the threshold that a replica uses.
fn threshold(service: &Service, image: &[u8]) -> Option<f64> {
    let compare = || Request::post("/api/v1/compare").file("file1", image).file("file2", image);
    patiently(&service.url, compare).json()["threshold"].as_f64()
}

fn terminate(mut service: Service) {
    let id = service.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(service.child.wait().unwrap().success(), "{}", service.log());
}

/// Enrols persons and verifies each once, until the end; returns what was answered and who was enrolled.
fn enrol_and_verify(
    client: usize,
    url: &str,
    live: &[u8],
    persons: &AtomicUsize,
    end: &AtomicBool,
) -> (Vec<String>, Vec<String>) {
    let (mut answers, mut enrolled) = (Vec::new(), Vec::new());
    let said = |answer: &Answer| if answer.status == 200 { "200".into() } else { format!("{answer:?}") };
    // The loop is bounded, so that the test ends whatever fails meanwhile.
    let start = Instant::now();
    while !end.load(Ordering::Acquire) && start.elapsed() < 2 * PATIENCE {
        let user = format!("user-{client}-{}", enrolled.len());
        let answer = enrolment(&user, live).to(url);
        answers.push(said(&answer));
        if answer.status == 200 {
            enrolled.push(user.clone());
            persons.fetch_add(1, Ordering::AcqRel);
            let verify = Request::post("/api/v1/verify").text("user_id", &user).file("file", live).to(url);
            answers.push(said(&verify));
        }
    }
    (answers, enrolled)
}

#[test]
fn a_rolling_restart_with_a_new_master_key_and_a_reload_under_load_loses_no_request_and_no_enrolment() {
    let Some(cluster) = Cluster::start(
        "a_rolling_restart_with_a_new_master_key_and_a_reload_under_load_loses_no_request_and_no_enrolment",
    ) else {
        return;
    };
    let replicas = Replicas::new(&cluster);
    let ports = [free_port(), free_port()];
    let live = replicas.ground.image("carl.jpg");
    let policy = replicas.ground.dir.path().join("policy");
    fs::write(&policy, "VERIFICATION_THRESHOLD=0.25\n").unwrap();
    let variables = [("LIKENESS_POLICY_FILE", policy.to_str().unwrap())];
    let mut services = ports.map(|port| Some(replicas.replica(port, &variables)));
    let proxy = Proxy::start(&replicas.ground, ports);
    proxy.until_both();
    let (end, mut seen) = (AtomicBool::new(false), BTreeMap::<String, usize>::new());
    let persons = AtomicUsize::new(0);
    // Waits until more persons were enrolled.
    let more = |count: usize| {
        let before = persons.load(Ordering::Acquire);
        wait_for("enrolments", || (persons.load(Ordering::Acquire) >= before + count).then_some(()));
    };
    let enrolled = thread::scope(|scope| {
        let load = |client: usize| {
            let (end, live, url, persons) = (&end, &live, &proxy.url, &persons);
            scope.spawn(move || enrol_and_verify(client, url, live, persons, end))
        };
        let clients: Vec<_> = (0..3).map(load).collect();
        more(2);
        for (at, port) in ports.into_iter().enumerate() {
            // The proxy notices the end by a refused connection.
            services[at].take().into_iter().for_each(terminate);
            services[at] = Some(replicas.replica(port, &variables));
            // If this wait were missing, the other replica would end while the proxy still does not use this one.
            proxy.until_both();
            more(2);
            if at == 0 {
                replicas.rotate();
                fs::write(&policy, "VERIFICATION_THRESHOLD=0.26\n").unwrap();
                services.iter().flatten().for_each(hang_up);
                let used = services.each_ref().map(|service| threshold(service.as_ref().unwrap(), &live));
                assert_eq!(used, [Some(0.26); 2]);
                more(2);
            }
        }
        end.store(true, Ordering::Release);
        let mut all = Vec::new();
        for client in clients {
            let (answers, enrolled) = client.join().unwrap();
            answers.into_iter().for_each(|answer| *seen.entry(answer).or_default() += 1);
            all.extend(enrolled);
        }
        all
    });
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["200"], "{seen:?}");
    assert!(enrolled.len() >= 6, "{enrolled:?}");
    let known = |user: &String| {
        patiently(&proxy.url, || Request::post("/api/v1/verify").text("user_id", user).file("file", &live)).json()
    };
    let lost: Vec<_> = enrolled.iter().filter(|user| known(user)["verified"] != true).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
