#!/usr/bin/env bash
# Installs packages of the distribution: install-packages.sh PACKAGE…
# As root with apt; else says what to install and fails.
#
# Debian's server packages start a broker on every interface, or create a database cluster, as part of their
# installation. Neither is wanted here: the services run as private processes, and a machine's own
# services are nobody's business but its owner's. Both are prevented for the time of the installation only.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

POLICY=/usr/sbin/policy-rc.d
NO_CLUSTER=/etc/postgresql-common/createcluster.d/hookline-install.conf
MARK='Written by install-packages.sh, for the time of one installation'

# Removes what prevent_autostart wrote, and nothing that was there before.
allow_autostart() {
    local file
    for file in "$POLICY" "$NO_CLUSTER"; do
        if grep -qsF "$MARK" "$file"; then rm -f "$file"; fi
    done
}

prevent_autostart() {
    allow_autostart # what a killed run may have left; nobody else is at it, the lock is ours
    if [[ ! -e $POLICY ]]; then
        printf '#!/bin/sh\n# %s.\nexit 101\n' "$MARK" >"$POLICY"
        chmod 755 "$POLICY"
    fi
    mkdir -p "${NO_CLUSTER%/*}"
    printf '# %s.\ncreate_main_cluster = false\n' "$MARK" >"$NO_CLUSTER"
}

apt() {
    DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get -q -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null
}

install() { apt install -y --no-install-recommends "$@" >>"$log" 2>&1; }

lists_are_fresh() { [[ -n $(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mmin -60 -print -quit 2>/dev/null) ]]; }

main() {
    (($#)) || die "usage: install-packages.sh PACKAGE…"
    if ! is_root || ! command -v apt-get >/dev/null; then
        die "missing on this machine: $*. Install it, with apt by: sudo $(printf %q "$ROOT/scripts/install-packages.sh") $* (which keeps Debian from starting it)"
    fi
    log=$(mktemp) # not local: the trap outlives this function
    trap 'allow_autostart; rm -f "$log"' EXIT
    trap 'exit 130' INT TERM HUP

    open_machine_lock install 8
    flock -w 900 8 || die "another installation has been running for 15 minutes"
    say "installing with apt: $*"
    prevent_autostart
    # A stale list names versions that the archive no longer has, so only a fresh one is trusted. A source that
    # does not answer is no more than a warning: it need not be the one that matters.
    if lists_are_fresh && install "$@"; then return; fi
    apt update >>"$log" 2>&1 || say "apt-get update failed, trying with the lists at hand"
    if ! install "$@"; then
        tail -n 20 "$log" >&2
        die "apt-get could not install: $*"
    fi
}
main "$@"
