# shellcheck shell=bash
# What tests of packages and images share: counting, waiting, a receiver, the end. Sourced behind lib.sh, never run. Whoever sources it
# sets WORK, the folder that goes with the test, in which whatever is started writes NAME.out.
[[ -n ${WORK:-} ]] || die "WORK is not set"

# For development only: it signs what the test sends to itself.
SECRET=whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD
passed=0 not_run=0 children=()

# ok NAME COMMAND…: ends the test where the command fails.
ok() {
    local name=$1
    shift
    "$@" >"$WORK/log" 2>&1 || { tail -n 60 "$WORK/log" "$WORK"/*.out >&2 2>/dev/null || true; die "FAILED: $name"; }
    passed=$((passed + 1))
    printf 'ok       %s\n' "$name"
}

not() { ! "$@"; }

# not_run NAME WHY
not_run() {
    not_run=$((not_run + 1))
    printf 'NOT RUN  %s: %s\n' "$1" "$2"
}

# sum_up WHERE
sum_up() { echo "$passed passed, 0 failed, $not_run not run, in $SECONDS s${1:+ ($1)}"; }

# until_true SECONDS COMMAND…
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || { echo "waited too long for: $*" && return 1; }
        sleep 0.2
    done
}

# begin COMMAND…: an empty WORK, which goes at the end with all that was started; the command is called before it goes.
begin() {
    at_end=("$@")
    rm -rf --one-file-system "$WORK"
    mkdir -p "$WORK"
    trap leave EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

leave() {
    local status=$? pid
    trap '' INT TERM HUP
    for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${children[@]}"; do wait "$pid" 2>/dev/null || true; done
    "${at_end[@]}" || true
    rm -rf --one-file-system "$WORK"
    exit "$status"
}

# free_port: sets http to a port on which nothing listens.
free_port() {
    lock_ports
    # shellcheck disable=SC2034 # whoever sources this reads it
    http=$(pick_ports "$WORK" 27000 28999 1)
    unlock_ports
}

# start_receiver FILE COMMAND…: `COMMAND… listen`, as the receiver of an endpoint that is added to FILE.
start_receiver() {
    local port endpoints=$1
    shift
    ("$@" listen --addr 127.0.0.1 --port 0 --secret "$SECRET") >"$WORK/receiver.out" 2>&1 &
    children+=($!)
    until_true 30 grep -q '^listening on' "$WORK/receiver.out" || return 1
    port=$(sed -n 's#^listening on http://[^:]*:\([0-9]*\).*#\1#p' "$WORK/receiver.out")
    cat >>"$endpoints" <<END
[[endpoint]]
id = "ep_crm"
company = "acme"
url = "http://127.0.0.1:$port/hooks"
secret = "$SECRET"
END
}

# arrives COMMAND…: what `COMMAND… publish` publishes reaches the receiver, signed.
arrives() {
    local event
    event=$( ("$@" publish --company acme --type booking.created --data '{"booking":{"id":"b_1"}}'))
    [[ $event == evt_* ]] || { echo "publish printed $event" && return 1; }
    until_true 60 grep -q "$event" "$WORK/receiver.out" || return 1
    until_true 30 grep -q 'webhook-signature .*valid' "$WORK/receiver.out" || return 1
    not grep -q INVALID "$WORK/receiver.out"
}

is_consuming() { until_true 60 grep -q 'ready: consuming' "$WORK/dispatcher.out"; }
