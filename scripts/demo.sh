#!/usr/bin/env bash
# demo.sh: the whole way of a booking event, from nothing to the end, with what happens printed as it happens.
# Run by `make demo`, which brings the services up first. Stops every process that it starts.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

good_secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
bad_secret=whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD
export HOOKLINE_NAMESPACE=demo HOOKLINE_RETRY_SCHEDULE=2s,3s,4s
export HOOKLINE_ALLOW_HTTP=true HOOKLINE_ALLOW_CIDRS=127.0.0.0/8 HOOKLINE_LOG_FORMAT=text

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
[[ -t 1 ]] || step() { printf '\n== %s\n' "$*"; }

files=$(mktemp -d)
children=()
leave() {
    local status=$?
    for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${children[@]}"; do wait "$pid" 2>/dev/null || true; done
    if ((status != 0)); then
        echo "the demo failed; the last lines of each program:" >&2
        tail -n 15 "$files"/*.log >&2 2>/dev/null || true
    fi
    rm -rf "$files"
    exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# until_true SECONDS WHAT COMMAND…: polls until the command succeeds.
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || die "waited too long for $what"
        sleep 0.1
    done
}

# listener NAME ARGS…: a receiver whose output goes to NAME.log; its port is in $port, its pid in $pid.
listener() {
    local name=$1
    shift
    hookline listen "$@" >"$files/$name.log" 2>&1 &
    pid=$!
    children+=("$pid")
    until_true 10 "the receiver $name" grep -q '^listening on' "$files/$name.log"
    port=$(sed -n 's#^listening on http://[^:]*:\([0-9]*\).*#\1#p' "$files/$name.log")
}

# show NAME: what a receiver has printed since it was last shown.
show() {
    local seen=$files/$1.seen lines
    lines=$(cat "$seen" 2>/dev/null || echo 1)
    tail -n "+$((lines + 1))" "$files/$1.log" | sed 's/^/    /'
    wc -l <"$files/$1.log" >"$seen"
}

times() { (($(grep -c "attempt $2," "$files/$1.log") >= 1)); }

step "building (the first time takes some minutes)"
scripts/build.sh demo
built=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
export PATH="$built/debug:$PATH"

step "two receivers: a CRM that works, and a calendar that answers 500"
listener crm --port 0 --secret "$good_secret"
crm_port=$port
listener calendar --port 0 --secret "$bad_secret" --status 500
calendar_port=$port calendar_pid=$pid
echo "    CRM on port $crm_port, calendar on port $calendar_port"

step "their companies register them: endpoints.toml"
cat >"$files/endpoints.toml" <<TOML
[[endpoint]]
id = "ep_crm"
company = "acme"
url = "http://127.0.0.1:$crm_port/hooks"
secret = "$good_secret"
events = ["booking.*"]

[[endpoint]]
id = "ep_calendar"
company = "globex"
url = "http://127.0.0.1:$calendar_port/hooks"
secret = "$bad_secret"
TOML
sed 's/^/    /' "$files/endpoints.toml"

step "a dispatcher, with retries after 2, 3 and 4 seconds instead of 1, 5 and 30 minutes"
HOOKLINE_ENDPOINTS_FILE=$files/endpoints.toml hookline-dispatcher --http-addr 127.0.0.1:0 >"$files/dispatcher.log" 2>&1 &
dispatcher=$!
children+=("$dispatcher")
until_true 20 "the dispatcher" grep -q 'ready: consuming' "$files/dispatcher.log"
# What an interrupted demo may have left.
for queue in failed rejected; do hookline dlq purge --queue "$queue" --yes >/dev/null; done
echo "    ready"

step "a booking at Acme: published, and confirmed by the broker"
booking='{"booking":{"id":"bkg_1001","eventTypeId":"et_intro","status":"confirmed","startsAt":"2026-12-01T09:00:00Z","endsAt":"2026-12-01T09:30:00Z","attendee":{"email":"ada@example.com","firstName":"Ada","lastName":"Lovelace","timezone":"Europe/London"},"host":{"id":"usr_7","email":"grace@example.com"}}}'
event=$(hookline publish --company acme --type booking.created --data "$booking")
echo "    $event"
until_true 10 "the delivery" grep -q "$event" "$files/crm.log"
until_true 10 "the signatures" grep -q 'webhook-signature .*valid' "$files/crm.log"
echo "the CRM received:"
show crm
! grep -q INVALID "$files/crm.log" || die "a signature does not hold"

step "a booking at Globex, whose calendar answers 500: an attempt, and three retries"
event=$(hookline publish --company globex --type booking.created --data "$booking")
echo "    $event"
for attempt in 1 2 3 4; do
    until_true 15 "attempt $attempt" times calendar "$attempt"
    printf '    %(%H:%M:%S)T  attempt %d failed\n' -1 "$attempt"
done

step "after the fourth failure it is a dead letter"
until_true 10 "the dead letter" bash -c "hookline dlq list --json | grep -q '$event'"
hookline dlq list

step "the calendar is mended, and the delivery retried by hand"
kill "$calendar_pid"
wait "$calendar_pid" 2>/dev/null || true
listener mended --port "$calendar_port" --secret "$bad_secret"
hookline dlq retry "$event"
until_true 10 "the delivery" grep -q "$event" "$files/mended.log"
echo "the calendar received:"
show mended
! grep -q INVALID "$files/mended.log" || die "a signature does not hold"
until_true 10 "an empty dead-letter queue" bash -c "! hookline dlq list --json | grep -q ."

step "the dispatcher is asked to stop: it finishes what it has begun"
kill -TERM "$dispatcher"
wait "$dispatcher" || die "the dispatcher did not stop cleanly"
echo "    stopped with status 0"

step "done: delivered and verified, retried, dead-lettered, retried by hand"
