//! Tests the program `likeness` from its command line.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use testkit::data::{self, OwnData, own_data};

/// The generated test data, and a lock file with the pins of its weights.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        bench.write_lock(&bench.dir.path().join("store"));
        bench
    }

    /// The repository's own lock file, with the generated weights' pins and this store.
    fn write_lock(&self, store: &Path) {
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        let lock = own_data().lock().replace("\"/tmp/.deepface\"", &quoted(store));
        let lock = lock.replace("\"/opt/baked-models\"", &quoted(&self.dir.path().join("baked")));
        fs::write(self.lock(), lock).unwrap();
    }

    fn lock(&self) -> PathBuf {
        self.dir.path().join("weights.lock")
    }

    fn image(&self, name: &str) -> String {
        own_data().images().join(name).display().to_string()
    }

    /// Creates a folder with copies of the weights, except the named ones.
    fn weights_without(&self, missing: &[&str]) -> PathBuf {
        let folder = self.dir.path().join("weights");
        fs::create_dir_all(&folder).unwrap();
        for entry in fs::read_dir(own_data().weights()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !missing.contains(&name) {
                fs::copy(&path, folder.join(name)).unwrap();
            }
        }
        folder
    }

    fn likeness(&self, command: &str, args: &[&str]) -> Output {
        self.with(&own_data().weights(), command, args)
    }

    fn with(&self, weights: &Path, command: &str, args: &[&str]) -> Output {
        self.command(command).arg("--weights").arg(weights).args(args).output().unwrap()
    }

    fn command(&self, command: &str) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_likeness"));
        program.arg(command).arg("--lock").arg(self.lock());
        program.env_remove("LIKENESS_KERNEL").env_remove("VERIFICATION_THRESHOLD");
        program.env("LIKENESS_ACCEPT_EMBEDDER", embedder());
        program
    }
}

/// Returns the digest of the generated embedder, which the program does not know.
fn embedder() -> &'static str {
    OwnData::sha256(data::EMBEDDER)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn detect_tells_boxes_and_draws_them() {
    let bench = Bench::new();
    let out = bench.dir.path().join("out.png");
    let image = bench.image("anna.jpg");
    let output = bench.likeness("detect", &[&image, "--json", "--draw", out.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let printed = json(&output);
    let face = &printed["faces"][0];
    assert_eq!(face["bounding_box"], serde_json::json!({"x": 167, "y": 207, "width": 139, "height": 174}));
    assert_eq!(face["landmarks"]["right_eye"], serde_json::json!([209, 280]));
    assert_eq!((printed["look"]["mode"].as_str(), face["confidence"].as_f64()), (Some("fast"), Some(0.96)));
    assert_eq!(&fs::read(out).unwrap()[..4], b"\x89PNG");
    let text = bench.likeness("detect", &[&image]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("139x174 at 167,207  confidence 0.96"), "{text}");
}

#[test]
fn live_ends_by_its_judgement() {
    let bench = Bench::new();
    let table = [("anna.jpg", 0, "live"), ("anna_fake.jpg", 30, "spoof"), ("unsure.jpg", 31, "indeterminate")];
    for (image, exit, verdict) in table {
        let output = bench.likeness("live", &[&bench.image(image), "--json"]);
        assert_eq!((code(&output), json(&output)["liveness"]["verdict"].as_str()), (exit, Some(verdict)), "{image}");
    }
}

#[test]
fn compare_accepts_rejects_and_says_why() {
    let bench = Bench::new();
    let table = [
        ("anna.jpg", "bert.jpg", 30, "reject", vec!["different_person"]),
        ("anna.jpg", "anna.jpg", 0, "accept", vec![]),
        ("anna.jpg", "anna_again.jpg", 0, "accept", vec![]),
        ("anna.jpg", "anna_fake.jpg", 30, "reject", vec!["spoof"]),
        ("anna.jpg", "bert_fake.jpg", 30, "reject", vec!["spoof", "different_person"]),
        ("anna.jpg", "close.jpg", 31, "review", vec!["context_too_small"]),
    ];
    for (first, second, exit, verdict, reasons) in table {
        let output = bench.likeness("compare", &[&bench.image(first), &bench.image(second), "--json"]);
        let printed = json(&output);
        let row = format!("{first} {second}: {printed}");
        assert_eq!((code(&output), printed["verdict"].as_str()), (exit, Some(verdict)), "{row}");
        assert_eq!(printed["reasons"], serde_json::json!(reasons), "{row}");
        assert_eq!(printed["models"].as_array().unwrap().len(), 4, "{row}");
    }
}

#[test]
fn an_unknown_embedder_gives_no_verdict_until_its_digest_is_accepted() {
    let bench = Bench::new();
    let (image, weights) = (bench.image("anna.jpg"), own_data().weights());
    let run = |command: &str, args: &[&str]| {
        let mut program = bench.command(command);
        program.env("LIKENESS_ACCEPT_EMBEDDER", "").arg("--weights").arg(&weights).args(args);
        let photographs = if command == "compare" { 2 } else { 1 };
        program.args(vec![&image; photographs]).output().unwrap()
    };
    let other = "0".repeat(64);
    let table: [(&[&str], i32, &str); 4] = [
        (&[], 27, "unknown embedder"),
        (&["--accept-embedder", &other], 27, embedder()),
        (&["--accept-embedder", "0abc"], 2, "64 hexadecimal digits"),
        (&["--accept-embedder", embedder(), "--json"], 0, ""),
    ];
    let mut wrong = Vec::new();
    for command in ["compare", "embed"] {
        for (args, exit, word) in &table {
            let output = run(command, args);
            let answered = *exit == 0 && json(&output)["embedder"] == "accepted";
            let refused = *exit != 0 && output.stdout.is_empty() && stderr(&output).contains(word);
            if code(&output) != *exit || !(answered || refused) {
                wrong.push(format!("{command} {args:?}: {output:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for command in ["detect", "live"] {
        assert_eq!(code(&run(command, &[])), 0, "{command} needs no embedder");
    }
}

#[test]
fn compare_takes_its_threshold_from_the_option_the_setting_or_deepface() {
    let bench = Bench::new();
    let image = bench.image("anna.jpg");
    let printed = |setting: &str, args: &[&str]| {
        let mut program = bench.command("compare");
        program.env("VERIFICATION_THRESHOLD", setting).arg("--weights").arg(own_data().weights());
        let output = program.args([&image, &image, "--json"]).args(args).output().unwrap();
        let printed = json(&output);
        (printed["threshold"].as_f64().unwrap(), printed["threshold_source"].as_str().unwrap().to_owned())
    };
    let table: [(&str, &[&str], f64, &str); 4] = [
        ("", &[], 0.3, "deepface"),
        ("0.3", &[], 0.3, "set"),
        ("0.45", &[], 0.45, "set"),
        ("0.45", &["--threshold", "0.6"], 0.6, "request"),
    ];
    for (setting, args, threshold, source) in table {
        assert_eq!(printed(setting, args), (threshold, source.to_owned()), "{setting} {args:?}");
    }
    let bad = bench.command("compare").env("VERIFICATION_THRESHOLD", "near").args([&image, &image]).output().unwrap();
    assert_eq!(code(&bad), 24, "{}", stderr(&bad));
}

#[test]
fn embed_gives_512_numbers_under_a_contract() {
    let bench = Bench::new();
    let output = bench.likeness("embed", &[&bench.image("anna.jpg"), "--json"]);
    let printed = json(&output);
    assert_eq!(printed["embedding"].as_array().unwrap().len(), 512);
    assert_eq!(printed["contract_id"].as_str().unwrap().len(), 64);
    let models = bench.likeness("models", &["--json"]);
    assert_eq!((code(&models), &json(&models)["contract_id"]), (0, &printed["contract_id"]));
}

#[test]
fn a_missing_weight_is_named_and_never_a_verdict_and_other_commands_still_work() {
    let bench = Bench::new();
    let image = bench.image("anna.jpg");
    let weights = bench.weights_without(&["2.7_80x80_MiniFASNetV2.pth", "facenet512_weights.h5"]);
    for command in ["live", "compare", "embed"] {
        let twice = [image.as_str(), image.as_str()];
        let output = bench.with(&weights, command, if command == "compare" { &twice } else { &twice[..1] });
        let said = stderr(&output);
        let file = if command == "embed" { "facenet512_weights.h5" } else { "2.7_80x80_MiniFASNetV2.pth" };
        assert_eq!((code(&output), output.stdout.len()), (14, 0), "{command}: {said}");
        assert!(said.contains(file) && said.contains("can't work") && said.contains("hint:"), "{command}: {said}");
        assert!(!said.contains("reject") && !said.to_lowercase().contains("spoof detected"), "{command}: {said}");
    }
    assert_eq!(code(&bench.with(&weights, "detect", &[&image])), 0);
    let models = bench.with(&weights, "models", &["--json"]);
    let printed = json(&models);
    assert_eq!((code(&models), printed["models"].as_array().unwrap().len()), (14, 2));
    assert_eq!(printed["missing"].as_object().unwrap().keys().collect::<Vec<_>>(), ["embedder", "spoof 2.7"]);
}

#[test]
fn one_flipped_bit_of_a_weight_is_refused_with_both_digests() {
    let bench = Bench::new();
    let weights = bench.weights_without(&["facenet512_weights.h5"]);
    let file = weights.join("centerface.onnx");
    let mut bytes = fs::read(&file).unwrap();
    bytes[5_000_000] ^= 1;
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    let output = bench.with(&weights, "detect", &[&bench.image("anna.jpg")]);
    let said = stderr(&output);
    assert_eq!(code(&output), 14, "{said}");
    let expected = format!("expected {}", OwnData::sha256(data::DETECTOR));
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn the_store_is_read_before_the_baked_layer_and_a_wrong_store_does_not_stop_the_layer() {
    let bench = Bench::new();
    let tree = ".deepface/weights";
    let (store, baked) = (bench.dir.path().join("store").join(tree), bench.dir.path().join("baked").join(tree));
    for root in [&store, &baked] {
        fs::create_dir_all(root).unwrap();
        fs::copy(own_data().weights().join("centerface.onnx"), root.join("centerface.onnx")).unwrap();
    }
    let origin = || {
        let output = bench.command("models").arg("--json").output().unwrap();
        json(&output)["models"][0]["origin"].as_str().unwrap().to_owned()
    };
    assert_eq!(origin(), store.join("centerface.onnx").display().to_string());
    fs::remove_file(store.join("centerface.onnx")).unwrap();
    fs::write(store.join("centerface.onnx"), "an error page").unwrap();
    assert_eq!(origin(), baked.join("centerface.onnx").display().to_string());
}

#[test]
fn every_refusal_has_its_code() {
    let bench = Bench::new();
    let (text, none) = (bench.dir.path().join("text.jpg"), bench.dir.path().join("none.jpg"));
    fs::write(&text, "not a photograph").unwrap();
    let (text, none, couple) = (text.to_str().unwrap(), none.to_str().unwrap(), bench.image("two.jpg"));
    let one = bench.image("anna.jpg");
    let table: [(&[&str], i32, &str); 8] = [
        (&["live", text], 21, "image_format_unknown"),
        (&["live", none], 20, "none.jpg"),
        (&["live", &couple], 22, "several_faces"),
        (&["live", &one, "--kernel", "abacus"], 2, "expected one of"),
        (&["detect", &one, "--mode", "fast", "--fast-side", "9"], 2, "expected 32 to 4096"),
        (&["detect", &one, &one, "--draw", "x.png"], 2, "--draw"),
        (&["compare", &one, &one, "--threshold", "3"], 2, "--threshold"),
        (&["compare", &one, text], 21, "text.jpg"),
    ];
    for (args, exit, word) in table {
        let output = bench.likeness(args[0], &args[1..]);
        let said = stderr(&output);
        assert_eq!((code(&output), output.stdout.len()), (exit, 0), "{args:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains(word), "{args:?}: {said}");
    }
    let output = bench.command("models").env("BALLAST_LOCK", "").arg("--lock").arg(none).output();
    assert_eq!(code(&output.unwrap()), 2, "two lock files");
}

#[test]
fn bench_has_a_finite_row_for_each_network_and_each_stage_of_both_modes() {
    let bench = Bench::new();
    let (one, couple) = (bench.image("anna.jpg"), bench.image("two.jpg"));
    let output = bench.likeness("bench", &["--json", "--rounds", "1", &one, &couple]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let printed = json(&output);
    let networks: Vec<_> =
        printed["networks"].as_array().unwrap().iter().map(|row| (&row["role"], &row["input"])).collect();
    let expected = serde_json::json!([
        ["detector", [640, 640]],
        ["detector", [480, 640]],
        ["detector", [768, 1024]],
        ["spoof 2.7", [80, 80]],
        ["spoof 4.0", [80, 80]],
        ["embedder", [160, 160]]
    ]);
    assert_eq!(serde_json::json!(networks), expected);
    for row in printed["networks"].as_array().unwrap() {
        positive(row, &["min_ms", "median_ms", "gflops", "percent_of_peak", "rounds"]);
    }
    positive(&printed, &["peak_gflops"]);
    let comparisons = printed["comparisons"].as_array().unwrap();
    assert_eq!(comparisons.iter().map(|row| row["mode"].as_str().unwrap()).collect::<Vec<_>>(), ["exact", "fast"]);
    for comparison in comparisons {
        positive(comparison, &["min_ms", "median_ms", "rounds"]);
        let stages = comparison["stages"].as_array().unwrap();
        let names: Vec<_> = stages.iter().map(|row| row["stage"].as_str().unwrap()).collect();
        assert_eq!(names, ["decode", "detect", "quality", "spoof", "align", "embed"]);
        stages.iter().for_each(|stage| positive(stage, &["min_ms", "median_ms"]));
    }
    assert_eq!((&printed["not_compared"], printed["models"].as_array().unwrap().len()), (&Value::Null, 4));
}

/// Checks that these keys of a report contain positive numbers; a number that is not finite would be null.
fn positive(row: &Value, keys: &[&str]) {
    for key in keys {
        assert!(row[key].as_f64().is_some_and(|number| number > 0.0), "{key}: {row}");
    }
}

#[test]
fn bench_measures_what_is_loaded_names_what_is_missing_and_never_leaves_stages_out_silently() {
    let bench = Bench::new();
    let image = bench.image("anna.jpg");
    let weights = bench.weights_without(&["4_0_0_80x80_MiniFASNetV1SE.pth", "facenet512_weights.h5"]);
    let output = bench.with(&weights, "bench", &["--json", "--rounds", "1", &image, &image]);
    let printed = json(&output);
    assert_eq!((code(&output), printed["networks"].as_array().unwrap().len()), (14, 4), "{printed}");
    assert_eq!(printed["missing"].as_object().unwrap().keys().collect::<Vec<_>>(), ["embedder", "spoof 4.0"]);
    assert_eq!(printed["not_compared"], "they need all four networks");
    let text = bench.with(&weights, "bench", &["--rounds", "1"]);
    let (exit, text) = (code(&text), String::from_utf8_lossy(&text.stdout).into_owned());
    assert_eq!(exit, 14, "{text}");
    for words in ["stages not measured: they need two photographs", "embedder   missing", "detector 640x640", "% peak"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let table: [(&[&str], i32); 3] = [(&[&image], 2), (&["--rounds", "0"], 2), (&[&image, "/nowhere.jpg"], 20)];
    for (args, exit) in table {
        let output = bench.likeness("bench", args);
        assert_eq!((code(&output), output.stdout.len()), (exit, 0), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn many_photographs_are_answered_one_by_one_and_a_bad_one_stops_no_other() {
    let bench = Bench::new();
    let folder = bench.dir.path().join("faces");
    fs::create_dir_all(folder.join("more")).unwrap();
    for (name, image) in [("b.jpg", "anna.jpg"), ("a.JPG", "anna_fake.jpg"), ("more/c.jpg", "unsure.jpg")] {
        fs::copy(bench.image(image), folder.join(name)).unwrap();
    }
    fs::write(folder.join("notes.txt"), "no photograph").unwrap();
    let (folder, none) = (folder.to_str().unwrap(), bench.dir.path().join("none.jpg"));
    let lines = |output: &Output| -> Vec<serde_json::Value> {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let output = bench.likeness("live", &["--json", folder]);
    let verdicts: Vec<_> = lines(&output).iter().map(|line| line["liveness"]["verdict"].clone()).collect();
    assert_eq!((code(&output), verdicts), (30, ["spoof", "live", "indeterminate"].map(Into::into).to_vec()));
    let couple = bench.image("two.jpg");
    for (command, exit, answers) in [("detect", 20, 5), ("live", 20, 5), ("embed", 20, 5)] {
        let output = bench.likeness(command, &["--json", none.to_str().unwrap(), folder, &couple]);
        let printed = lines(&output);
        assert_eq!((code(&output), printed.len()), (exit, answers), "{command}: {output:?}");
        assert_eq!(printed[0]["error_code"], "FILE_FAILED", "{command}");
        let several = if command == "detect" { serde_json::Value::Null } else { "MULTIPLE_FACES".into() };
        assert_eq!(printed[4]["error_code"], several, "{command}: {:?}", printed[4]);
    }
    let mut program = bench.command("live");
    program.arg("--weights").arg(own_data().weights()).args(["-", &bench.image("anna.jpg")]);
    let piped = program.stdin(fs::File::open(bench.image("anna_fake.jpg")).unwrap()).output().unwrap();
    let text = String::from_utf8_lossy(&piped.stdout).into_owned();
    assert!(code(&piped) == 30 && text.starts_with("-  spoof") && text.contains("anna.jpg  live"), "{text}");
    let refused = bench.likeness("compare", &["--json", none.to_str().unwrap(), &couple]);
    let error: serde_json::Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!((&error["exit"], code(&refused)), (&20.into(), 20), "{error}");
}
