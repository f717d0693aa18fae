#!/usr/bin/env bash
# faketime.sh: prints the path of libfaketime, which shows a program another time, and fetches it first if need be.
#
# One that is installed is taken; else the package is taken from the archive that apt knows here and unpacked into
# .local/faketime, so nothing of the machine changes. Exit 1, with the reason, where it cannot be had.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

INTO=$STATE/faketime

# find_in FOLDER…: the library that is made for programs of several threads.
find_in() { find "$@" -name libfaketimeMT.so.1 -print -quit 2>/dev/null; }

library=$(find_in "$INTO" /usr/lib || true)
if [[ -z $library ]]; then
    command -v apt-get >/dev/null || die "there is no libfaketime on this machine, and no apt to fetch it with"
    mkdir -p "$INTO"
    (cd "$INTO" && apt-get -q -o APT::Sandbox::User=root download libfaketime) >&2 || die "apt-get cannot download libfaketime"
    for deb in "$INTO"/*.deb; do dpkg -x "$deb" "$INTO/root"; done
    library=$(find_in "$INTO" || true)
    [[ -n $library ]] || die "the package libfaketime holds no libfaketimeMT.so.1"
fi
echo "$library"
