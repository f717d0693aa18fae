#!/usr/bin/env bash
# test-newcomer.sh [TARGET…]: does as the README tells a newcomer, in a bare Debian made for it, and prints how long each step
# takes. Targets are demo and test, where none is named. As root; half an hour and 8 GB.
#
# The newcomer has no rights and git and make, so the first `make` says what else is missing; the lines that it prints are run as
# they stand, those for packages by root. Then each target must end well. What is tested is the last commit.
#
# The machine's own way to the archives is handed in: apt's settings, names and hosts, further certificates, cargo's settings and
# proxy variables. Rust comes from rustup; HOOKLINE_NEWCOMER_TOOLCHAIN names a toolchain to copy where rustup cannot be had.
# HOOKLINE_NEWCOMER_DIR is where it is done, a new folder below /var/tmp by default; it is deleted afterwards.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

RELEASE=bookworm
USER_NAME=newcomer
TIMES=()

# timed NAME COMMAND…
timed() {
    local name=$1 start=$SECONDS status=0
    shift
    say "=== $name"
    # Not behind ||, where a shell does not mind what fails within.
    set +e
    (set -e && "$@")
    status=$?
    set -e
    TIMES+=("$(printf '%5d s  %s%s' "$((SECONDS - start))" "$name" "$( ((status == 0)) || echo ' (failed)')")")
    return "$status"
}

# --- the machine ------------------------------------------------------------------------------------

# The archives of that release that this machine uses, as "URI codename".
archives() {
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
        awk -v release="$RELEASE" '($2 == release || index($2, release "-") == 1) && !seen[$0]++'
}

copy_if_there() {
    local path
    for path in "$@"; do
        if [[ -e $path ]]; then mkdir -p "$NEW${path%/*}" && cp -rL "$path" "$NEW${path%/*}/"; fi
    done
}

make_machine() {
    local archive
    archive=$(archives | awk -v release="$RELEASE" '$2 == release { print $1; exit }')
    [[ -n $archive ]] || die "apt on this machine knows no archive of Debian $RELEASE"
    debootstrap --variant=minbase "$RELEASE" "$NEW" "$archive" >"$LOG" 2>&1 || { tail -n 20 "$LOG" >&2 && return 1; }
    archives | while read -r uri codename; do echo "deb $uri $codename main"; done >"$NEW/etc/apt/sources.list"
    copy_if_there /etc/resolv.conf /etc/hosts /etc/apt/apt.conf /etc/apt/apt.conf.d /etc/apt/auth.conf.d \
        /usr/local/share/ca-certificates
}

# What a person has before the first command of the README: git, make, and the repository.
make_newcomer() {
    local cargo=${CARGO_HOME:-$HOME/.cargo}/config.toml home=/home/$USER_NAME
    as_root 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends git make ca-certificates &&
        update-ca-certificates && useradd --create-home --shell /bin/bash '"$USER_NAME" >"$LOG" 2>&1 || { tail -n 20 "$LOG" >&2 && return 1; }
    git clone -q --no-hardlinks "$ROOT" "$NEW$home/hookline"
    if [[ -e $cargo ]]; then mkdir -p "$NEW$home/.cargo" && cp "$cargo" "$NEW$home/.cargo/"; fi
    chroot "$NEW" chown -R "$USER_NAME:" "$home"
}

# --- in there ---------------------------------------------------------------------------------------

# as NAME HOME SCRIPT: a login of that user, with nothing of this environment but the way out.
as() {
    local name=$1 home=$2 variable pass=()
    for variable in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        if [[ -n ${!variable:-} ]]; then pass+=("$variable=${!variable}"); fi
    done
    chroot "$NEW" setpriv --reuid "$name" --regid "$name" --init-groups env -i HOME="$home" USER="$name" LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${pass[@]}" bash -c "$3" </dev/null
}
as_root() { as root /root "$1"; }
as_newcomer() { as "$USER_NAME" "/home/$USER_NAME" "cd ~/hookline && $1"; }

packages() { chroot "$NEW" dpkg-query -W | sort; }

# The first make says all that is missing, and does nothing.
first_make() {
    local before after
    before=$(packages)
    if as_newcomer "make $1" >"$LOG" 2>&1; then say "it found all it needs, in a bare Debian?" && return 1; fi
    cat "$LOG"
    after=$(packages)
    [[ $before == "$after" ]] || { say "it has installed packages" && return 1; }
    [[ ! -e $NEW/home/$USER_NAME/hookline/target ]] || { say "it has built something" && return 1; }
    is_about_missing
}
is_about_missing() { grep -q '^To install it:' "$LOG"; }

# The lines that it printed, as they stand: for packages by root, for Rust by the newcomer.
do_as_told() {
    local line
    sed -n 's#^  \(sudo \)\{0,1\}\(/.*/install-packages\.sh .*\)#\2#p' "$LOG" >"$LOG.packages"
    sed -n 's#^  \(curl .*sh\.rustup\.rs.*\)#\1#p' "$LOG" >"$LOG.rust"
    while read -r line; do as_root "$line"; done <"$LOG.packages"
    while read -r line; do install_rust "$line"; done <"$LOG.rust"
    [[ -s $LOG.packages || -s $LOG.rust ]] || { say "it prints no line that could be run" && return 1; }
}
install_rust() {
    local arguments=${1##*-s -- }
    if as_newcomer "set -o pipefail; $1" >"$LOG.rustup" 2>&1; then return; fi
    say "sh.rustup.rs cannot be had from here: taking the program that it would fetch"
    if as_newcomer "curl --proto '=https' --tlsv1.2 -sSfo /tmp/rustup-init https://static.rust-lang.org/rustup/dist/$(uname -m)-unknown-linux-gnu/rustup-init &&
        chmod +x /tmp/rustup-init && /tmp/rustup-init $arguments" >"$LOG.rustup" 2>&1; then return; fi
    tail -n 3 "$LOG.rustup" >&2
    [[ -n ${HOOKLINE_NEWCOMER_TOOLCHAIN:-} ]] || { say "rustup cannot be had: set HOOKLINE_NEWCOMER_TOOLCHAIN to the folder of a toolchain (rustc --print sysroot)" && return 1; }
    say "copying the toolchain $HOOKLINE_NEWCOMER_TOOLCHAIN instead"
    cp -r "$HOOKLINE_NEWCOMER_TOOLCHAIN/." "$NEW/usr/local/"
}

# What a target needs beyond the one before it is told in the same way.
make_target() {
    if as_newcomer "make $1" 2>&1 | tee "$LOG"; then return; fi
    is_about_missing || return 1
    do_as_told
    as_newcomer "make $1" 2>&1
}

# Nothing that was started may outlive its target.
nothing_runs() {
    local pid left=()
    for pid in /proc/[0-9]*; do
        if [[ $(readlink "$pid/root" 2>/dev/null) == "$NEW" ]]; then left+=("${pid##*/}:$(program "${pid##*/}")"); fi
    done
    ((${#left[@]} == 0)) || { say "still running: ${left[*]}" && return 1; }
}

steps() {
    local target
    timed 'a bare Debian' make_machine
    # Of the machine only what a program cannot do without; in a view of our own, so that all of it is gone with this process.
    mount -t proc proc "$NEW/proc"
    mount --rbind /dev "$NEW/dev"
    timed 'a newcomer with git, make and a clone' make_newcomer
    timed "the first make $1, which says what is missing" first_make "$1"
    timed 'what it says is done' do_as_told
    for target in "$@"; do
        timed "make $target" make_target "$target"
        timed "nothing of make $target is left" nothing_runs
    done
}

inside() {
    mount --make-rprivate /
    mount -t proc proc /proc
    NEW=$1 LOG=$1.log
    shift
    trap 'printf "%s\n" "=== times" "${TIMES[@]}"' EXIT
    steps "$@"
}

main() {
    if [[ ${1:-} == --inside ]]; then shift; inside "$@"; exit; fi
    local target
    if (($# == 0)); then set -- demo test; fi
    for target in "$@"; do [[ $target == demo || $target == test ]] || die "usage: test-newcomer.sh [demo] [test]"; done
    is_root || die "making a Debian of its own takes root"
    command -v debootstrap >/dev/null || "$ROOT/scripts/install-packages.sh" debootstrap
    NEW=$(realpath -m -- "${HOOKLINE_NEWCOMER_DIR:-$(mktemp -u /var/tmp/hookline-newcomer.XXXXXX)}")
    [[ ! -e $NEW ]] || die "$NEW exists: it would be deleted"
    # Its processes and mounts end with the namespace.
    started=
    trap 'if [[ -n $started ]]; then kill -KILL "$started" 2>/dev/null || true; wait "$started" 2>/dev/null || true; fi
        rm -rf --one-file-system "$NEW" "$NEW".log*' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    unshare --mount --pid --fork --kill-child "$0" --inside "$NEW" "$@" &
    started=$!
    wait "$started" # so that the traps run at once
    started=
}
main "$@"
