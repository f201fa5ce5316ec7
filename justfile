# What a person does here.

# all recipes
default:
    @just --list

# boots held sticky beside a peer that races, and every interleaving of three acts: minutes
sticky:
    BALLAST_STICKY=long cargo test --locked -p ballast --test root_owned -- --nocapture --test-threads 1
    BALLAST_STICKY=long cargo test --locked -p ballast-cli --test sticky -- --nocapture --test-threads 1

# debug build of everything
build:
    cargo build --workspace --locked

# all tests, after installing what they need
test:
    ./test

# format, lints, docs
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo clippy -p ballast-cli --no-default-features --all-targets --locked -- -D warnings
    cargo clippy --manifest-path fuzz/Cargo.toml --target-dir target --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items --quiet

# likeness beside DeepFace and Silent-Face, as one table (needs the test data)
parity:
    LIKENESS_SIZES=all cargo test -p likeness --locked --test parity --test versions --test modes --test looks -- --nocapture --test-threads 1

# DeepFace's own answers about the generated photographs and about the test data, recorded again (460 MB by pip, minutes)
answers shared="../shared":
    tools/deepface-answers "$(cargo run -q --locked -p testkit --example own-data)/weights" facenet512_weights.h5 "$(cargo run -q --locked -p testkit --example own-data)/images" > crates/likeness/tests/deepface/0.0.103-own.json
    tools/deepface-answers {{shared}}/weights facenet512_synthetic.h5 {{shared}}/images > crates/likeness/tests/deepface/0.0.103-shared.json

# 10,000 persons by `store export` and `store import`, each killed again and again, in both databases
transfer:
    LIKENESS_PERSONS=10000 cargo test --locked --config profile.dev.package.likeness-server.opt-level=2 -p likeness-server --lib -- killed_again_and_again_a --nocapture --test-threads 1

# twelve films of captures in Chromium, in real time (a quiet machine)
films:
    PAGE_FILMS=all cargo test --workspace --locked --test page -- films_of_captures --nocapture

# every state of the page at two widths in two themes: axe and a picture below target/tmp/page (a quiet machine)
looks:
    PAGE_LOOKS=all cargo test --workspace --locked --test page -- every_flow --nocapture

# signed models in both directions with the Python package `model-signing` (pip)
model-signing:
    cargo build -q --locked -p ballast-cli
    tools/model-signing check target/debug/ballast

# the recorded statement of a boot, by its schema and by CycloneDX's (pip)
statement-schemas:
    tools/statement-schemas

# DeepFace 0.0.103 behind `ballast run`, without a network, on pinned .onnx files of the generated test data
deepface-boot:
    tools/deepface-boot

# CPU time of each stage of comparing two photographs of the test data
stages shared="../shared":
    cargo run -q --release -p likeness --example stages -- {{shared}}/weights facenet512_synthetic.h5 {{shared}}/images/image_T1.jpg {{shared}}/images/img51.jpg

# the picture of the page in the documents, by the published networks (needs the test data and pngquant)
picture:
    cargo test --locked -p likeness-server --test page the_samples_themselves
    pngquant --force --strip --speed 1 --output docs/images/page.png target/tmp/page/page.png

# the samples of the page beside its portrait
samples:
    cargo run -q --locked -p testkit --example page-samples

# the static entrypoint, with its size
static:
    tools/static

# man pages and shell completions of both programs, below this folder
manual folder="target/manual":
    tools/manual {{folder}}

# archives for each platform, the image, SBOM, provenance and checksums below target/release-NAME
release *options:
    tools/release {{options}}

# the release from two clean clones, byte for byte (two whole builds)
release-twice *options:
    tools/release-twice {{options}}

# static programs for aarch64, tested under qemu-aarch64 (root, Debian, 2 GB; or one step: toolchain, build)
arm64 *step:
    tools/arm64 {{step}}

# the lines of docs/install.md and README's quick starts in a fresh Debian 12 (root, Debian; three builds)
first-success:
    tools/first-success

# the service's image, from the static programs and the weights at hand (docs/image.md)
image *options:
    tools/image {{options}}

# a wiped cache heals
demo:
    ./run

# boots, heals and fetches beside their peers (root, a quiet machine)
bench:
    tools/bench

# 100,000 small files, 100 shards and one file of 30 GiB: time, memory, lines (root)
bench-scale *options:
    tools/bench-scale {{options}}

# the engine in turns with ONNX Runtime: CPU time and ratios
bench-engine *options:
    tools/bench-likeness {{options}}

# whole jobs of `likeness` as processes, in units of ONNX Runtime's detector
bench-jobs *options:
    tools/bench-jobs {{options}}

# a folder of photographs on one core and on two
bench-batch *options:
    tools/bench-batch {{options}}

# the index of the store: loading, memory and searches of 100,000 and 1,000,000 persons
bench-index sizes="100000,1000000":
    LIKENESS_INDEX_SIZES={{sizes}} cargo test -q --release --locked -p likeness-server --lib store::bench::figures -- --ignored --nocapture

# the service under load beside DeepFace's own figures, and 20 live cameras (two cores, a quiet machine, the test data)
load *options:
    tools/load {{options}}

# 5,000 connections that never read, and how soon probes are answered meanwhile (-- CONNECTIONS SECONDS for less)
crowd *options:
    cargo build -q --release --locked -p likeness-server
    tools/crowd target/release/likeness {{options}}

# damaged weight files: who refuses them, and the smallest change that the self-test sees
corruption:
    cargo test --locked -p likeness --test corruption -- --nocapture --test-threads=1

# fuzz every reader of foreign bytes, or the named ones, for some seconds each
fuzz seconds="300" *targets:
    tools/fuzz {{seconds}} {{targets}}

# the same for ten seconds each, as CI does
fuzz-short:
    tools/fuzz 10

# what CI runs
ci:
    .ci/run
