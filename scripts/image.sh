#!/usr/bin/env bash
# image.sh: builds the images of the Dockerfile: hookline-dispatcher, hookline-console and hookline (the command line).
#
# With Docker or Podman where they work. Else, as root on a Debian-like machine, with Debian's buildah and without any registry: over
# bases of the same names that are made here, Debian's smallest system (debootstrap) and the same with a C compiler and this
# machine's Rust, and with the crates that cargo has fetched. What is built so is kept in .local/images (`image.sh buildah …` works on
# it); it is for tests, and for a look at sizes: what you hand out is made over the bases of their makers.
#
#   image.sh               builds them
#   QUICK=1 image.sh       the same of this checkout's debug build, compiled here and not in an image: for tests of the rest
#   image.sh engine        prints which one: docker, podman or buildah
#   image.sh buildah ARGS… runs buildah with that storage
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

declare -A IMAGES=([dispatcher]=hookline-dispatcher [console]=hookline-console [cli]=hookline)
STORE=$STATE/images
SUITE=bookworm
VERSION=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)

engine() {
    if command -v docker >/dev/null && timeout 5 docker info >/dev/null 2>&1; then echo docker
    elif command -v podman >/dev/null && timeout 20 podman info >/dev/null 2>&1; then echo podman
    else echo buildah; fi
}

# --- without an engine --------------------------------------------------------------------------------

# Without user namespaces and a policy of signatures, which need more of a machine than being root. Whether layers lie over each other or
# are copied whole is buildah's to find out. Its own temporary files too are kept in the checkout.
in_store() {
    mkdir -p "$STORE/tmp"
    [[ -e $STORE/policy.json ]] || echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$STORE/policy.json"
    TMPDIR=$STORE/tmp BUILDAH_ISOLATION=chroot \
        buildah --root "$STORE/storage" --runroot "$STORE/run" "$@"
}

need_buildah() {
    is_root || die "no Docker and no Podman answers, and without them images are built as root alone"
    command -v buildah >/dev/null || scripts/install-packages.sh buildah
}

has_image() { in_store images --format '{{.Name}}:{{.Tag}}' 2>/dev/null | grep -q "\(^\|/\)$1\$"; }

# commit_base NAME: an image of what is in the container $container.
commit_base() {
    in_store commit --quiet --rm --format docker "$container" "$1" >/dev/null
}

make_debian() {
    local container bare
    bare=$(scripts/bare-debian.sh "$SUITE")
    container=$(in_store from scratch)
    in_store add --quiet "$container" "$bare" / >/dev/null
    commit_base "debian:$SUITE-slim"
}

# The compiler is this machine's; crates are read where cargo keeps them, and nothing is asked of the network.
make_rust() {
    local container root sysroot
    sysroot=$(rustc --print sysroot)
    say "a base with a C compiler and the Rust of $sysroot"
    container=$(in_store from --pull-never "debian:$SUITE-slim")
    in_store run --isolation chroot "$container" -- sh -ec '
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update && apt-get -qq install -y --no-install-recommends gcc libc6-dev ca-certificates >/dev/null
        rm -rf /var/lib/apt/lists/* /var/cache/apt/*' >&2
    root=$(in_store mount "$container")
    mkdir -p "$root/usr/local/cargo"
    # Without documentation and what belongs to other platforms.
    tar -C "$sysroot" --exclude=./share --exclude=./libexec --exclude='./bin/*gdb*' --exclude='./bin/*lldb*' -cf - bin lib |
        tar -C "$root/usr/local" -xf -
    in_store umount "$container" >/dev/null
    in_store config --env CARGO_HOME=/usr/local/cargo --env CARGO_NET_OFFLINE=true "$container"
    commit_base "rust:$1-slim-$SUITE"
}

bases() {
    local rust
    rust=$(sed -n 's/^FROM rust:\([0-9.]*\)-slim-.*/\1/p' Dockerfile)
    has_image "debian:$SUITE-slim" || make_debian
    has_image "rust:$rust-slim-$SUITE" || make_rust "$rust"
}

# --- what is built ------------------------------------------------------------------------------------

# Either ends in a folder that stands for the stage `build`: $STORE/built, with the programs in its out/.

# Of this checkout's debug build.
quick_stage() {
    local program built=${CARGO_TARGET_DIR:-$ROOT/target}/debug
    cargo build --workspace --bins --locked
    for program in "${IMAGES[@]}"; do strip --strip-all -o "$STORE/built/out/$program" "$built/$program"; done
}

# Of that stage itself: once for all three images, though a file of the checkout may change meanwhile.
whole_stage() {
    local container root
    "${build_one[@]}" --target build -t "hookline-build:$VERSION" .
    container=$(in_store from --pull-never "hookline-build:$VERSION")
    root=$(in_store mount "$container")
    cp "$root/out"/* "$STORE/built/out/"
    in_store rm "$container" >/dev/null
}

build() {
    local engine=$1 target arguments=()
    # Docker and Podman compile in an image of their own, for which this machine needs no Rust.
    if [[ -n ${QUICK:-} || $engine == buildah ]]; then scripts/preflight.sh build; fi
    rm -rf "$STORE/built"
    mkdir -p "$STORE/built/out"
    case $engine in
        docker) build_one=(docker build) ;;
        podman) build_one=(podman build --format docker) ;;
        buildah)
            need_buildah
            bases
            cargo fetch --locked
            build_one=(in_store bud --isolation chroot --pull-never --layers --format docker
                --volume "${CARGO_HOME:-$HOME/.cargo}/registry:/usr/local/cargo/registry")
            ;;
    esac
    if [[ -n ${QUICK:-} ]]; then
        quick_stage
    elif [[ $engine == buildah ]]; then
        whole_stage
    fi
    # Docker and Podman compile in the stage, once as well: they keep it.
    if [[ -n $(ls "$STORE/built/out") ]]; then arguments+=(--build-context "build=$STORE/built"); fi
    for target in dispatcher console cli; do
        say "--- ${IMAGES[$target]}:$VERSION ($engine)"
        "${build_one[@]}" "${arguments[@]}" --target "$target" -t "${IMAGES[$target]}:$VERSION" .
    done
}

case ${1:-build} in
    build) build "$(engine)" ;;
    engine) engine ;;
    version) echo "$VERSION" ;;
    buildah) need_buildah && in_store "${@:2}" ;;
    *) sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p; }' "$0" >&2 && exit 2 ;;
esac
