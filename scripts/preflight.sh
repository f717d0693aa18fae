#!/usr/bin/env bash
# preflight.sh NEED…: looks for all that a target needs, before anything is installed, built or started for it.
#
#   build                  Rust, a C compiler and its library's headers, and room on the disk
#   curl                   to speak HTTP with, as a person would
#   git                    to clone with
#   rabbitmq, postgresql   as packages of this machine, or Docker
#
# What is missing is named in one message, with the lines that install it, and the exit status is 1. As root on a Debian-like
# machine what packages bring is installed instead: what compiling needs here and now, and a service by whoever starts it,
# while others compile.
#
#   preflight.sh --packages NEED…   prints the packages that are missing for it, one a line, and does nothing
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# As its makers say it, with no more than what this project needs. The toolchain itself comes with the first build.
RUSTUP="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain none"
# What `make demo` and `make test` leave in target/, and as much again as a package manager needs meanwhile.
BUILD_MB=4000
REBUILD_MB=500

missing=()       # what, for people
build_packages=() # what would bring it
service_packages=()
commands=()      # what else has to be done

# --- Rust -------------------------------------------------------------------------------------------

# older VERSION THAN
older() { [[ $1 != "$2" && $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

look_for_rust() {
    local found wanted
    wanted=$(sed -n 's/^channel = "\(.*\)"$/\1/p' "$ROOT/rust-toolchain.toml")
    if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
        missing+=("Rust $wanted or newer (there is no cargo on PATH)")
    # Without a download: which toolchain rustup would have to fetch is no business of a look.
    elif found=$(cd "$ROOT" && RUSTUP_AUTO_INSTALL=0 rustc --version 2>/dev/null); then
        found=${found#rustc } found=${found%% *}
        if ! older "${found%%-*}" "$wanted"; then return; fi
        missing+=("Rust $wanted or newer (this is $found, $(command -v rustc))")
    elif command -v rustup >/dev/null; then
        if [[ ${RUSTUP_AUTO_INSTALL:-1} != 0 ]]; then return; fi # it fetches what rust-toolchain.toml names with the first build
        missing+=("Rust $wanted, which this rustup has not fetched yet")
        commands+=("rustup toolchain install $wanted --profile minimal -c clippy -c rustfmt")
        return
    else
        missing+=("Rust $wanted or newer ($(command -v rustc) does not run)")
    fi
    command -v curl >/dev/null || build_packages+=(curl)
    commands+=("$RUSTUP")
}

# cargo and rustup know whom to trust from the system's file.
look_for_roots() {
    local file
    for file in "${SSL_CERT_FILE:-}" "${CARGO_HTTP_CAINFO:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
        /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
        if [[ -n $file && -e $file ]]; then return; fi
    done
    missing+=("the certificates of public authorities, for cargo to trust the registry")
    build_packages+=(ca-certificates)
}

# --- C ----------------------------------------------------------------------------------------------

# Some crates hold C, and every program is linked by the C compiler.
look_for_c() {
    local found=yes
    if ! command -v cc >/dev/null; then
        missing+=("a C compiler (cc), which also links what Rust compiles")
        build_packages+=(gcc)
        found=
    fi
    # Debian's compiler comes without the headers where recommendations are not followed.
    if [[ -n $found ]] && printf '%s\n' '#include <pthread.h>' '#include <stdlib.h>' 'int main(void) { return EXIT_SUCCESS; }' |
        cc -x c -o /dev/null - 2>/dev/null; then
        return
    fi
    if [[ -n $found || ! -e /usr/include/stdlib.h ]]; then
        missing+=("the headers of the C library")
        build_packages+=(libc6-dev)
    fi
}

look_for_make() {
    command -v make >/dev/null && return
    missing+=(make)
    build_packages+=(make)
}

look_for_curl() {
    command -v curl >/dev/null && return
    missing+=(curl)
    # Rust's installer may need it as well.
    if [[ " ${build_packages[*]} " != *' curl '* ]]; then build_packages+=(curl); fi
}

look_for_git() {
    command -v git >/dev/null && return
    missing+=(git)
    build_packages+=(git)
}

# --- room -------------------------------------------------------------------------------------------

look_for_room() {
    local target=${CARGO_TARGET_DIR:-$ROOT/target} need=$BUILD_MB free folder
    folder=$target
    until [[ -d $folder ]]; do folder=$(dirname "$folder"); done
    if [[ -d $target/debug/deps ]]; then need=$REBUILD_MB; fi
    free=$(df -Pm "$folder" | awk 'END { print $4 }')
    ((free < need)) || return 0
    missing+=("$need MB of room for $target (there are $free)")
    commands+=("# make room, or set CARGO_TARGET_DIR to a folder on another disk")
}

# --- services ---------------------------------------------------------------------------------------

has_rabbitmq() {
    [[ -n ${HOOKLINE_RABBITMQ:-}${HOOKLINE_RABBITMQ_SBIN:-} ]] || compgen -G '/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server' >/dev/null
}
has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

look_for_service() {
    if "has_$2"; then return; fi
    if [[ -z $for_packages && ${HOOKLINE_SERVICES:-docker} == docker ]] && docker_usable; then return; fi
    missing+=("$1 (the package $3, or a running Docker)")
    service_packages+=("$3")
}

# --- what to do about it ----------------------------------------------------------------------------

can_install() { is_root && command -v apt-get >/dev/null; }

tell() {
    local packages=("${build_packages[@]}" "${service_packages[@]}") sudo=
    {
        echo "This machine lacks:"
        echo
        printf '  - %s\n' "${missing[@]}"
        echo
        echo "To install it:"
        echo
        if ((${#packages[@]})); then
            if ! is_root; then
                if command -v sudo >/dev/null; then sudo='sudo '; else echo "  # as root:"; fi
            fi
            if command -v apt-get >/dev/null; then
                # It keeps Debian from starting what it installs.
                printf '  %s%q %s\n' "$sudo" "$ROOT/scripts/install-packages.sh" "${packages[*]}"
            else
                printf '  # with the package manager of this machine, by the names that Debian has for it:\n  # %s\n' "${packages[*]}"
            fi
        fi
        if ((${#packages[@]} && ${#commands[@]})) && ! is_root && [[ -z $sudo ]]; then echo "  # as yourself:"; fi
        if ((${#commands[@]})); then printf '  %s\n' "${commands[@]}"; fi
        echo
        echo "Nothing has been installed or started. Then call make again."
    } >&2
}

look_for() {
    case $1 in
        build)
            look_for_rust
            look_for_roots
            look_for_make
            look_for_c
            look_for_room
            ;;
        curl) look_for_curl ;;
        git) look_for_git ;;
        rabbitmq) look_for_service RabbitMQ rabbitmq rabbitmq-server ;;
        postgresql) look_for_service PostgreSQL postgresql postgresql ;;
        *) die "nothing is known of a need for '$1'" ;;
    esac
}

main() {
    local need
    for_packages=
    if [[ ${1:-} == --packages ]]; then for_packages=yes && shift; fi
    (($#)) || die "usage: preflight.sh [--packages] build|curl|git|rabbitmq|postgresql…"
    for need in "$@"; do look_for "$need"; done
    if [[ -n $for_packages ]]; then
        printf '%s\n' "${build_packages[@]}" "${service_packages[@]}" | sed '/^$/d'
        return
    fi
    ((${#missing[@]})) || return 0
    if ((${#commands[@]})) || ! can_install; then
        tell
        exit 1
    fi
    if ((${#build_packages[@]})); then "$ROOT/scripts/install-packages.sh" "${build_packages[@]}"; fi
}
main "$@"
