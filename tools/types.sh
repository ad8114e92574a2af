#!/usr/bin/env bash
# Checks the types of everything; arguments go to basedpyright.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The type checker knows nothing of editable installations: it finds the package by this link.
mkdir -p .cache/types
ln -sfn "$PWD" .cache/types/reconstruct_face
if [ ! -x .venv-verify/bin/basedpyright ]; then
    echo "There is no type checker yet; run tools/test.sh standard once." >&2
    exit 1
fi
exec .venv-verify/bin/basedpyright "$@"
