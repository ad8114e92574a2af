#!/usr/bin/env bash
# Sets up PyTorch3D too, then compares what a Blender file shows with what was reconstructed.
#
#   tools/verify.sh out/NAME.npz --report NAME.html    arguments go to `verify`; see --help
#   tools/verify.sh                                    sets up only
set -euo pipefail
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

set_up requirements.lock
set_up_verification
if [ $# = 0 ]; then exit 0; fi
exec "$VENV/bin/python" -P -m reconstruct_face.backend verify "$@"
