#!/usr/bin/env bash
# Sets up what the tests need, then runs every check: ruff, shellcheck, the type checker, a real
# Blender with a window driven by the mouse, pytest.
#
#   tools/test.sh                     everything
#   tools/test.sh -m 'not slow'       arguments go to pytest, and the real Blender is left out
set -euo pipefail
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

set_up requirements-test.lock
set_up_verification
cd "$ROOT"
failed=()

check() {
    local name=$1
    shift
    say "== $name"
    "$@" || failed+=("$name")
}

check "ruff check" "$VENV/bin/ruff" check .
check "ruff format" "$VENV/bin/ruff" format --check .
check "shellcheck" "$VENV/bin/shellcheck" --external-sources \
    tools/*.sh tools/real_blender/*.sh .ci/run
# The type checker sees no editable install: it finds the package, under its name, by a link.
# shellcheck disable=SC2329  # check calls it
types() {
    mkdir -p .cache/types && ln -sfn "$ROOT" .cache/types/reconstruct_face
    "$VENV/bin/basedpyright"
}
check "types" types

# Needs root, for a Debian in a folder that has a newer Blender than this one.
# shellcheck disable=SC2329  # check calls it
real_blender() {
    local status=0
    tools/real_blender/run.sh 4.3 --out "$ROOT/.cache/real_blender" journey landmarks cancel killed \
        || status=$?
    if [ "$status" = 3 ]; then say "LEFT OUT: the tests in a real Blender"; return 0; fi
    return "$status"
}
if [ $# = 0 ]; then check "real Blender" real_blender; fi

# pytest speaks last, so that its summary is the last line; the checks above still count.
if [ ${#failed[@]} -gt 0 ]; then say "== FAILED so far: ${failed[*]}"; fi
say "== pytest"
status=0
"$VENV/bin/python" -m pytest "$@" || status=$?
if [ ${#failed[@]} -gt 0 ] && [ "$status" = 0 ]; then status=1; fi
exit "$status"
