#!/usr/bin/env bash
# prometheus.sh: prints a folder that holds promtool and prometheus, and puts it into .local/prometheus first if need be: those on
# PATH where they are, else Debian's package, downloaded and unpacked and not installed, so that nothing of the machine changes
# and no daemon starts. Exit 1, with the reason, where neither can be had.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

INTO=$STATE/prometheus
BIN=$INTO/root/usr/bin

fetch() {
    local fresh=$INTO/fresh
    command -v apt-get >/dev/null || die "promtool and prometheus are neither on PATH nor to be had with apt"
    rm -rf "$fresh"
    mkdir -p "$fresh"
    # The lists at hand may name a version that the archive no longer has; only root may make them new.
    (cd "$fresh" && apt-get -q -o APT::Sandbox::User=root download prometheus) >"$INTO/log" 2>&1 ||
        { is_root && apt-get -q update >>"$INTO/log" 2>&1 &&
            (cd "$fresh" && apt-get -q -o APT::Sandbox::User=root download prometheus) >>"$INTO/log" 2>&1; } ||
        die "Debian's package prometheus cannot be downloaded (see .local/prometheus/log)"
    mkdir -p "$fresh/root"
    dpkg -x "$fresh"/*.deb "$fresh/root"
    rm -rf "$INTO/root"
    mv "$fresh/root" "$INTO/root"
    rm -rf "$fresh"
}

main() {
    if command -v promtool >/dev/null && command -v prometheus >/dev/null; then
        dirname "$(command -v promtool)"
        return
    fi
    mkdir -p "$INTO"
    exec 9>>"$INTO/lock"
    flock -w 300 9 || die "another download has been running for five minutes"
    [[ -x $BIN/promtool ]] || fetch
    echo "$BIN"
}
main "$@"
