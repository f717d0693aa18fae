#!/usr/bin/env bash
# install.sh npm|pip|php FOLDER CACHE: installs the packages that FOLDER pins into a folder below CACHE, unless they are there,
# and prints that folder: it is one for NODE_PATH, PYTHONPATH or COMPOSER_VENDOR_DIR.
#
# PHP's are those of the distribution, as Composer's registry may not be within reach; of what FOLDER asks for only php-amqplib is
# known. Where packages cannot be had it says why and prints nothing: exit 0 on a person's machine, 1 where CI=true; PHP's are
# told to be NOT RUN there as well.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"

has_node() {
    node -e 'process.exit(parseInt(process.versions.node, 10) >= 18 ? 0 : 1)' && command -v npm
}
has_python() {
    python3 -c '
import sys
from importlib.util import find_spec
sys.exit(not (sys.version_info >= (3, 10) and (find_spec("pip") or find_spec("venv") and find_spec("ensurepip"))))'
}

PHP_AMQPLIB=${PHP_AMQPLIB:-/usr/share/php/PhpAmqpLib/autoload.php}
has_php() { php -r 'exit(PHP_VERSION_ID >= 80100 ? 0 : 1);' && [[ -e $PHP_AMQPLIB ]]; }

# have PROGRAM CHECK PACKAGE…: true if the machine has it, after installing it if need be.
have() {
    local program=$1 check=$2
    shift 2
    if "$check" >/dev/null 2>&1; then return; fi
    # One that is too old is its owner's, and stays.
    if [[ $program != node ]] || ! command -v "$program" >/dev/null; then
        if is_root && command -v apt-get >/dev/null; then "$ROOT/scripts/install-packages.sh" "$@" >&2 || true; fi
    fi
    "$check" >/dev/null 2>&1
}

# The lock has checksums and no addresses. No package needs anything run after its installation.
npm_install() {
    cp "$from/package.json" "$from/package-lock.json" "$1" &&
        (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier)
}

# All are pinned, also what they need, so nothing is added.
pip_install() {
    if python3 -m pip --version; then
        python3 -m pip install --disable-pip-version-check --no-deps --target "$1" -r "$from/requirements.txt"
    else # Debian has it within virtual environments only
        python3 -m venv "$1.venv" &&
            "$1.venv/bin/pip" install --disable-pip-version-check --no-deps --target "$1" -r "$from/requirements.txt" &&
            rm -rf "$1.venv"
    fi
}

php_install() { printf "<?php\nrequire '%s';\n" "$PHP_AMQPLIB" >"$1/autoload.php"; }

# What a change of means that they are installed anew: Python's are built for its version.
npm_inputs() { cat "$from/package.json" "$from/package-lock.json"; }
php_inputs() { cat "$PHP_AMQPLIB"; }
pip_inputs() { cat "$from/requirements.txt" && python3 --version; }

cannot() {
    if [[ $kind == php ]]; then say "NOT RUN: ${from#"$ROOT"/} ($1)" && exit 0; fi
    say "not tested: what needs the packages of ${from#"$ROOT"/} ($1)"
    if [[ ${CI:-} == true ]]; then exit 1; fi
    exit 0
}

main() {
    [[ $# == 3 && $1 =~ ^(npm|pip|php)$ ]] || die "usage: install.sh npm|pip|php FOLDER CACHE"
    local cache=$3 name into
    kind=$1 # as the next one
    from=$(cd "$2" && pwd -P) # not local: what is called reads it
    mkdir -p "$cache"
    # One installation at a time: several may want the same.
    exec 9>>"$cache/install.lock"
    flock -w 900 9 || die "another installation has been running for 15 minutes"
    if [[ $kind == npm ]]; then
        have node has_node nodejs npm || cannot "it takes node 18 or newer, and npm"
    elif [[ $kind == php ]]; then
        have php has_php php-cli php-amqplib || cannot "it takes php 8.1 or newer, and the package php-amqplib"
    else
        have python3 has_python python3 python3-venv || cannot "it takes python3 3.10 or newer, and pip or venv"
    fi

    name=$kind-${from##*/}
    into=$cache/$name-$("${kind}_inputs" | sha256sum | cut -c1-12)
    if [[ ! -e $into ]]; then
        say "installing the packages of ${from#"$ROOT"/} with $kind"
        rm -rf "$cache/$name"-*
        mkdir "$into.new"
        if ! "${kind}_install" "$into.new" >"$cache/$name.log" 2>&1; then
            tail -n 5 "$cache/$name.log" >&2
            cannot "their installation failed, see $cache/$name.log"
        fi
        mv "$into.new" "$into"
    fi
    if [[ $kind == npm ]]; then echo "$into/node_modules"; else echo "$into"; fi
}
main "$@"
