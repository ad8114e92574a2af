#!/usr/bin/env bash
# Writes the exact versions that tools/reconstruct.sh, tools/test.sh and the add-on's set-up install.
#   tools/lock.sh            keep the versions that still fit pyproject.toml and requirements.in
#   tools/lock.sh --upgrade  take the newest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-.venv/bin/python}
"$PYTHON" -m pip install --quiet uv

compile() {
    "$PYTHON" -m uv pip compile --quiet --python-version 3.11 --no-header --no-annotate \
        --no-emit-package setuptools "$@" pyproject.toml
}

# Whether torch needs CUDA's libraries depends on the build of it that pip finds; a build that does
# names their exact versions itself.
without_cuda() { sed -i -E '/^(cuda-|nvidia-|triton)/d' "$1"; }

compile "$@" --output-file requirements.lock
without_cuda requirements.lock
compile "$@" --extra test --constraint requirements.lock --output-file requirements-test.lock
without_cuda requirements-test.lock

# The fast tier's: the same versions as the other tests, on the other systems as well.
"$PYTHON" -m uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
    --constraint requirements-test.lock --output-file requirements-fast.lock requirements-fast.in

# The add-on's set-up: for every platform and every Python that Blender comes with.
backend=scene/installation/requirements
"$PYTHON" -m uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
    "$@" --output-file "$backend.lock" "$backend.in"
without_cuda "$backend.lock"

# The documentation's: the extra alone, without what the project runs with.
"$PYTHON" -c 'import tomllib
extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]
print(*extras["docs"], sep="\n")' | "$PYTHON" -m uv pip compile --quiet --python-version 3.11 \
    --no-header --no-annotate "$@" --output-file requirements-docs.lock -

# The verification's: PyTorch3D with the release of torch that it was built for.
"$PYTHON" -m uv pip compile --quiet --python-version 3.11 --no-header --no-annotate \
    --no-emit-package setuptools "$@" --output-file requirements-verify.lock requirements-verify.in
without_cuda requirements-verify.lock
