#!/usr/bin/env bash
# Runs a command inside a folder that prepare.sh made.
#
#   tools/real_blender/enter.sh FOLDER COMMAND...
#
# Further folders are seen inside, at the same path, when BIND names them (one a line).  Mounts and
# processes are the command's own: when it ends, all that it started ends, and nothing stays mounted.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
export ROOT=$1
shift

# shellcheck disable=SC2016  # the inner shell expands these
exec unshare --mount --pid --fork --kill-child bash -c '
    set -euo pipefail
    mount --make-rprivate /
    mount -t proc proc "$ROOT/proc"
    mount --rbind /dev "$ROOT/dev"
    mount --rbind /sys "$ROOT/sys"
    mount -t tmpfs tmpfs "$ROOT/dev/shm"
    for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
        if [ -e "$file" ]; then
            mkdir -p "$ROOT$(dirname "$file")"
            # A package of the guest may own the path, and replace it: a copy, not a mount.
            cp --dereference --remove-destination "$file" "$ROOT$file"
        fi
    done
    while IFS= read -r path; do
        [ -n "$path" ] || continue
        if [ -d "$path" ]; then
            mkdir -p "$ROOT$path"
        else
            mkdir -p "$ROOT$(dirname "$path")"
            [ -e "$ROOT$path" ] || : >"$ROOT$path"
        fi
        mount --rbind "$path" "$ROOT$path"
    done <<<"${BIND:-}"
    cd /
    exec chroot "$ROOT" "$@"
' enter "$@"
