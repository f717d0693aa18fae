#!/usr/bin/env bash
# Installs the tools of scripts/tools.txt into .local/tools (programs in .local/tools/bin), unless they are there.
# `tools.sh deploy`: those of scripts/tools-deploy.txt into .local/tools-deploy.
# Exit 1, with the reason, where they cannot be had.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

TOOLS=$STATE/tools${1:+-$1}
WANTED=$ROOT/scripts/tools${1:+-$1}.txt
[[ -e $WANTED ]] || die "there is no ${WANTED#"$ROOT/"}"

up_to_date() { cmp -s "$WANTED" "$TOOLS/installed.txt"; }

# True if Python can make a virtual environment; Debian ships that part apart.
has_venv() { python3 -c 'import venv, ensurepip' >/dev/null 2>&1; }

install_in_venv() {
    python3 -m venv "$TOOLS" && "$TOOLS/bin/pip" install -q -r "$WANTED"
}

# Without venv, but with pip: all in one folder, which the Python programs among the tools must be told of.
install_in_folder() {
    python3 -m pip install -q --target "$TOOLS" -r "$WANTED" &&
        printf '#!/bin/sh\nPYTHONPATH=%q exec python3 -m yamllint "$@"\n' "$TOOLS" >"$TOOLS/bin/yamllint" &&
        printf '#!/bin/sh\nPYTHONPATH=%q exec python3 "$@"\n' "$TOOLS" >"$TOOLS/bin/python" && chmod +x "$TOOLS/bin/python"
}

install() {
    if ! has_venv && is_root && command -v apt-get >/dev/null; then
        "$ROOT/scripts/install-packages.sh" python3 python3-venv || true
    fi
    say "installing the tools of ${WANTED#"$ROOT/"} into ${TOOLS#"$ROOT/"}"
    rm -rf "$TOOLS"
    mkdir -p "$TOOLS"
    if has_venv; then
        install_in_venv
    elif python3 -m pip --version >/dev/null 2>&1; then
        install_in_folder
    else
        say "neither python3-venv nor pip is there"
        return 1
    fi >"$TOOLS.log" 2>&1 || {
        tail -n 5 "$TOOLS.log" >&2
        return 1
    }
    cp "$WANTED" "$TOOLS/installed.txt"
}

mkdir -p "$STATE"
exec 9>>"$TOOLS.lock"
flock -w 600 9 || die "another installation has been running for ten minutes"
up_to_date || install || die "the tools of ${WANTED#"$ROOT/"} could not be installed (see ${TOOLS#"$ROOT/"}.log); they need python3 with venv or pip, and a package index"
