#!/usr/bin/env bash
# Drives the extension in a real Blender with windows, as a user would, and takes screenshots.
#
#   tools/real_blender/run.sh [4.3|5.2] [--out FOLDER] [SCENARIO...]
#
# Makes the Debian folder when it is not there (see prepare.sh), builds the extension's zip,
# installs it by `blender --command extension install-file`, and runs the scenarios of
# scenarios.py, all of them unless some are named.  FOLDER gets screenshots, Blender's output and
# result.json.  Exit status 0: all went as it should; 1: see the sentences; 2: called wrongly; 3: this
# machine cannot do it (see prepare.sh).
#
#   RECONSTRUCT_FACE_REAL_BLENDER   where the Debian folders are kept, one for each version
#   RECONSTRUCT_FACE_PYTHON         the backend's Python; otherwise the project's .venv
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$here/../.." && pwd)
version=4.3
out=
scenarios=()
while [ $# -gt 0 ]; do
    case $1 in
        [0-9].*) version=$1 ;;
        --out) out=${2:?--out needs a folder}; shift ;;
        -*) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
        *) scenarios+=("$1") ;;
    esac
    shift
done

store=${RECONSTRUCT_FACE_REAL_BLENDER:-${XDG_CACHE_HOME:-$HOME/.cache}/reconstruct_face/real_blender}
root=$store/$version
python=${RECONSTRUCT_FACE_PYTHON:-$project/.venv/bin/python}
[ -x "$python" ] || { echo "There is no backend Python at $python; run tools/test.sh once." >&2; exit 1; }

"$here/prepare.sh" "$version" "$root"
if [ -z "$out" ]; then out=$(mktemp -d -t "real_blender-$version-XXXXXX"); fi
mkdir -p "$out"
out=$(cd "$out" && pwd)
echo "Screenshots and results: $out" >&2

# The scenario "repository" installs from what the project's tool makes.
if [ ${#scenarios[@]} = 0 ] || [[ " ${scenarios[*]} " == *" repository "* ]]; then
    rm -rf "$out/repository/site"
    "$python" "$project/tools/build_extension.py" --index "$out/repository/site" >&2
fi

# The backend's Python is the host's own, seen inside at the same path: the environment, and the
# installation it was made from.
environment=$("$python" -c 'import sys; print(sys.prefix)')
base=$("$python" -c 'import os, sys, sysconfig
if sys.base_prefix.startswith(("/usr/local", "/usr")) and "/" not in sys.base_prefix[5:]:
    print(os.path.realpath(sys.executable), sysconfig.get_path("stdlib"), sep="\n")
else:
    print(sys.base_prefix)')
export BIND="$project
$environment
$base
$out"

exec "$here/enter.sh" "$root" env -i \
    PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8 LIBGL_ALWAYS_SOFTWARE=1 \
    RECONSTRUCT_FACE_PYTHON="$python" \
    RECONSTRUCT_FACE_PYTORCH3D="$project/.venv-verify/bin/python" SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    python3 "$here/inside.py" "$project" "$out" "${scenarios[@]}"
