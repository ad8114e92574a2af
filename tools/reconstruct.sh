#!/usr/bin/env bash
# One photo to a head, from nothing: sets the machine up when needed, then reconstructs.
#
#   tools/reconstruct.sh                          the sample photo, into out/
#   tools/reconstruct.sh PHOTO... [options]       see tools/reconstruct.sh --help
#   tools/reconstruct.sh --with-gpu PHOTO...      once: sets up torch with CUDA too, and stays so
set -euo pipefail
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

if [ "${1:-}" = --with-gpu ]; then
    shift
    set_up_gpu
else
    set_up requirements.lock
fi
exec "$VENV/bin/python" -P -m reconstruct_face.backend reconstruct --sample "$@"
