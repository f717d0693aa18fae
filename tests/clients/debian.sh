#!/usr/bin/env bash
# debian.sh ruby|php|java CACHE AMQP_URL EXCHANGE: publishes with a library that Debian has: bunny, php-amqplib, RabbitMQ's Java
# client. What this machine lacks of it is downloaded once into a folder below CACHE and unpacked there; nothing is installed.
#
# Exit status: that of the program; 77, with the reason, where the library cannot be had.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"

cannot() {
    say "$*"
    exit 77
}

# What has to be there besides what the machine has. Whoever has all of it uses that.
missing() {
    apt-get install --no-install-recommends --simulate "$@" | awk '$1 == "Inst" { print $2 }'
}

# fetch INTO PACKAGE…: unpacks what is missing of them, with what that needs.
fetch() {
    local into=$1 packages
    shift
    [[ ! -e $into ]] || return 0
    rm -rf "$into.new"
    mkdir -p "$into.new/deb"
    packages=$(missing "$@") || return 1
    if [[ -n $packages ]]; then
        # shellcheck disable=SC2086 # names without blanks
        (cd "$into.new/deb" && apt-get -q download $packages) || return 1
        for deb in "$into.new/deb"/*.deb; do dpkg -x "$deb" "$into.new"; done
    fi
    rm -rf "$into.new/deb"
    mv "$into.new" "$into"
}

# The paths that are there, with colons between them.
joined() { local IFS=:; printf '%s' "$*"; }

main() {
    [[ $# == 4 ]] || die "usage: debian.sh ruby|php|java CACHE AMQP_URL EXCHANGE"
    local language=$1 cache=$2 url=$3 exchange=$4 packages root here program
    here=$(cd "$(dirname "$0")" && pwd -P)
    case $language in
        ruby) packages=(ruby-bunny) ;;
        php) packages=(php-amqplib php-cli) ;;
        java) packages=(librabbitmq-client-java libslf4j-java) ;;
        *) die "$language is none of ruby, php and java" ;;
    esac
    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then cannot "it takes Debian's packages"; fi
    # No library of ours alone is worth half a gigabyte.
    if [[ $language == java ]]; then
        java --list-modules 2>/dev/null | grep -q '^jdk.compiler@' || cannot "it takes a JDK"
    fi
    root=$cache/debian-$language
    mkdir -p "$cache"
    exec 9>>"$cache/debian-$language.lock"
    flock -w 600 9 || cannot "another download has been running for 10 minutes"
    fetch "$root" "${packages[@]}" >"$cache/debian-$language.log" 2>&1 ||
        cannot "apt has not all of ${packages[*]}, see $cache/debian-$language.log"
    exec 9>&-

    shopt -s nullglob
    local libraries=("$root"/usr/lib/*-linux-gnu*)
    if ((${#libraries[@]})); then
        LD_LIBRARY_PATH=$(joined "${libraries[@]}")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
        export LD_LIBRARY_PATH
    fi
    case $language in
        ruby)
            program=("$root"/usr/bin/ruby[0-9]*)
            local paths=("$root"/usr/share/rubygems-integration/*/gems/*/lib "$root"/usr/lib/ruby/vendor_ruby
                "$root"/usr/lib/ruby/[0-9]* "$root"/usr/lib/*/ruby/[0-9]*)
            RUBYLIB=$(joined "${paths[@]}") exec "${program[0]:-ruby}" "$here/publish.rb" "$url" "$exchange"
            ;;
        php)
            program=("$root"/usr/bin/php[0-9]*)
            if ((${#program[@]} == 0)); then exec php "$here/publish.php" "$url" "$exchange"; fi
            # Its settings are not where it looks for them.
            local extensions=("$root"/usr/lib/php/2*)
            exec "${program[0]}" -n -d "extension_dir=${extensions[0]}" -d extension=mbstring -d extension=sockets \
                -d "include_path=$root/usr/share/php" "$here/publish.php" "$url" "$exchange"
            ;;
        java)
            exec java -cp "$root/usr/share/java/*:/usr/share/java/amqp-client.jar:/usr/share/java/slf4j-api.jar" \
                "$here/Publish.java" "$url" "$exchange"
            ;;
    esac
}
main "$@"
