#!/usr/bin/env bash
# No two files of a crate may import each other, not even by way of others: whoever reads a file can then read what it
# stands on, and is done. (Between crates cargo sees to it.)
#
# What counts as an import of file B in file A: code of A names something that B defines, by a `use` or by a path
# (`crate::b::x`, `super::x`, `b::x` of a child). The same rule holds between a module and its parts: a parent that calls
# its children is fine, and so is a child that uses its parent's types, but not both. What both need goes into a file of
# its own beside the children.
# What does not count: `mod b;` alone, and `pub use b::X` alone. That is a door: who comes through it imports the file
# behind it, and not the file that the door is in. Tests (`#[cfg(test)]`, tests.rs, tests/) are left out.
#
# usage: check-cycles.sh [CRATE…]      all crates of the product by default
#        check-cycles.sh --imports CRATE…  prints the imports instead: FROM TO ITEM
#        check-cycles.sh --self-test   shows that cycles are found, and that what is none is not
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

CRATES=(common producer consume outbound dispatcher catalogue certify store console cli)

# imports CRATE: "FROM TO ITEM" for each import between two files of the crate.
imports() {
    local files
    mapfile -t files < <(find "$1/src" -name '*.rs' ! -name tests.rs ! -path '*/tests/*' | sort)
    awk -v src="$1/src" -f "$ROOT/scripts/imports.awk" "${files[@]}"
}

# Prints the shortest cycle through each file that is on one, each cycle once, with what is imported at each step.
cycles() {
    awk '
        function shortest(start, queue, head, tail, node, n, next_nodes, i, previous, path) {
            queue[tail = 1] = start
            for (head = 1; head <= tail; head++) {
                node = queue[head]
                n = split(targets[node], next_nodes, " ")
                for (i = 1; i <= n; i++) {
                    if (next_nodes[i] == start) {
                        path = start
                        while (node != start) { path = node " " path; node = previous[node] }
                        return start " " path
                    }
                    if (!(next_nodes[i] in previous)) {
                        previous[next_nodes[i]] = node
                        queue[++tail] = next_nodes[i]
                    }
                }
            }
            return ""
        }
        # The same cycle begins at each of its files; it is named by the first of them in the alphabet.
        function name_of(path, parts, n, i, first, name) {
            n = split(path, parts, " ") - 1
            first = 1
            for (i = 2; i <= n; i++) if (parts[i] < parts[first]) first = i
            for (i = 0; i < n; i++) name = name parts[(first - 1 + i) % n + 1] " "
            return name
        }
        !(($1, $2) in items) { targets[$1] = targets[$1] " " $2; if (!($1 in known)) { known[$1]; nodes[++count] = $1 } }
        { items[$1, $2] = items[$1, $2] (items[$1, $2] == "" ? "" : ", ") $3 }
        END {
            for (k = 1; k <= count; k++) {
                path = shortest(nodes[k])
                if (path == "" || told[name_of(path)]++) continue
                n = split(path, steps, " ")
                print "a cycle:"
                for (i = 1; i < n; i++) print "  " steps[i] " imports " items[steps[i], steps[i + 1]] " of " steps[i + 1]
            }
        }'
}

# self_test: small crates in a scratch folder, each held against what must be found in it.
self_test() {
    local faults=0
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    # expect CYCLES NAME FILE=TEXT…
    expect() {
        local wanted=$1 name=$2 file found
        shift 2
        rm -rf "$scratch/src"
        mkdir -p "$scratch/src"
        for file in "$@"; do
            mkdir -p "$(dirname "$scratch/src/${file%%=*}")"
            printf '%b\n' "${file#*=}" >"$scratch/src/${file%%=*}"
        done
        found=$(imports "$scratch" | cycles | grep -c '^a cycle' || true)
        if [[ $found != "$wanted" ]]; then
            say "self-test: $name: $found cycle(s) found, and not $wanted"
            faults=$((faults + 1))
        fi
    }
    expect 1 'two files that use each other' lib.rs='mod a;\nmod b;' a.rs='use crate::b::B;' b.rs='use super::a::A;'
    expect 1 'by way of a third' lib.rs='mod a;\nmod b;\nmod c;' a.rs='use crate::b::B;' b.rs='use crate::c::C;' \
        c.rs='fn f() { crate::a::g(); }'
    expect 1 'in braces, over lines, renamed' lib.rs='mod a;\nmod b;' a.rs='use crate::{\n    b::{self, B as C},\n};' \
        b.rs='pub(crate) use crate::a::A;\nstruct B(A);'
    expect 1 'a parent that calls its child, which uses its type' m/mod.rs='mod child;\nstruct T;\nfn f() { child::g(); }' \
        m/child.rs='use super::T;' lib.rs='mod m;'
    expect 1 'through a door' lib.rs='mod a;\nmod m;' m/mod.rs='mod b;\npub use b::B;' m/b.rs='use crate::a::A;' \
        a.rs='use crate::m::B;'
    expect 0 'a parent that only declares and re-exports' lib.rs='mod a;\npub use a::A;\npub use b::B;\nmod b;' \
        a.rs='use crate::B;' b.rs='struct B;'
    expect 0 'a program beside its library' lib.rs='mod a;\npub struct L;' a.rs='use crate::L;' main.rs='fn f() { a::g(); }\nmod a;'
    expect 0 'one way' lib.rs='mod a;\nmod b;' a.rs='use crate::b::B;' b.rs='use std::fmt;'
    expect 0 'in tests, comments and strings' lib.rs='mod a;\nmod b;' a.rs='use crate::b::B;' \
        b.rs='// crate::a::A\nconst S: &str = "crate::a::A";\n#[cfg(test)]\nuse crate::a::A;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}' \
        b/tests.rs='use crate::a::A;'
    ((faults == 0)) || die "the search for cycles does not find what it must"
}

case ${1:-} in
    --self-test) self_test; exit ;;
    --imports)
        shift
        for crate in "$@"; do imports "$crate"; done
        exit
        ;;
    ?*) CRATES=("$@") ;;
esac

found=
for crate in "${CRATES[@]}"; do
    if [[ -d $crate/src ]]; then found+=$(imports "$crate" | cycles); fi
done
if [[ -n $found ]]; then
    say "$found"
    die "files that import each other; move what both need into a file that imports neither"
fi
