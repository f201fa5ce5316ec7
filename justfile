# What a person does here.

# all recipes
default:
    @just --list

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
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items --quiet

# the static entrypoint, with its size
static:
    tools/static

# a wiped cache heals
demo:
    ./run

# boots, heals and fetches beside their peers (root, a quiet machine)
bench:
    tools/bench

# what CI runs
ci:
    .ci/run
