#!/usr/bin/env bash
# test-up.sh: proves what `make up` and `make down` promise: an endpoint is registered and gets its event, a second `make up`
# changes nothing, and `make down` leaves running what ran before, and nothing else.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

# A make below another one says more than the one that its reader types.
unset MAKEFLAGS MFLAGS MAKELEVEL

out=$(mktemp -d)
receiver=
leave() {
    local status=$?
    trap '' INT TERM
    if [[ -n $receiver ]]; then kill "$receiver" 2>/dev/null || true; fi
    if ((status != 0)); then
        tail -n 15 "$STATE"/up/*.log "$out"/* >&2 2>/dev/null || true
        scripts/up.sh down >/dev/null 2>&1 || true
    fi
    rm -rf "$out"
    exit "$status"
}

! scripts/up.sh status >/dev/null || die "it runs already, and would be stopped by this: make down first"
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# claim WHAT COMMAND…
claim() {
    local what=$1
    shift
    "$@" >"$out/claim" 2>&1 || die "it does not hold: $what"
    echo "ok      $what"
}
not() { ! "$@"; }
# soon WHAT COMMAND…: looks until it succeeds.
soon() {
    local deadline=$((SECONDS + 90)) what=$1
    shift
    until "$@" >"$out/soon" 2>&1; do
        ((SECONDS < deadline)) || die "it does not come about: $what"
        sleep 0.2
    done
    echo "ok      $what"
}
pids() { cat "$STATE"/up/*.pid; }
mode_is() { [[ $(stat -c %a "$STATE/up/$1") == 600 ]]; }
# What runs with one of our programs' names out of this checkout.
left() {
    local pid exe
    for pid in /proc/[0-9]*; do
        exe=$(readlink "$pid/exe" 2>/dev/null) || continue
        if [[ $exe == "$ROOT"/* && (${exe##*/} == hookline-* || ${exe##*/} == booking-day) ]]; then echo "${pid##*/}"; fi
    done
}
none_left() { [[ -z $(left) ]]; }

were_up=no
if scripts/services.sh status >/dev/null; then were_up=yes; fi

make -s up >"$out/first"
claim "both programs are ready" scripts/up.sh status
for file in master-key admin-token; do claim "$file is this user's alone" mode_is "$file"; done
claim "the token is not printed" not grep -qF "$(<"$STATE/up/admin-token")" "$out/first" "$STATE"/up/console.log

# As it tells its reader to go on.
eval "$(sed -n 's/^  \(export .*\)/\1/p' "$out/first")"
hookline listen --port 0 >"$out/receiver" 2>&1 &
receiver=$!
soon "a receiver listens" grep -q '^listening on' "$out/receiver"
url=$(sed -n 's/^listening on //p' "$out/receiver")
added=$(hookline endpoints add --company up-test --url "$url/hooks" --json)
id=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' <<<"$added")
[[ -n $id ]] || die "no endpoint was registered: $added"
event=$(hookline publish --company up-test --type booking.created --data '{}')
soon "the event is delivered to the endpoint that was just registered" grep -qF "$event" "$out/receiver"

before=$(pids) token=$(<"$STATE/up/admin-token")
make -s up >"$out/second"
claim "a second make up starts nothing" test "$(pids)" = "$before"
claim "and keeps the token" test "$(<"$STATE/up/admin-token")" = "$token"
# The link into the dashboard works once, so each has its own.
link() { sed -n 's/^ *dashboard *\(http[^ ]*\).*/\1/p' "$1"; }
without_link() { grep -vF "$(link "$1")" "$1"; }
claim "and says the same" diff <(without_link "$out/first") <(without_link "$out/second")
claim "but for another link into the dashboard" test "$(link "$out/first")" != "$(link "$out/second")"
claim "which is good" curl -fsS -o /dev/null "$(link "$out/second")"
claim "the endpoint is still there" hookline endpoints show "$id" --company up-test
hookline endpoints remove "$id" --company up-test --yes >/dev/null

DEMO=1 make -s up >"$out/day"
claim "a booking day is told of" grep -q '^A small booking day goes on' "$out/day"
of_day() { hookline deliveries list --company "$1" --endpoint "$2" --json | grep -q "\"status\":\"$3\""; }
soon "its receivers that are well get their bookings" of_day acme-dental ep_crm delivered
soon "and what fails at one that is broken is tried again" of_day bergmann-coaching ep_newsletter retrying

make -s down
claim "nothing of it is left running" none_left
case $were_up in
    yes) claim "the services that ran before still run" scripts/services.sh status ;;
    no) claim "the services are stopped too" not scripts/services.sh status ;;
esac
claim "a second make down is fine" make -s down
echo "make up and make down are as they claim"
