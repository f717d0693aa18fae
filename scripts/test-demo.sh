#!/usr/bin/env bash
# test-demo.sh: runs `make demo` and holds it to what it claims: it ends well, its counts are right, nobody's terminal is too
# narrow for it, Ctrl-C ends it without a word, and nothing is left running.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

# The services are started once, for the whole demo and for the one that is interrupted.
if [[ ${1:-} != --services-are-up ]]; then exec scripts/with-services.sh scripts/test-demo.sh --services-are-up; fi

out=$(mktemp -d)
group=
leave() {
    local status=$?
    if [[ -n $group ]]; then kill -KILL -- "-$group" 2>/dev/null || true; fi
    rm -rf "$out"
    exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

failed=0
# claim WHAT COMMAND…: says what does not hold.
claim() {
    local what=$1
    shift
    if ! "$@" >/dev/null; then say "it does not hold: $what" && failed=1; fi
}
says() { grep -qE "$2" "$out/$1"; }
never() { ! grep -qE "$2" "$out/$1"; }

# In a group of its own, as a terminal would start it. A shell lets what runs in the background ignore Ctrl-C.
start() { setsid env --default-signal=INT,QUIT make demo >"$out/$1" 2>&1 </dev/null & group=$!; }
# members GROUP: the processes in it that run.
members() {
    local stat
    for stat in /proc/[0-9]*/stat; do
        # The name may hold anything; what comes behind it is the state, the parent, and the group.
        sed -n 's/^\([0-9]*\) (.*) \([A-Z]\) [0-9]* \([0-9]*\) .*/\1 \2 \3/p' "$stat" 2>/dev/null || true
    done | awk -v group="$1" '$3 == group && $2 != "Z" && $2 != "X" { print $1 }'
}
none_left() { [[ -z $(members "$1") ]]; }

status=0
start whole
wait "$group" || status=$?
cat "$out/whole"
claim "it ends well (it ended with status $status)" test "$status" -eq 0
claim "it leaves nothing running" none_left "$group"
for what in \
    'Meeva-Signature +valid' 'webhook-signature +valid' '"event": "booking_created"' \
    'taking bookings on http://127' 'curl -fsS -d @booking.json' '^  ."id":"bkg_' \
    'From request to receipt: crm [0-9]+ ms, calendar [0-9]+ ms, website [0-9]+ ms' \
    'connect_error .* attempt 1' 'http_status +500 .* attempt [234]' 'ep_erp +booking.created +HTTP 500' \
    'globex has no such dead letters' \
    'kill -9 [0-9]+' 'Killed when [0-9]+ had arrived' '^  1000 ids$' \
    '^  1,000 delivered, [0-9,]+ twice(, [0-9,]+ more often)?, 0 lost$'; do
    claim "it says $what" says whole "$what"
done
claim "it has no colours in a file" never whole $'\033'
# In bytes, of which a line has no fewer than columns.
too_wide() { LC_ALL=C grep -nE '^.{81}' "$out/$1" >&2; }
narrow() { ! too_wide "$1"; }
claim "no line is wider than 80 columns" narrow whole

# Where a person may have had enough: it waits for a retry, and all programs run.
start interrupted
for _ in {1..1200}; do
    if says interrupted 'attempt 1$' || none_left "$group"; then break; fi
    sleep 0.05
done
before=$(wc -l <"$out/interrupted")
kill -INT -- "-$group"
status=0
wait "$group" || status=$?
# make has its own status for a recipe that was interrupted.
claim "Ctrl-C ends it as that (it ended with status $status)" test "$status" -eq 130 -o "$status" -eq 2
claim "it leaves nothing running after Ctrl-C" none_left "$group"
tail -n "+$((before + 1))" "$out/interrupted" >"$out/after"
claim "it says nothing of its own after Ctrl-C" never after 'hookline|demo.sh|line [0-9]+:|Terminated|Killed'
group=

# The comparison sees what is lost, what is there more than once, and what nobody sent.
printf '%s\n' a b c d >"$out/confirmed"
printf '%s\n' b a b c c c x >"$out/arrived"
compared() { bash -c 'source scripts/demo/stage.sh && compared "$@"' - "$out/confirmed" "$out/arrived"; }
claim "it counts what is lost and what came twice" test "$(compared)" = '3 1 1 1 1'

# On a terminal headings stand out, unless that is not wanted.
heading='source scripts/lib.sh; source scripts/demo/stage.sh; step x'
on_terminal() { env "$@" TERM=xterm script -qec "bash -c '$heading'" /dev/null </dev/null; }
on_terminal -u NO_COLOR >"$out/coloured"
on_terminal NO_COLOR=1 >"$out/plain"
claim "headings stand out on a terminal" says coloured $'\033'
claim "NO_COLOR is heeded" never plain $'\033'

((failed == 0)) || die "the demo is not as it claims"
echo "the demo is as it claims"
