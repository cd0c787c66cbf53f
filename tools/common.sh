# Sourced by ./just and tools/setup.sh, which set $root first: complaints, and pip into a folder of this checkout.

# die MESSAGE HINT: one line on what is wrong, one on what to do next; the exit code of "could not judge".
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 2
}

# Runs a pip that can install into a folder: the machine's own, else one in a virtual environment of this checkout.
pip() {
    command -v python3 >/dev/null || die "python3 was not found" "install Python 3.9 or newer, with pip"
    python=python3
    if ! python3 -m pip --version >/dev/null 2>&1; then
        python="$root/.tools/python/bin/python"
        if ! "$python" -m pip --version >/dev/null 2>&1 && ! python3 -m venv --clear "$root/.tools/python" >/dev/null 2>&1; then
            rm -rf "$root/.tools/python"
            die "python3 has neither pip nor venv" "install one of them; on Debian: apt-get install python3-pip"
        fi
    fi
    # Nothing is installed outside of --target, so a distribution's guard of its own packages does not apply.
    PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 "$python" -m pip "$@" >&2
}

# fetch TARGET ARGUMENTS..: pip-installs ready-made packages (never a source build) into the folder TARGET.
fetch() {
    target=$1
    shift
    pip install --only-binary=:all: --retries 2 --target "$target" "$@" ||
        die "pip could not fetch the packages named above" \
            "is the network there? behind a mirror or proxy set PIP_INDEX_URL or HTTPS_PROXY"
}
