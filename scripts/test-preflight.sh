#!/usr/bin/env bash
# test-preflight.sh: takes away what preflight.sh looks for, piece by piece, and sees what it says. Nothing is installed: apt
# and the compilers are stand-ins, on a PATH that holds little else. Some seconds.
#
# shellcheck disable=SC2016 # expanded by eval
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

WORK=$(mktemp -d "${TMPDIR:-/tmp}/hookline-preflight.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
BIN=$WORK/bin
COPY=$WORK/checkout
LOG=$WORK/log
passed=0 failures=()
unset CARGO_TARGET_DIR CARGO_HOME HOOKLINE_RABBITMQ HOOKLINE_RABBITMQ_SBIN HOOKLINE_SERVICES RUSTUP_AUTO_INSTALL SSL_CERT_FILE

# ok NAME COMMAND…
ok() {
    local name=$1
    shift
    if "$@" >"$WORK/why" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failures+=("$name")
        echo "FAILED  $name: $*"
        sed 's/^/        /' "$WORK/why" "$LOG" | tail -n 30
    fi
}
says() { grep -qF -- "$1" "$LOG"; }
never() { ! grep -qF -- "$1" "$LOG"; }

# program NAME LINE: a stand-in.
program() {
    printf '#!/bin/sh\n%s\n' "$2" >"$BIN/$1"
    chmod 755 "$BIN/$1"
}

# What every Debian has, and stand-ins for all that is looked for.
whole_machine() {
    local tool
    rm -rf "$BIN"
    mkdir "$BIN"
    for tool in bash sh sed sort head awk mawk df dirname id cat grep printf mktemp rm chmod mkdir find flock tail env true timeout; do
        if type -P "$tool" >/dev/null; then ln -s "$(readlink -f "$(type -P "$tool")")" "$BIN/$tool"; fi
    done
    program cargo true
    program rustc 'echo "rustc 1.999.0 (0123456 2026-01-01)"'
    program cc 'cat >/dev/null'
    program make true
    program curl true
    program git true
    program sudo true
    program docker true
    program apt-get "echo \"\$* autostart \$(test -e /usr/sbin/policy-rc.d && echo off || echo on)\" >>$WORK/apt"
}

# As somebody without rights, whoever runs this; HOME is empty, or rustup's programs would be found there.
look() {
    local drop=()
    if is_root; then drop=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups); fi
    "${drop[@]}" env -i PATH="$BIN" HOME="$WORK/home" "$@" "$COPY/scripts/preflight.sh" "${NEEDS[@]}" >"$LOG" 2>&1
}
refuses() { ! look "$@"; }
# As root, with neither broker nor database in sight, in a view of the file system of its own.
look_as_root() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare -m bash -c 'for hidden in /usr/lib/rabbitmq /usr/lib/postgresql; do
            if [ -d "$hidden" ]; then mount -t tmpfs none "$hidden"; fi
        done
        export PATH=$1 HOME=$2 && shift 2 && exec "$@"' - "$BIN" "$WORK/home" "$@" >"$LOG" 2>&1
}

mkdir -p "$COPY" "$WORK/home"
cp -r "$ROOT/scripts" "$ROOT/rust-toolchain.toml" "$COPY/"
chmod -R a+rX "$WORK"
NEEDS=(build)
# How this machine starts what is installed: not at all, in a container.
autostart() { sha256sum /usr/sbin/policy-rc.d 2>/dev/null || echo on; }
before=$(autostart)

whole_machine
ok 'where all is there, nothing is said' eval 'look && [[ ! -s $LOG ]]'
rm "$BIN/cc" "$BIN/make" "$BIN/cargo" "$BIN/curl"
ok 'all that is missing is named at once' eval 'refuses && says "a C compiler" && says "  - make" && says "Rust 1."'
ok 'with one line for the packages, which keeps services from starting' says "sudo $COPY/scripts/install-packages.sh curl make gcc"
ok 'and one for Rust' says 'https://sh.rustup.rs'
rm "$BIN/sudo"
ok 'without sudo it says as whom' eval 'refuses && says "# as root:" && never "sudo "'

whole_machine
program rustc 'echo "rustc 1.63.0 (4b91a6ea7 2022-08-08)"'
ok 'an old Rust is named with its version' eval 'refuses && says "this is 1.63.0"'
program rustc 'echo "rustc 1.95.0-nightly (4b91a6ea7 2026-08-08)"'
ok 'a nightly of the wanted version will do' look
program rustc 'exit 1'
program rustup true
ok 'what rustup can fetch is not missing' look
ok 'unless it may not' eval 'refuses RUSTUP_AUTO_INSTALL=0 && says "rustup toolchain install"'
rm "$BIN/rustc" "$BIN/cargo"
mkdir -p "$WORK/home/.cargo/bin"
program cargo true
program rustc 'echo "rustc 1.999.0 (0123456 2026-01-01)"'
mv "$BIN/cargo" "$BIN/rustc" "$WORK/home/.cargo/bin/"
ok 'what rustup has just put into the home folder is found' look
rm -r "$WORK/home/.cargo"

whole_machine
program cc 'cat >/dev/null; exit 1'
ok 'a compiler without headers is told from none' eval 'refuses && says "the headers of the C library" && says libc6-dev && never "a C compiler"'
whole_machine
rm "$BIN/df"
program df 'printf "Filesystem 1M-blocks Used Available\n/dev/vda 1000 900 100\n"'
ok 'room on the disk is looked for' eval 'refuses && says "MB of room"'
whole_machine
rm "$BIN/apt-get" "$BIN/make"
ok 'without apt the names of the packages are told' eval 'refuses && says "package manager of this machine" && says "# make"'

NEEDS=(build curl)
whole_machine
rm "$BIN/curl"
ok 'curl is named where a target speaks HTTP with it' eval 'refuses && says "  - curl" && says "install-packages.sh curl"'
rm "$BIN/cargo"
ok 'and once where Rust wants it as well' eval 'refuses && says "install-packages.sh curl" && never "curl curl"'

NEEDS=(build git)
whole_machine
ok 'git that is there is not missing' eval 'look && [[ ! -s $LOG ]]'
rm "$BIN/git"
ok 'git is named where a target clones' eval 'refuses && says "  - git" && says "install-packages.sh git"'
NEEDS=(build)
ok 'and nowhere else' look

NEEDS=(build rabbitmq postgresql)
whole_machine
ok 'where Docker runs, it has the services' look

if is_root && unshare -m true 2>/dev/null; then
    whole_machine
    rm "$BIN/docker" "$BIN/cc"
    ln -s "$(type -P dpkg || echo /bin/true)" "$BIN/dpkg"
    ok 'as root, what compiling needs is installed' eval 'look_as_root "$COPY/scripts/preflight.sh" build rabbitmq postgresql && grep -q "install.* gcc" $WORK/apt'
    ok 'with automatic starts off' eval '! grep -q "autostart on" $WORK/apt'
    ok 'and only for that time' test "$before" = "$(autostart)"
    ok 'what services need is left to whoever starts them' eval '! grep -q rabbitmq $WORK/apt'
    ok 'who is told the packages' eval 'look_as_root "$COPY/scripts/preflight.sh" --packages rabbitmq postgresql && [[ $(cat $LOG) == rabbitmq-server$'"'\n'"'postgresql ]]'
    rm -f "$WORK/apt" "$BIN/cargo" "$BIN/rustc"
    ok 'without Rust nothing is installed before that is said' eval '! look_as_root "$COPY/scripts/preflight.sh" build rabbitmq && says sh.rustup.rs && says rabbitmq-server && [[ ! -e $WORK/apt ]]'
fi

printf '%d passed, %d failed\n' "$passed" "${#failures[@]}"
((${#failures[@]} == 0))
