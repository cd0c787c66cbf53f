# Gyro's recipes. `./just RECIPE` runs them anywhere; they run in the root of the checkout, so paths start there.
# `gyro`, `diagnose` and `train` end with the program's own exit code: 0 nothing regressed, 1 a regression, 2 no judgement.

set positional-arguments

_list:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Check the toolchain and fetch libtorch, once; every recipe that needs it does so by itself.
setup:
    @tools/setup.sh

# Compile the program; the first time takes some minutes.
build: setup
    @cargo build --bin gyro

# Find the cause of a regression: ./just diagnose scenarios/8k_regression.yaml [--quick].
[no-exit-message]
diagnose SCENARIO *ARGS: build
    @cargo run --quiet -- diagnose "$@"

# Run every scenario in its full form; ends with the worst exit code.
[no-exit-message]
nightly *ARGS: build
    @worst=0; \
    for scenario in scenarios/*.yaml; do \
        code=0; cargo run --quiet -- diagnose "$scenario" "$@" || code=$?; \
        [ "$code" -le "$worst" ] || worst=$code; \
    done; \
    exit "$worst"

# Run every scenario in its quick form; fails where one comes to no report.
scenarios: build
    @for scenario in scenarios/*.yaml; do \
        out=target/quick/$(basename "$scenario" .yaml); rm -rf "$out"; \
        cargo run --quiet -- diagnose "$scenario" --quick --out "$out" || [ $? -le 2 ]; \
        [ -s "$out/findings.json" ] || exit 1; \
    done

# Score the diagnosis against the catalogue of faults: ./just score [--quick] [--unseen].
[no-exit-message]
score *ARGS: build
    @cargo run --quiet -- score "$@"

# Train a reference model from its recipe: ./just train models/reference/2k.yaml --position alibi.
[no-exit-message]
train RECIPE *ARGS: build
    @cargo run --quiet -- train "$@"

# Adapt a checkpoint to a retrofit by a short training.
[no-exit-message]
adapt RECIPE *ARGS: build
    @cargo run --quiet -- adapt "$@"

# Run any command of the program: ./just gyro list methods.
[no-exit-message]
gyro *ARGS: build
    @cargo run --quiet -- "$@"

# Run all tests; arguments go to cargo test.
[no-exit-message]
test *ARGS: setup
    cargo test "$@"

# Run the tests that need no libtorch, which is not fetched.
[no-exit-message]
fast *ARGS:
    cargo test --no-default-features "$@"

# Check format, lints, tests and documentation.
check: format lint test doc

# Check the format.
format:
    cargo fmt --check

# Check the lints.
lint: setup
    cargo clippy --all-targets -- -D warnings

# Build the documentation; a broken link is an error.
doc: setup
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Run the benches, in the profile of everything else so that nothing is compiled twice.
bench *ARGS: setup
    cargo bench --profile dev "$@"

# Open a run's pages in headless Chromium: no console error, nothing loaded, no sideways scroll.
[no-exit-message]
pages RUN:
    python3 tools/pages.py {{ quote(RUN) }}/*.html

# Make the golden fixtures again with code from outside, in a virtual environment under .tools/.
fixtures *ARGS="all":
    python3 -m venv .tools/fixtures
    .tools/fixtures/bin/python -m pip install --quiet -r tools/requirements.txt
    .tools/fixtures/bin/python tools/fixtures.py "$@"

# Make the training text of the reference models.
text *ARGS:
    python3 tools/text.py "$@"
