#!/usr/bin/env bash
# Sets up what the tests need, then runs every check: ruff, shellcheck, the type checker, pytest.
#
#   tools/test.sh                     everything
#   tools/test.sh -m 'not slow'       arguments go to pytest
set -euo pipefail
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

set_up requirements-test.lock
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
check "shellcheck" "$VENV/bin/shellcheck" --external-sources tools/*.sh .ci/run
check "types" "$VENV/bin/basedpyright"

# pytest speaks last, so that its summary is the last line; the checks above still count.
if [ ${#failed[@]} -gt 0 ]; then say "== FAILED so far: ${failed[*]}"; fi
say "== pytest"
status=0
"$VENV/bin/python" -m pytest "$@" || status=$?
if [ ${#failed[@]} -gt 0 ] && [ "$status" = 0 ]; then status=1; fi
exit "$status"
