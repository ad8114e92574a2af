#!/usr/bin/env bash
# Sets up PyTorch3D, then compares what a Blender file shows with what was reconstructed.
#
#   tools/verify.sh out/NAME.npz --report NAME.html    arguments go to `verify`; see --help
#   tools/verify.sh                                    sets up only
set -euo pipefail
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

set_up_verification
if [ $# = 0 ]; then exit 0; fi
exec "$ROOT/.venv-verify/bin/python" -P -m reconstruct_face.backend verify "$@"
