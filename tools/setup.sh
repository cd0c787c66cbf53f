#!/bin/sh
# Sets this checkout up, once: checks the toolchain and fetches libtorch from PyPI into .libtorch/. Nothing is installed
# outside of the checkout; a second call changes nothing.
#
#   GYRO_CUDA=1|0   with or without CUDA; unset: with CUDA where the machine has an NVIDIA driver
#   LIBTORCH=DIR    a libtorch of your own: nothing is fetched
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/tools/common.sh"
libtorch=$root/.libtorch

torch=2.13.0       # the version that torch-sys 0.26 binds
cuda_toolkit=13.0.3 # what that version's wheel asks for in its METADATA
python=3.12        # whose wheel is taken; the libraries in it are the same for every Python

check_toolchain() {
    command -v cargo >/dev/null || die "cargo was not found" "install the Rust toolchain: https://rustup.rs"
    compiler=${CXX:-c++}
    command -v "${compiler%% *}" >/dev/null ||
        die "no C++ compiler: ${compiler%% *} was not found" "install g++ (on Debian: apt-get install g++) or set CXX"
}

# check_disk GIGABYTES: enough room on the file system of this checkout, before something large begins.
check_disk() {
    free=$(df -Pk "$root" | awk 'NR == 2 { print int($4 / 1048576) }')
    [ "$free" -ge "$1" ] ||
        die "not enough disk: $free GB are free at $root" "libtorch and the build need about $1 GB; free some room"
}

# version_of DIR: the version of the libtorch in DIR, without its +suffix; nothing if it does not say.
version_of() {
    if [ -f "$1/build-version" ]; then
        sed 's/+.*//' "$1/build-version"
    elif [ -f "$1/version.py" ]; then
        sed -n "s/^__version__ = '\([0-9.]*\).*/\1/p" "$1/version.py"
    fi
}

check_own_libtorch() {
    [ -d "$LIBTORCH/lib" ] || die "LIBTORCH has no folder lib: $LIBTORCH" "unset LIBTORCH to have libtorch $torch fetched"
    found=$(version_of "$LIBTORCH")
    [ "$found" = "$torch" ] ||
        echo "warning: LIBTORCH is version ${found:-unknown}, Gyro binds $torch: $LIBTORCH" >&2
}

wants_cuda() {
    case ${GYRO_CUDA-} in
    1) return 0 ;;
    0) return 1 ;;
    '') [ -e /proc/driver/nvidia/version ] || nvidia-smi >/dev/null 2>&1 ;;
    *) die "GYRO_CUDA must be 0 or 1, got: $GYRO_CUDA" "unset it to let the machine's driver decide" ;;
    esac
}

# fetch_libraries VARIANT: what libtorch needs of NVIDIA. The CPU library is linked to two of them all the same.
fetch_libraries() {
    case $1 in
    cpu) fetch "$staged" "cuda-toolkit[cudart,cupti]==$cuda_toolkit" ;;
    cuda)
        # The wheel's own list; triton and the Python parts of it serve Python only. Not yet run on a machine with CUDA.
        set -f
        # shellcheck disable=SC2046 # one word for each requirement
        fetch "$staged" $(sed -n -e 's/^Requires-Dist: \(cuda-toolkit[^; ]*\).*/\1/p' \
            -e 's/^Requires-Dist: \(nvidia-[^; ]*\).*/\1/p' "$staged/torch-$torch.dist-info/METADATA")
        set +f
        ;;
    esac
}

# keep_libraries VARIANT: leaves libraries, headers and licences; the rest of the wheel serves Python.
keep_libraries() {
    for path in "$staged"/* "$staged"/torch/*; do
        case $path in
        "$staged"/torch | "$staged"/nvidia | "$staged"/*.dist-info) ;;
        "$staged"/torch/lib | "$staged"/torch/include | "$staged"/torch/version.py) ;;
        *) rm -rf "$path" ;;
        esac
    done
    rm -f "$staged"/torch/lib/libtorch_python.*
    # torch-sys links torch_cuda where it sees the file, and what it drags in is not there on a CPU.
    [ "$1" = cuda ] || rm -f "$staged"/torch/lib/libtorch_cuda* "$staged"/torch/lib/libtorch_nvshmem*
    # Where torch-sys looks for the version.
    echo "$torch" >"$staged/torch/build-version"
}

fetch_libtorch() {
    case $1 in cpu) check_disk 4 ;; cuda) check_disk 12 ;; esac
    echo "fetching libtorch $torch for $1 into .libtorch/ (once)" >&2
    mkdir -p "$libtorch"
    for left in "$libtorch"/staged.*; do
        kill -0 "${left##*.}" 2>/dev/null || rm -rf "$left"
    done
    staged=$libtorch/staged.$$
    trap 'rm -rf "$staged"' EXIT
    trap 'exit 2' HUP INT TERM
    mkdir "$staged" "$staged/tmp"
    # pip unpacks where TMPDIR says: the room was checked here, and /tmp may be small.
    export TMPDIR="$staged/tmp"
    fetch "$staged" --no-deps --implementation cp --python-version "$python" "torch==$torch"
    [ "$(uname -s)" != Linux ] || fetch_libraries "$1"
    keep_libraries "$1"
    # Renamed when complete, so that a killed fetch leaves nothing half.
    rm -rf "${libtorch:?}/$1"
    mv "$staged" "$libtorch/$1"
}

check_toolchain
if [ -n "${LIBTORCH-}" ]; then
    check_own_libtorch
elif [ -z "${LIBTORCH_USE_PYTORCH-}" ]; then
    variant=cpu
    ! wants_cuda || variant=cuda
    [ "$(version_of "$libtorch/$variant/torch")" = "$torch" ] || fetch_libtorch "$variant"
    [ "$(readlink "$libtorch/current")" = "$variant/torch" ] || ln -sfn "$variant/torch" "$libtorch/current"
fi
