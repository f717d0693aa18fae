#!/usr/bin/env bash
# test-readme.sh: does what the README says, from its first command to its last, and compares what it shows.
#
# The commands run in one shell, as a reader would type them, in a clone that their own `git clone` makes: its address leads
# to this work tree as it stands. Kinds of blocks:
#   sh       commands; each must end with 0
#   console  `$ command`, and below it what it prints: `…` stands for any text, alone on a line for any lines
#   toml     a file; the first line names it: `# endpoints.toml`
#   rust     lines of producer/examples/booking.rs, which a command runs
#   text     a picture
# Any other kind fails. There is no exception for single commands: all of them run.
# The ports that the README names are replaced by free ones. A command that only looks is asked again for a while where it
# does not show yet what it will: what it looks at happens meanwhile.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

README=$ROOT/README.md
# The ports in the README: of a receiver, and the dispatcher's own.
PORTS_NAMED=(9000 9464)
LOOKING='^(cat|tail|grep|curl|hookline (status|tail|dlq list|dlq show|topology check))( |$)'
# For the slowest machine; one that is idle needs a second or two.
PATIENCE=90
# The same folder each time: what is compiled in it replaces what was.
WORK=$STATE/readme
clone='' commands=0 compared=0 line_number=0

leave() {
    local status=$? pid
    trap '' INT TERM HUP
    for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done
    wait
    if [[ -n $clone ]]; then "$clone/scripts/services.sh" down --wipe >>"$WORK/log" 2>&1 || status=1; fi
    if ((status != 0)); then tail -n 40 "$WORK/log" >&2 2>/dev/null || true; fi
    cd "$ROOT"
    rm -rf "$WORK"
    exit "$status"
}
mkdir -p "$STATE"
exec 5>>"$STATE/readme.lock"
flock -n 5 || die "another run is at it in this checkout"
rm -rf "$WORK"
mkdir -p "$WORK"
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A reader's `make` is nobody's child, and says nothing of the folder it works in.
unset MAKEFLAGS MAKELEVEL MFLAGS

fault() { die "README.md:$line_number: $*"; }

# --- the work tree as a repository that can be cloned -------------------------------------------------

# One commit of all files as they stand, those too that nobody has committed yet, but nothing that git ignores.
snapshot() {
    local index=$WORK/index tree commit
    cd "$ROOT"
    export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost
    GIT_INDEX_FILE=$index git add -A .
    tree=$(GIT_INDEX_FILE=$index git write-tree)
    commit=$(git commit-tree -m 'The work tree' "$tree")
    git init -q --bare -b main "$WORK/origin.git"
    git push -q "$WORK/origin.git" "$commit:refs/heads/main"
}

# The address in the README leads there.
redirect_clone() {
    local address
    address=$(sed -n 's/^git clone \([^ ]*\).*/\1/p' "$README" | head -n 1)
    [[ -n $address ]] || die "README.md does not begin with a git clone"
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$WORK/origin.git.insteadOf" GIT_CONFIG_VALUE_0=$address
}

# The crates that this checkout has compiled serve the clone as well: how a first build goes is another test's.
share_target() {
    if [[ -z $clone && $PWD != "$WORK" && -f Cargo.toml ]]; then
        clone=$PWD
        mkdir -p "$ROOT/target"
        ln -s "$ROOT/target" target
    fi
}

# --- the commands -------------------------------------------------------------------------------------

# literal TEXT: as a pattern that fits nothing but it.
literal() {
    # shellcheck disable=SC2001 # a class of characters, each kept
    sed 's/[][\\*?(]/\\&/g' <<<"$1"
}

# fits LINE PATTERN: whether a line is as the README has it.
fits() {
    local pattern=$2 glob=
    while [[ $pattern == *…* ]]; do
        glob+="$(literal "${pattern%%…*}")*"
        pattern=${pattern#*…}
    done
    glob+=$(literal "$pattern")
    # shellcheck disable=SC2053 # it is a pattern
    [[ $1 == $glob ]]
}

# shows FILE EXPECTED…: whether a file has these lines and no others.
shows() {
    local lines=() at=0 any=no expected
    mapfile -t lines <"$1"
    shift
    for expected in "$@"; do
        if [[ $expected == … ]]; then any=yes && continue; fi
        while ((at < ${#lines[@]})) && ! fits "${lines[at]}" "$expected"; do
            [[ $any == yes ]] || return 1
            at=$((at + 1))
        done
        ((at < ${#lines[@]})) || return 1
        at=$((at + 1)) any=no
    done
    [[ $any == yes ]] || ((at == ${#lines[@]}))
}

# run_command COMMAND [EXPECTED…]: without anything expected, what it prints is its own business.
run_command() {
    local command=$1 out=$WORK/out.$commands status=0 started=$SECONDS deadline=$((SECONDS + PATIENCE))
    shift
    share_target
    commands=$((commands + 1))
    printf '$ %s\n' "$command" | tee -a "$WORK/log"
    while true; do
        status=0
        # In this shell: what it exports, where it goes and what it leaves running are there for the next one.
        eval "$command" </dev/null >"$out" 2>&1 || status=$?
        cat "$out" >>"$WORK/log"
        if ((status == 0)) && { (($# == 0)) || shows "$out" "$@"; }; then break; fi
        if [[ $command =~ $LOOKING ]] && ((SECONDS < deadline)); then sleep 0.5 && continue; fi
        ((status == 0)) || fault "exit status $status of: $command"
        printf 'expected:\n' >&2
        printf '    %s\n' "$@" >&2
        printf 'printed:\n' >&2
        sed 's/^/    /' "$out" >&2
        fault "another output of: $command"
    done
    if (($#)); then compared=$((compared + 1)); fi
    if ((SECONDS - started >= 5)); then printf '    (%d s)\n' "$((SECONDS - started))"; fi
}

# run_block KIND FILE: the commands of a block, one after the other; a backslash at the end goes on with the next line.
run_block() {
    local kind=$1 line command='' expected=() is_open=no
    while IFS= read -r line; do
        if [[ $is_open == yes ]]; then
            command+=$'\n'$line
        elif [[ $kind == sh ]]; then
            command=$line
        elif [[ $line == '$ '* ]]; then
            if [[ -n $command ]]; then run_command "$command" "${expected[@]}"; fi
            command=${line#'$ '} expected=()
        elif [[ -z $command ]]; then
            fault "a console block begins with '$ command', not with: $line"
        else
            expected+=("$line") && continue
        fi
        is_open=no
        if [[ $line == *\\ ]]; then is_open=yes && continue; fi
        if [[ $kind == sh && $command =~ [^[:space:]] && $command != '#'* ]]; then run_command "$command"; fi
    done <"$2"
    if [[ $kind == console && -n $command ]]; then run_command "$command" "${expected[@]}"; fi
}

write_file() {
    local name
    name=$(sed -n '1s/^# \([A-Za-z0-9_.-]*\)$/\1/p' "$1")
    [[ -n $name ]] || fault "the first line of a toml block names its file, like: # endpoints.toml"
    cp "$1" "$name"
}

# Every line that says something stands in the program that the README has its reader run.
find_lines() {
    local line
    while IFS= read -r line; do
        line=$(sed 's,^ *,,; s,//.*,,; s, *$,,' <<<"$line")
        if [[ -z $line ]]; then continue; fi
        grep -qF -- "$line" "$ROOT/producer/examples/booking.rs" || fault "not in producer/examples/booking.rs: $line"
    done <"$1"
}

follow() {
    local kind='' block=$WORK/block line ports named i
    lock_ports
    # Of as many digits as those, so that columns stay as wide.
    ports=$(pick_ports "$WORK" 9001 9899 ${#PORTS_NAMED[@]})
    unlock_ports
    named=$(cat "$README")
    for i in "${!PORTS_NAMED[@]}"; do named=${named//${PORTS_NAMED[i]}/$((ports + i))}; done
    export HOOKLINE_HTTP_ADDR=127.0.0.1:$((ports + 1))
    while IFS= read -r line <&3; do
        line_number=$((line_number + 1))
        if [[ $line != '```'* ]]; then
            if [[ -n $kind ]]; then printf '%s\n' "$line" >>"$block"; fi
        elif [[ -z $kind ]]; then
            kind=${line#'```'} kind=${kind:-none}
            : >"$block"
        else
            case $kind in
                sh | console) run_block "$kind" "$block" ;;
                toml) write_file "$block" ;;
                rust) find_lines "$block" ;;
                text) ;;
                *) fault "a block of the kind '$kind', which is not tested: teach $0, or use another" ;;
            esac
            kind=
        fi
    done 3<<<"$named"
    [[ -z $kind ]] || fault "the last block has no end"
}

# Commands that are only mentioned are commands that there are, with those flags.
check_mentioned() {
    local mention words help flag
    # shellcheck disable=SC2016 # the backticks are those of Markdown
    while IFS= read -r mention; do
        words=$(grep -oE '^[a-z]+( [a-z]+)*' <<<"${mention#hookline }" || true)
        # shellcheck disable=SC2086 # words
        while ! help=$(hookline $words --help 2>/dev/null); do
            [[ $words == *' '* ]] || die "README.md mentions \`$mention\`: there is no such command"
            words=${words% *} # the last word was an argument
        done
        for flag in $(grep -oE -- '--[a-z-]+' <<<"$mention" || true); do
            grep -q -- "$flag" <<<"$help" || die "README.md mentions \`$mention\`: no $flag there"
        done
    done < <(sed '/^```/,/^```/d' "$README" | tr '\n' ' ' | grep -oE '`hookline [^`]+`' | tr -d '`')
}

# It would be of no use if nothing made it fail.
self_test() {
    printf 'one\ntwo 123 x\nthree\n' >"$WORK/out"
    if ! { shows "$WORK/out" one 'two … x' three && shows "$WORK/out" … three && shows "$WORK/out" one …; } ||
        shows "$WORK/out" one three || shows "$WORK/out" one 'two … y' three || shows "$WORK/out" one 'two … x' ||
        shows "$WORK/out" one 'two * x' three || shows "$WORK/out" 'two … x' three; then
        die "its comparison is wrong"
    fi
}

self_test
snapshot
redirect_clone
# What the caller's shell has set is not in the README.
for name in $(compgen -e HOOKLINE_); do unset "$name"; done
cd "$WORK"
follow
check_mentioned
((commands > 0 && compared > 0)) || die "README.md has no commands"
echo "README: $commands commands ran, the output of $compared compared, in $SECONDS s"
