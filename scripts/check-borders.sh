#!/usr/bin/env bash
# The borders between the parts of the program, as far as a search can see them. Each has one place that may do a thing;
# here is checked that no other does. Code of tests is not held to them: it plays the world outside.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

PRODUCT=(common producer dispatcher store console cli)
faults=0

fault() {
    say "$1"
    say "$2"
    faults=$((faults + 1))
}

# The Rust files of the crates that exist, without those that hold tests only.
sources() {
    local crate
    for crate in "${PRODUCT[@]}"; do
        if [[ -d $crate/src ]]; then
            find "$crate/src" -name '*.rs' ! -name 'tests.rs' ! -path '*/tests/*' | sort
        fi
    done
}

# code FILE: "FILE:LINE:text" of its code, without comment lines and up to a test module, which stands last.
code() {
    awk -v file="$1" '
        /^#\[cfg\(test\)\]/ { test = 1; next }
        test && /^mod .*\{/ { exit }
        /^[^#]/ { test = 0 }
        !/^[[:space:]]*\/\// { print file ":" FNR ":" $0 }' "$1"
}

# only_in ALLOWED PATTERN WHY: code that matches PATTERN may stand only in files whose path matches ALLOWED.
only_in() {
    local file found
    found=$(sources | grep -vE "$1" | while read -r file; do code "$file"; done | grep -E "$2") || return 0
    fault "$found" "^ $3"
}

only_in '^common/src/broker(/|\.rs$)' '\blapin::|\buse lapin\b' \
    "only common/src/broker/ may use lapin: what it must promise (confirmed and routed, every await bounded) is kept in one place"
only_in '^dispatcher/src/client(/|\.rs$)' 'hyper_util::client|hyper::client|TcpStream::connect|TcpSocket|\breqwest\b' \
    "only dispatcher/src/client may open connections to customers: every one must pass its guarded resolver"
only_in '(^|/)settings(/|\.rs$)' '\benv::(vars?|vars?_os)\b' \
    "only a settings module may read the environment: settings are read whole and once, and every fault is reported at once"
only_in '^store/' '\bsqlx\b' "only store/ may use sqlx: all SQL stands in one crate"

if found=$(grep -rn lapin producer/src producer/Cargo.toml 2>/dev/null); then
    fault "$found" "^ the producer must not show or name lapin, not even in its documentation: callers depend on our types alone"
fi
for crate in "${PRODUCT[@]}"; do
    if [[ $crate != common ]] && found=$(grep -Hn '^lapin\b' "$crate/Cargo.toml" 2>/dev/null); then
        fault "$found" "^ only hookline-common may depend on lapin"
    fi
done

((faults == 0)) || die "$faults border(s) crossed"
