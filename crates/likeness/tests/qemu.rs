//! Tests every kernel set on other processors, with QEMU: the generated networks give their recorded results,
//! and the published ones, if present, pass their self-tests.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests; the outer reads the inner")]

mod support;

use std::path::Path;
use std::process::Command;

use likeness::engine::KernelSet;
use likeness::find::Finder;
use likeness::net::{Detector, SpoofV1Se, SpoofV2};
use support::recorded::{TOLERANCE, finder_error, spoof_error};
use support::{CENTERFACE, SPOOF_V1SE, SPOOF_V2, testdata, weights};
use testkit::data::own_data;

/// The other tests run this test under QEMU; it also runs on this machine.
#[test]
fn generated_networks_give_their_recorded_answers_on_the_best_kernels() {
    let (folder, set) = (own_data().root(), KernelSet::best());
    let finder = Finder::new(Detector::load(weights(folder, CENTERFACE), set).unwrap());
    let v2 = SpoofV2::load(weights(folder, SPOOF_V2), set).unwrap();
    let v1se = SpoofV1Se::load(weights(folder, SPOOF_V1SE), set).unwrap();
    let errors = [
        finder_error(&finder),
        spoof_error(0, 2.7, |scratch, input| v2.logits(scratch, input)),
        spoof_error(1, 4.0, |scratch, input| v1se.logits(scratch, input)),
    ];
    println!("kernels {set}: off by {errors:?}");
    assert!(errors.into_iter().all(|error| error <= TOLERANCE), "{errors:?}");
}

/// The other tests run this test under QEMU; it also runs on this machine.
#[test]
fn networks_pass_their_self_tests_on_the_best_kernels() {
    let Some(folder) = testdata("self-tests") else { return };
    let set = KernelSet::best();
    let detector = Detector::load(weights(&folder, CENTERFACE), set).unwrap();
    let v2 = SpoofV2::load(weights(&folder, SPOOF_V2), set).unwrap();
    let v1se = SpoofV1Se::load(weights(&folder, SPOOF_V1SE), set).unwrap();
    for tested in [detector.tested(), v2.tested(), v1se.tested()] {
        println!("kernels {set}: {tested}");
    }
}

/// Runs this test file on a processor that QEMU emulates.
fn under(emulator: &str, processor: &str, kernels: &str) {
    let test = format!("networks on {processor}");
    let Some(emulator) =
        ["/usr/bin", "/usr/local/bin"].iter().map(|bin| Path::new(bin).join(emulator)).find(|p| p.exists())
    else {
        testkit::need::skip(&test, &format!("{emulator} (apt-get install qemu-user)"));
        return;
    };
    let output = Command::new(emulator)
        .args(["-cpu", processor])
        .arg(std::env::current_exe().unwrap())
        .args(["on_the_best_kernels", "--nocapture", "--test-threads=1"])
        // The outer tests record the skips.
        .env_remove(testkit::need::RECORD)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}");
    assert!(output.status.success(), "{processor}: {:?}\n{out}\n{err}", output.status);
    let lines = out.matches(&format!("kernels {kernels}: ")).count();
    let published = testkit::paths::shared_data().join("weights").is_dir();
    assert_eq!(lines, if published { 4 } else { 1 }, "{processor}: {out}");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_processor_without_avx_runs_the_portable_kernels() {
    under("qemu-x86_64", "Nehalem", "portable");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_processor_without_avx512_runs_the_avx2_kernels() {
    under("qemu-x86_64", "Haswell", "avx2");
}

/// Runs only if the target is installed; otherwise prints that, which is no failure.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_neon_kernels_compile_where_the_target_is_installed() {
    let target = "aarch64-unknown-linux-gnu";
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let listed = Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output().unwrap();
    let folder = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
    if !Path::new(&folder).is_dir() {
        testkit::need::skip("the_neon_kernels_compile", &format!("the compiler's target {target}"));
        return;
    }
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let check = ["check", "--quiet", "--locked", "--lib", "--target", target, "--manifest-path", manifest];
    assert!(testkit::paths::cargo().args(check).status().unwrap().success());
}
