#!/usr/bin/env bash
# dist.sh: makes in target/dist/ what is handed out: a tarball, a .deb, the debug information apart, and their checksums.
#
# QUICK=1 packs the debug build instead, into target/dist-quick/: for tests of the packing, not to be handed out.
# Two runs on the same commit with the same compiler make the same bytes: nothing in them tells when, where or by whom.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

# The programs that are handed out: commands (manual section 1), which print completions and pages for all they can do, and
# services (section 8), which print their own page and have a unit in deploy/systemd/.
COMMANDS=(hookline)
SERVICES=(hookline-dispatcher hookline-console)

BUILD=$ROOT/target/dist-build
if [[ -n ${QUICK:-} ]]; then
    OUT=$ROOT/target/dist-quick BUILT=${CARGO_TARGET_DIR:-$ROOT/target}/debug
else
    OUT=$ROOT/target/dist BUILT=$BUILD/release
fi
STAGE=$OUT.new
VERSION=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
MACHINE=$(uname -m)
NAME=hookline-$VERSION-$MACHINE-linux
TREE=$STAGE/$NAME

# Of the last commit, as no file's time survives a clone. Where there is no history, one that never changes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

# pack FOLDER NAME: a tarball whose bytes depend on nothing but the names, modes and contents of the files.
pack() {
    tar -C "$1" --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - "$2" |
        gzip -n9 >"$OUT/$2.tar.gz"
}

need_tools() {
    local tool missing=()
    for tool in cargo gcc strip objcopy objdump tar gzip sha256sum; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) || die "needs ${missing[*]}: install Rust (rustup) and, for the others, gcc, binutils, tar and gzip"
}

build() {
    local cargo_home=${CARGO_HOME:-$HOME/.cargo} sysroot program bins=()
    sysroot=$(rustc --print sysroot)
    for program in "${COMMANDS[@]}" "${SERVICES[@]}"; do bins+=(--bin "$program"); done
    if [[ -n ${QUICK:-} ]]; then
        cargo build --workspace --bins --locked
        return
    fi
    # The allocator's C code holds the time at which it was compiled, for which compilers take this one.
    # A folder of its own: other flags would have every other release build compiled anew, and that of this one.
    SOURCE_DATE_EPOCH=0 RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$ROOT=/hookline --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$sysroot=/rust" \
        CFLAGS="${CFLAGS:-} -ffile-prefix-map=$ROOT=/hookline -ffile-prefix-map=$cargo_home=/cargo" \
        cargo build --release --locked --target-dir "$BUILD" -p hookline-cli -p hookline-dispatcher -p hookline-console "${bins[@]}"
}

# Without what only a debugger needs, which goes into a file beside it.
strip_program() {
    local debug=$STAGE/$NAME-debug
    mkdir -p "$debug" "$TREE/bin"
    objcopy --only-keep-debug "$BUILT/$1" "$debug/$1.debug"
    strip --strip-all -o "$TREE/bin/$1" "$BUILT/$1"
    objcopy --add-gnu-debuglink="$debug/$1.debug" "$TREE/bin/$1"
    chmod 755 "$TREE/bin/$1"
    chmod 644 "$debug/$1.debug"
}

# The programs explain themselves.
explain() {
    local program bash=$TREE/share/bash-completion/completions zsh=$TREE/share/zsh/site-functions \
        fish=$TREE/share/fish/vendor_completions.d man=$TREE/share/man
    mkdir -p "$bash" "$zsh" "$fish" "$man/man1" "$man/man8"
    for program in "${COMMANDS[@]}"; do
        "$TREE/bin/$program" completions bash >"$bash/$program"
        "$TREE/bin/$program" completions zsh >"$zsh/_$program"
        "$TREE/bin/$program" completions fish >"$fish/$program.fish"
        "$TREE/bin/$program" man --dir "$man/man1"
    done
    for program in "${SERVICES[@]}"; do "$TREE/bin/$program" --man >"$man/man8/$program.8"; done
    gzip -n9 "$man"/man?/*
}

fill_tree() {
    local program
    rm -rf "$STAGE"
    for program in "${COMMANDS[@]}" "${SERVICES[@]}"; do strip_program "$program"; done
    explain
    mkdir -p "$TREE/lib/systemd/system" "$TREE/lib/sysusers.d" "$TREE/etc/hookline"
    for program in "${SERVICES[@]}"; do
        install -m 644 "deploy/systemd/$program.service" "$TREE/lib/systemd/system/"
    done
    install -m 644 deploy/systemd/hookline.sysusers "$TREE/lib/sysusers.d/hookline.conf"
    install -m 644 examples/config/* "$TREE/etc/hookline/"
    install -m 644 README.md LICENSE CHANGELOG.md "$TREE/"
    cp -r docs "$TREE/docs"
    # What was made under somebody's umask.
    find "$STAGE" -type d -exec chmod 755 {} +
    find "$TREE/share" "$TREE/docs" -type f -exec chmod 644 {} +
}

# The packages that hold the libraries which the programs are linked to, and the oldest C library that has all they use.
depends() {
    local libraries library newest needs=()
    libraries=$(objdump -p "$TREE"/bin/* | awk '$1 == "NEEDED" { print $2 }' | sort -u)
    for library in $libraries; do
        case $library in
            libc.so.6 | libm.so.6 | libdl.so.2 | libpthread.so.0 | librt.so.1 | ld-linux*) ;;
            libgcc_s.so.1) needs+=('libgcc-s1 (>= 4.2)') ;;
            *) die "the programs are linked to $library, and no Debian package is known for it here: add it to depends() in scripts/dist.sh" ;;
        esac
    done
    newest=$(objdump -T "$TREE"/bin/* | sed -n 's/.*GLIBC_\([0-9.]*\)).*/\1/p; s/.*GLIBC_\([0-9.]*\) .*/\1/p' | sort -uV | tail -n 1)
    [[ -n $newest ]] || die "the programs name no version of the C library"
    needs=("libc6 (>= $newest)" "${needs[@]}")
    printf -v newest '%s, ' "${needs[@]}"
    echo "${newest%, }"
}

package() {
    local root=$STAGE/deb architecture doc script
    if ! command -v dpkg-deb >/dev/null; then
        say "no .deb is made: this machine has no dpkg-deb (on Debian it is in the package dpkg)"
        return
    fi
    architecture=$(dpkg --print-architecture)
    doc=$root/usr/share/doc/hookline
    mkdir -p "$root/DEBIAN" "$root/usr/share/zsh/vendor-completions" "$root/usr/lib" "$doc"
    cp -r "$TREE/bin" "$TREE/share" "$root/usr/"
    mv "$root/usr/share/zsh/site-functions"/* "$root/usr/share/zsh/vendor-completions/"
    rmdir "$root/usr/share/zsh/site-functions"
    cp -r "$TREE/lib/." "$root/usr/lib/"
    cp -r "$TREE/etc" "$root/"
    cp -r "$TREE/README.md" "$TREE/docs" "$doc/"
    gzip -n9c CHANGELOG.md >"$doc/changelog.gz"
    { echo 'Hookline is licensed under the Apache License, Version 2.0:' && echo && cat LICENSE; } >"$doc/copyright"
    for script in postinst prerm postrm; do install -m 755 "deploy/deb/$script" "$root/DEBIAN/"; done
    (cd "$root" && find etc -type f | sort | sed 's,^,/,') >"$root/DEBIAN/conffiles"
    (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    sed -e "s/@VERSION@/$VERSION/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@DEPENDS@/$(depends)/" \
        -e "s/@SIZE@/$(du -sk --apparent-size "$root/usr" "$root/etc" | awk '{ kib += $1 } END { print kib }')/" \
        deploy/deb/control >"$root/DEBIAN/control"
    find "$root" -type d -exec chmod 755 {} +
    find "$root/usr/share" "$root/usr/lib" "$root/etc" "$root/DEBIAN/conffiles" "$root/DEBIAN/md5sums" -type f -exec chmod 644 {} +
    # xz, which every Debian and Ubuntu reads; by one thread, as the bytes follow the number of them.
    DPKG_DEB_THREADS_MAX=1 dpkg-deb --root-owner-group -Zxz --build "$root" "$OUT/hookline_${VERSION}_$architecture.deb" >&2
}

shopt -s nullglob
need_tools
build
# For dpkg-deb. Not before: the crates that hold C code would be compiled anew wherever it changes.
export SOURCE_DATE_EPOCH
rm -rf "$OUT"
mkdir -p "$OUT"
fill_tree
pack "$STAGE" "$NAME"
pack "$STAGE" "$NAME-debug"
package
(cd "$OUT" && sha256sum -- *.gz *.deb >SHA256SUMS)
rm -rf "$STAGE"
(cd "$OUT" && ls -l) | awk 'NR > 1 { printf "  %8.1f MB  %s\n", $5 / 1e6, $NF }'
