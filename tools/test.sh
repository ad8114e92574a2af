#!/usr/bin/env bash
# Sets up what the tests need, then runs the checks.  Three tiers:
#
#   tools/test.sh                     full: ruff, shellcheck, the type checker, a real Blender with a
#                                     window driven by the mouse, every test
#   tools/test.sh standard            without the real Blender and the tests marked slow
#   tools/test.sh fast                ruff, shellcheck and the tests that need no torch, Blender, dlib,
#                                     TensorFlow or PyTorch3D: an environment of their own, a minute
#   tools/test.sh fast -k motion      further arguments go to pytest; any but a tier's name leave the
#                                     real Blender out
#
# What needs torch runs by itself, in .venv-verify: all else in .venv, which has none.
set -euo pipefail
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

tier=full
case ${1:-} in
    fast | standard | full) tier=$1; shift ;;
esac
if [ "$tier" = fast ]; then
    set_up_fast
    VENV=$ROOT/.venv-fast
    set -- --fast --numprocesses 2 --dist worksteal "$@"
else
    set_up requirements-test.lock
    set_up_readers
    set_up_torch
    if [ "$tier" = standard ]; then set -- -m "not slow" "$@"; fi
fi
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
if [ "$tier" != fast ]; then check "types" tools/types.sh; fi

# Needs root, for a Debian in a folder that has a newer Blender than this one.
# shellcheck disable=SC2329  # check calls it
real_blender() {
    local status=0
    tools/real_blender/run.sh 4.3 --out "$ROOT/.cache/real_blender" \
        journey landmarks cancel killed repository || status=$?
    if [ "$status" = 3 ]; then say "LEFT OUT: the tests in a real Blender"; return 0; fi
    return "$status"
}
if [ $# = 0 ]; then check "real Blender" real_blender; fi

# pytest speaks last, so that its summary is the last line; the checks above still count.
if [ ${#failed[@]} -gt 0 ]; then say "== FAILED so far: ${failed[*]}"; fi
if [ "$tier" = fast ]; then
    say "== pytest"
    status=0
    "$VENV/bin/python" -m pytest "$@" || status=$?
else
    results=$ROOT/.cache/pytest
    rm -rf "$results"
    statuses=()
    run_tests() {
        local status=0
        say "== pytest, $1"
        # Two files at once: on two cores that takes half the time.
        "$2/bin/python" -m pytest --numprocesses 2 --dist loadfile --junit-xml "$results/$1.xml" \
            "${@:3}" || status=$?
        statuses+=("$status")
        if [ "$status" = 2 ] || [ "$status" = 130 ]; then exit "$status"; fi  # interrupted
    }
    run_tests without-torch "$ROOT/.venv" --torch without "$@"
    run_tests with-torch "$ROOT/.venv-verify" --torch only "$@"
    status=0
    "$VENV/bin/python" tools/test_totals.py "$results" "${statuses[@]}" || status=$?
fi
if [ ${#failed[@]} -gt 0 ] && [ "$status" = 0 ]; then status=1; fi
exit "$status"
