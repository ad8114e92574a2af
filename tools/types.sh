#!/usr/bin/env bash
# Checks the types of everything; arguments go to basedpyright.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The type checker knows nothing of editable installations: it finds the package by this link.
mkdir -p .cache/types
ln -sfn "$PWD" .cache/types/reconstruct_face
exec .venv/bin/basedpyright "$@"
