#!/usr/bin/env bash
# Makes a folder that holds a Debian with a real Blender, an X server and the tools that drive it.
#
#   tools/real_blender/prepare.sh 4.3 FOLDER     Blender 4.3, Debian trixie
#   tools/real_blender/prepare.sh 5.2 FOLDER     Blender 5.2, Debian sid
#
# Needs root, apt and about 2 GB; a few minutes.  The mirror is the one that this machine's apt
# uses.  Does nothing when the folder is complete, continues when it is not.  Exit status 3 and a
# sentence when this machine cannot do it.
set -euo pipefail

[ $# = 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
version=$1
root=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case $version in
    4.3) suite=trixie extra=() ;;
    5.2) suite=sid extra=(python3-cattr) ;;  # its Blender imports it, the package does not ask for it
    *) echo "There is no recipe for Blender $version: choose 4.3 or 5.2." >&2; exit 2 ;;
esac
packages=(
    blender python3-numpy python3-requests python3-zstandard "${extra[@]}"
    xvfb xauth libgl1-mesa-dri libegl1 xdotool x11-apps imagemagick
)

say() { printf '%s\n' "$*" >&2; }
stop() { say "Real Blender $version: $1"; exit 3; }

stamp=$root/.prepared
wanted="$suite ${packages[*]}"
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

[ "$(id -u)" = 0 ] || stop "needs root, for debootstrap and chroot."
command -v apt-get >/dev/null || stop "needs a Debian or Ubuntu."
export DEBIAN_FRONTEND=noninteractive
if ! command -v debootstrap >/dev/null; then
    apt-get install -y --no-install-recommends debootstrap >/dev/null \
        || stop "debootstrap cannot be installed."
fi

# What this machine's own Debian packages come from serves the newer suites as well.
# shellcheck disable=SC2016  # apt expands these
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null \
    | head -n 1)
if [ -z "$mirror" ]; then
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 '/debian$')
fi
[ -n "$mirror" ] || stop "apt names no Debian mirror."

if [ ! -e "$root/etc/apt/sources.list" ] || [ -d "$root/debootstrap" ]; then
    say "Real Blender $version: base system of Debian $suite ..."
    mkdir -p "$root"
    debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1 \
        || stop "debootstrap failed; see $root.log"
fi

# A mirror that is frozen at a date serves files that apt calls expired.
printf '%s\n' 'Acquire::Check-Valid-Until "false";' 'Acquire::Check-Date "false";' \
    >"$root/etc/apt/apt.conf.d/90frozen-mirror"
say "Real Blender $version: packages ..."
"$here/enter.sh" "$root" sh -c "
    set -e
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends ${packages[*]}
    apt-get clean
" >>"$root.log" 2>&1 || stop "its packages cannot be installed; see $root.log"

found=$("$here/enter.sh" "$root" blender --background --version | sed -n 's/^Blender //p' | head -n 1)
case $found in
    "$version".*) ;;
    *) stop "Debian $suite now holds Blender ${found:-nothing}; the recipe must be brought up to date." ;;
esac
printf '%s\n' "$wanted" >"$stamp"
say "Real Blender $version: $found is ready in $root"
