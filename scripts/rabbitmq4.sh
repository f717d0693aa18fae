#!/usr/bin/env bash
# rabbitmq4.sh: prints the sbin folder of a RabbitMQ 4.x in .local/rabbitmq4, and puts it there first if need be.
#
# HOOKLINE_RABBITMQ_SUITE  the release of Debian that it comes from: trixie (4.0, the default), or another, in a folder of its
#                          own, .local/rabbitmq4-SUITE; sid has the newest
#
# Debian 12 has RabbitMQ 3.10 alone. The packages of a later release are taken from the archive that this machine
# uses anyway, with the libraries that they need, and are unpacked and not installed: nothing of the machine changes. Their
# programs look for their own C library by a path that is written into them, so that path is changed (patchelf).
# Exit 1, with the reason, where that cannot be had: another architecture, no apt, no network.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

RELEASE=${HOOKLINE_RABBITMQ_SUITE:-trixie}
[[ $RELEASE =~ ^[a-z]+$ ]] || die "HOOKLINE_RABBITMQ_SUITE=$RELEASE is no release of Debian: trixie or sid, for example"
INTO=$STATE/rabbitmq4
if [[ $RELEASE != trixie ]]; then INTO+=-$RELEASE; fi
DONE=$INTO/complete

# The archive of this machine's own release, as apt is set up here.
archive() {
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
        awk '$2 !~ /-/ && !seen[$1]++ { print $1 }' | head -n 1
}

# apt with lists, cache and state of its own, for which nothing is installed: so it names every package that is needed.
own_apt() {
    local root=$INTO/apt
    apt-get -q -o Dir::Etc::sourcelist="$root/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$root/state" -o Dir::State::status="$root/status" -o Dir::Cache="$root/cache" \
        -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Acquire::Languages=none "$@"
}

# The packages with what they need, without those that a running system has in any case or that only an installation needs.
wanted_packages() {
    own_apt --simulate install rabbitmq-server | awk '$1 == "Inst" { print $2 }' |
        grep -E '^(rabbitmq-server|erlang-|lib|zlib1g)'
}

fetch() {
    local root=$INTO/apt uri packages
    uri=$(archive)
    [[ -n $uri ]] || die "apt knows no archive on this machine"
    mkdir -p "$root/state/lists/partial" "$root/cache/archives/partial" "$INTO/deb"
    : >"$root/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $RELEASE main" >"$root/sources.list"
    own_apt update >&2
    mapfile -t packages < <(wanted_packages)
    ((${#packages[@]})) || die "$RELEASE has no rabbitmq-server for this machine"
    (cd "$INTO/deb" && own_apt download "${packages[@]}") >&2
}

unpack() {
    local deb
    mkdir -p "$INTO/root"
    for deb in "$INTO/deb"/*.deb; do dpkg -x "$deb" "$INTO/root"; done
    rm -rf "$INTO/deb" "$INTO/apt"
}

is_elf() { [[ $(head -c 4 "$1" | od -An -tx1 | tr -d ' \n') == 7f454c46 ]]; }

# Has the programs find the libraries beside them.
patch_programs() {
    local root=$INTO/root libraries loader file
    libraries=$(dirname "$(find "$root/usr/lib" -name 'libc.so.6' | head -n 1)")
    loader=$(find "$root/usr/lib" -name 'ld-linux-*.so.*' -o -name 'ld64.so.*' | head -n 1)
    [[ -n $loader ]] || die "the C library's loader is missing among the packages"
    while IFS= read -r -d '' file; do
        is_elf "$file" || continue
        case $file in
            *.so) patchelf --force-rpath --set-rpath "$libraries" "$file" ;;
            *) patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$file" ;;
        esac
    done < <(find "$root/usr/lib/erlang" -type f \( -path '*/bin/*' -o -path '*/priv/lib/*.so' \) -print0)
    # The scripts that start Erlang name the folder of an installed one.
    grep -rlIZ '/usr/lib/erlang' "$root/usr/lib/erlang/bin" "$root/usr/lib/erlang"/erts-*/bin |
        xargs -0 sed -i "s|/usr/lib/erlang|$root/usr/lib/erlang|g"
}

main() {
    mkdir -p "$INTO"
    exec 9>>"$INTO/lock"
    flock -w 900 9 || die "another command has been fetching RabbitMQ 4.x for 15 minutes"
    if [[ ! -e $DONE ]]; then
        if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
            die "RabbitMQ 4.x comes from Debian's packages, and there is no apt here"
        fi
        command -v patchelf >/dev/null || "$ROOT/scripts/install-packages.sh" patchelf
        rm -rf "$INTO/root" "$INTO/deb" "$INTO/apt"
        say "fetching RabbitMQ 4.x from $RELEASE into ${INTO#"$ROOT/"}"
        fetch
        unpack
        patch_programs
        : >"$DONE"
    fi
    printf '%s\n' "$INTO/root/usr/lib/rabbitmq/lib"/rabbitmq_server-*/sbin
}
main "$@"
