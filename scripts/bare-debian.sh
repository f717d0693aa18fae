#!/usr/bin/env bash
# bare-debian.sh SUITE: prints the path of a tar with Debian's smallest system (debootstrap), which is made in .local/ if need be and
# kept there. As root only. MIRROR names another archive. Exit 1, with the reason, where it cannot be made.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

SUITE=${1:?which suite}
MIRROR=${MIRROR:-http://deb.debian.org/debian}
TAR=$STATE/bare-$SUITE.tar
ROOTFS=$STATE/bare-$SUITE

mkdir -p "$STATE"
exec 9>>"$TAR.lock"
flock -w 1800 9 || die "another run has been making a bare $SUITE for half an hour"
if [[ ! -e $TAR ]]; then
    command -v debootstrap >/dev/null || "$ROOT/scripts/install-packages.sh" debootstrap >&2
    say "debootstrap makes a bare $SUITE (some minutes, once)"
    rm -rf --one-file-system "$ROOTFS"
    debootstrap --variant=minbase "$SUITE" "$ROOTFS" "$MIRROR" >"$ROOTFS.log" 2>&1 9>&- ||
        { tail -n 5 "$ROOTFS.log" >&2 && die "debootstrap could not make a root from $MIRROR"; }
    tar -C "$ROOTFS" --one-file-system -cf "$TAR.new" .
    mv "$TAR.new" "$TAR"
    rm -rf --one-file-system "$ROOTFS"
fi
echo "$TAR"
