#!/usr/bin/env bash
# Writes the exact versions, with the hashes of their files, that the scripts of tools/ and the add-on's
# set-up install.
#   tools/lock.sh            keep the versions that still fit pyproject.toml and the .in files
#   tools/lock.sh --upgrade  take the newest
#
# A lock file holds the hashes of all files of a release, so it serves every platform and Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-.venv/bin/python}
"$PYTHON" -m pip install --quiet uv

compile() {
    "$PYTHON" -m uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header \
        --no-annotate "$@"
}

# What packages are built with, wherever one is: the project itself, face_recognition_models.
build=scene/installation/build
compile "$@" --output-file "$build.lock" "$build.in"

# All that a test can need, in one environment; every other lock takes these versions.
compile "$@" --constraint "$build.lock" --extra test --extra types --extra torch --extra original \
    --extra verify --output-file requirements-torch.lock pyproject.toml
compile --constraint requirements-torch.lock --output-file requirements.lock pyproject.toml
compile --constraint requirements-torch.lock --extra test --output-file requirements-test.lock \
    pyproject.toml
compile --constraint requirements-torch.lock --extra gpu --output-file requirements-gpu.lock \
    pyproject.toml
compile --constraint requirements-torch.lock --extra verify \
    --output-file requirements-verify.lock pyproject.toml

# The fast tier's: the same versions as the other tests, on the other systems as well.
compile --constraint requirements-torch.lock --output-file requirements-fast.lock requirements-fast.in

# The add-on's set-up, without and with torch: for every platform and every Python that Blender
# comes with.
backend=scene/installation/requirements
compile "$@" --universal --constraint "$build.lock" --output-file "$backend.lock" "$backend.in"
compile "$@" --universal --constraint "$build.lock" --constraint "$backend.lock" \
    --output-file "$backend-gpu.lock" "$backend-gpu.in"

# The documentation's: the extra alone, without what the project runs with.
"$PYTHON" -c 'import tomllib
extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]
print(*extras["docs"], sep="\n")' | compile "$@" --output-file requirements-docs.lock -
