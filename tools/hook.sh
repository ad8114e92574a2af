#!/usr/bin/env bash
# Runs a program of the project's environments, for .pre-commit-config.yaml.
#
#   tools/hook.sh ruff check FILE...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

program=${1:?usage: tools/hook.sh PROGRAM [ARGUMENTS]}
shift
for environment in .venv .venv-fast .venv-verify; do
    if [ -x "$environment/bin/$program" ]; then exec "$environment/bin/$program" "$@"; fi
done
echo "There is no $program yet; run tools/test.sh fast once." >&2
exit 1
