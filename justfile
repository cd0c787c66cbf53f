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

# Train a reference model from its recipe.
[no-exit-message]
train RECIPE *ARGS: build
    @cargo run --quiet -- train "$@"

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

# Make the golden fixtures again with code from outside, in a virtual environment under .tools/.
fixtures *ARGS="all":
    python3 -m venv .tools/fixtures
    .tools/fixtures/bin/python -m pip install --quiet -r tools/requirements.txt
    .tools/fixtures/bin/python tools/fixtures.py "$@"

# Make the training text of the reference models.
text *ARGS:
    python3 tools/text.py "$@"
