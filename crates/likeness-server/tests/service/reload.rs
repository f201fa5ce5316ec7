//! Tests SIGHUP: certificates, keys and policy are read again, all or none, and no request fails.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{Ground, Request, Service, wait_for};

fn write(ground: &Ground, name: &str, text: &str) -> String {
    let path = ground.dir.path().join(name);
    let part = path.with_extension("part");
    fs::write(&part, text).unwrap();
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(part, &path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Writes a new certificate and key over the former ones, and the certificate also under another name.
fn certify(ground: &Ground, number: usize) -> [String; 3] {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let pem = made.cert.pem();
    [
        write(ground, "tls.pem", &pem),
        write(ground, "tls.key", &made.signing_key.serialize_pem()),
        write(ground, &format!("trusted{number}.pem"), &pem),
    ]
}

fn hang_up(service: &Service) {
    assert!(Command::new("kill").arg("-HUP").arg(service.child.id().to_string()).status().unwrap().success());
}

/// Sends the signal and waits until the log has one more line of this outcome.
fn reload(service: &Service, outcome: &str) {
    let count = || service.log().matches(outcome).count();
    let before = count();
    hang_up(service);
    wait_for(outcome, || (count() > before).then_some(()));
}

const DONE: &str = "were read again";
const REFUSED: &str = "are unchanged";

#[test]
fn under_load_a_reload_loses_no_request_and_takes_over_certificate_key_and_policy() {
    let ground = Ground::new();
    let [certificate, key, first] = certify(&ground, 0);
    let secret = write(&ground, "secret", "the-first-key-of-the-tests");
    let policy = write(&ground, "policy", "LIVENESS_THRESHOLD=0.7\n");
    let store = ground.dir.path().join("data");
    fs::create_dir(&store).unwrap();
    let (url, master) = (format!("sqlite:{}", store.join("t.db").display()), ground.dir.path().join("key"));
    let place = ["--store", &url, "--key-file", master.to_str().unwrap()];
    let likeness = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_likeness")).args(words).args(place).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    likeness(&["store", "init"]);
    let lasting = likeness(&["key", "new", "--scopes", "verify", "--tenant", "*"]);
    let args = [&place[..], &["--tls-cert", &certificate, "--tls-key", &key]].concat();
    let service = ground.serve(&args, &[("API_KEY_SECRET_FILE", &secret), ("LIKENESS_POLICY_FILE", &policy)]);
    let url = service.url.clone();
    let compare = |key: &str, image: &[u8]| {
        let request = Request::post("/api/v1/compare").file("file1", image).file("file2", image);
        request.header("x-api-key", key).to(&url)
    };
    let anna = ground.image("anna.jpg");
    wait_for("the models", || (compare(&lasting, &anna).status == 200).then_some(()));
    let (ended, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    while !ended.load(Ordering::Acquire) {
                        let reply = compare(&lasting, &anna);
                        assert_eq!(reply.status, 200, "{reply:?}");
                        answered.fetch_add(1, Ordering::AcqRel);
                    }
                })
            })
            .collect();
        let served = || {
            let so_far = answered.load(Ordering::Acquire);
            wait_for("more answers", || {
                assert!(!clients.iter().any(|client| client.is_finished()), "a client ended");
                (answered.load(Ordering::Acquire) > so_far + 2).then_some(())
            });
        };
        for round in 1..=3 {
            served();
            certify(&ground, round);
            write(&ground, "secret", &format!("key-number-{round}-of-the-tests"));
            write(&ground, "policy", &format!("VERIFICATION_THRESHOLD=0.{round}\n"));
            likeness(&["store", "rotate"]);
            reload(&service, DONE);
            served();
        }
        ended.store(true, Ordering::Release);
    });
    assert_eq!(compare("the-first-key-of-the-tests", &anna).status, 401);
    let reply = compare("key-number-3-of-the-tests", &anna).json();
    assert_eq!((&reply["threshold"], &reply["threshold_source"]), (&0.3.into(), &"set".into()), "{reply}");
    let probe = |ca: &str| {
        let live = format!("{url}/api/v1/health/live");
        Command::new(env!("CARGO_BIN_EXE_likeness")).args(["probe", &live, "--ca", ca]).output().unwrap().status.code()
    };
    assert_eq!((probe(&first.replace("trusted0", "trusted3")), probe(&first)), (Some(0), Some(26)));
}

#[test]
fn what_makes_no_sense_changes_nothing_of_what_is_served() {
    let ground = Ground::new();
    let secret = write(&ground, "secret", "the-first-key-of-the-tests");
    let policy = write(&ground, "policy", "VERIFICATION_THRESHOLD=0.25\n");
    let variables = [("API_KEY_SECRET_FILE", secret.as_str()), ("LIKENESS_POLICY_FILE", policy.as_str())];
    let service = ground.serve(&[], &variables).ready();
    let anna = ground.image("anna.jpg");
    let threshold = |key: &str| {
        let request = Request::post("/api/v1/compare").file("file1", &anna).file("file2", &anna);
        let reply = service.ask(request.header("x-api-key", key));
        (reply.status, reply.json()["threshold"].as_f64())
    };
    let first = "the-first-key-of-the-tests";
    assert_eq!(threshold(first), (200, Some(0.25)));
    // The key is valid and the policy is not: neither is replaced.
    write(&ground, "secret", "another-key-of-the-tests");
    for wrong in ["VERIFICATION_THRESHOLD=far\n", "VERIFICATION_TRESHOLD=0.2\n", "MAX_FILE_SIZE=2000\n"] {
        write(&ground, "policy", wrong);
        reload(&service, REFUSED);
        assert_eq!(threshold(first), (200, Some(0.25)), "{wrong:?}");
    }
    write(&ground, "policy", "VERIFICATION_THRESHOLD=0.2\n");
    reload(&service, DONE);
    assert_eq!(threshold(first).0, 401);
    assert_eq!(threshold("another-key-of-the-tests"), (200, Some(0.2)));
    let mut both = ground.program("serve");
    let both = both.args(["--port", "0"]).envs(variables).env("VERIFICATION_THRESHOLD", "0.3").output().unwrap();
    let reply = String::from_utf8_lossy(&both.stderr);
    assert!(both.status.code() == Some(24) && reply.contains("found in both"), "{reply}");
}
