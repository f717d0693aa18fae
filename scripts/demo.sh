#!/usr/bin/env bash
# demo.sh: the whole way of a booking, from a request over HTTP to signed webhooks, with the commands as one would type them and
# what they print. Then it counts what a killed dispatcher costs, and fails if a count is wrong.
#
# Run by `make demo`, which brings the services up first. It ends every process that it starts, also on Ctrl-C.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/demo/stage.sh
source "$ROOT/scripts/demo/stage.sh"

BOOKINGS=1000
# So many have arrived when the dispatcher is killed: enough that all is under way, and far from all.
KILLED_AFTER=300
# One secret for each company; they are in our documents, so nobody should use them.
ACME_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
GLOBEX_SECRET=whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD
INITECH_SECRET=whsec_V0pXcjZRd0tHb3JqVU5yQ2lYb2FtSGJm

# Builds the programs and puts them on PATH.
build() {
    echo "building (the first time takes some minutes)"
    cd "$ROOT"
    scripts/build.sh demo
    local built
    built=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
    export PATH="$built/debug:$PATH"
}

# listener NAME ARGS…: a receiver whose output goes to NAME.log; its port is in $port, its process id in $pid.
listener() {
    local name=$1
    shift
    typed "hookline listen $* &"
    background "$name" hookline listen "$@"
    until_so "the receiver $name" has "$name" 'listening on http://'
    port=$(sed -n 's#^listening on http://[^:]*:\([0-9]*\).*#\1#p' "$name.log")
    head -n 1 "$name.log" | shown
}

# register ID COMPANY PORT SECRET FORMAT: tells Hookline where a company wants its events.
register() {
    run hookline endpoints add --company "$2" --id "$1" --url "http://127.0.0.1:$3/hooks" --secret "$4" --format "$5"
}

# Starts a booking service, on a database of this demo alone; where it takes bookings is in $SERVICE, its process id in $booking.
booking_service() {
    BOOKINGS_DATABASE_URL=$("$ROOT/scripts/services.sh" database booking)
    export BOOKINGS_DATABASE_URL BOOKINGS_ADDR=127.0.0.1:0
    typed "export BOOKINGS_ADDR=$BOOKINGS_ADDR"
    typed "export BOOKINGS_DATABASE_URL=$BOOKINGS_DATABASE_URL"
    typed "booking-service &"
    background booking-service booking-service
    booking=$pid
    until_so "the booking service" has booking-service 'taking bookings on http://'
    shown <booking-service.log
    SERVICE=$(sed -n 's#^taking bookings on \(http://.*\)#\1#p' booking-service.log)/companies
    typed "SERVICE=$SERVICE"
}

# post FILE PATH: asks the booking service over HTTP; the id that it answers with is in $id.
post() {
    typed "curl -fsS -d @$1 \$SERVICE/$2"
    quietly curl -fsS -d "@$1" "$SERVICE/$2"
    shown <<<"$output"
    id=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' <<<"$output")
    [[ -n $id ]] || die "the booking service answered with no id: $output"
}

# Starts a console, on a database and with keys of this demo alone.
console() {
    local variable
    (umask 077 && head -c 32 /dev/urandom | base64 -w 0 >master-key && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >token)
    HOOKLINE_DATABASE_URL=$("$ROOT/scripts/services.sh" database demo)
    export HOOKLINE_DATABASE_URL HOOKLINE_MASTER_KEY_FILE=master-key HOOKLINE_ADMIN_TOKEN_FILE=token
    remark "Two files hold what was drawn at random: a key for secrets, and a token."
    for variable in DATABASE_URL MASTER_KEY_FILE ADMIN_TOKEN_FILE; do
        variable=HOOKLINE_$variable
        typed "export $variable=${!variable}"
    done
    typed "hookline-console --http-addr 127.0.0.1:0 &"
    background console hookline-console --http-addr 127.0.0.1:0
    until_so "the console" has console "schema is up to date"
    HOOKLINE_API_URL=http://$(sed -n 's#.*serving the API.*address=\(127.0.0.1:[0-9]*\).*#\1#p' console.log)
    export HOOKLINE_API_URL HOOKLINE_API_TOKEN_FILE=token
    typed "export HOOKLINE_API_URL=$HOOKLINE_API_URL HOOKLINE_API_TOKEN_FILE=token"
}

# dispatcher NAME: one more of them; the address of its metrics is in $metrics.
dispatcher() {
    typed "hookline-dispatcher --http-addr 127.0.0.1:0 &"
    background "$1" hookline-dispatcher --http-addr 127.0.0.1:0
    until_so "$1" has "$1" 'ready: consuming'
    metrics=$(sed -n 's#.*serving /healthz.*address=127.0.0.1:\([0-9]*\).*#\1#p' "$1.log")
    remark "ready: consuming from all working queues (process $pid)"
}

# in_hand PORT: how many messages the dispatcher at this port has taken and not finished.
in_hand() {
    exec 5<>"/dev/tcp/127.0.0.1/$1"
    printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&5
    awk '/^hookline_messages_in_hand/ { sum += $NF; found = 1 } END { if (!found) exit 1; print sum }' <&5
    exec 5<&-
}

# How many messages wait on the broker to be worked on, or for a later attempt; -1 where it does not say.
waiting() {
    hookline status --json | awk '
        /"kind":"queue"/ && !/\.(attempts|attempts\.spill|failed|rejected)"/ {
            if (match($0, /"ready":[0-9]+/)) { queues++; sum += substr($0, RSTART + 8, RLENGTH - 8) } else unknown++
        }
        END { print queues && !unknown ? sum : -1 }'
}

# arrived: how many of the many bookings have arrived.
arrived() { bookings desk "$kind" | sort -u | wc -l; }

# all_done: whether every booking has arrived, and nothing of them is on its way any more.
all_done() { (($(arrived) >= BOOKINGS)) && (($(waiting) == 0)) && (($(in_hand "$metrics") == 0)); }

# --- the story --------------------------------------------------------------------------------------

files=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
trap 'exit 141' PIPE

build
cd "$files"
export HOOKLINE_NAMESPACE=demo HOOKLINE_LOG_FORMAT=text
# What the caller's shell has of them would win over what is told here, or stand against it.
unset HOOKLINE_ENDPOINTS_FILE HOOKLINE_DATABASE_URL_FILE HOOKLINE_MASTER_KEY HOOKLINE_ADMIN_TOKEN HOOKLINE_API_TOKEN \
    HOOKLINE_AMQP_URL_FILE http_proxy HTTP_PROXY all_proxy ALL_PROXY
since=$SECONDS

step "A booking service starts: it takes bookings over HTTP, into PostgreSQL"
remark "Each booking and the event that tells of it are one transaction: an outbox." \
    "What is committed, its relay publishes. It is in examples/booking-service."
booking_service

step "A console starts: it keeps where companies want their events"
remark "Plain http and this machine's own addresses are refused unless allowed:"
typed "export HOOKLINE_ALLOW_HTTP=true HOOKLINE_ALLOW_CIDRS=127.0.0.0/8"
export HOOKLINE_ALLOW_HTTP=true HOOKLINE_ALLOW_CIDRS=127.0.0.0/8
console

step "Acme wants its bookings in three places: CRM, calendar, website"
remark "\`hookline listen\` is a receiver for development. One for each of them:"
listener crm --port 0 --secret "$ACME_SECRET"
register ep_crm acme "$port" "$ACME_SECRET" meeva
listener calendar --port 0 --secret "$ACME_SECRET"
register ep_calendar acme "$port" "$ACME_SECRET" standard
listener website --port 0 --secret "$ACME_SECRET"
register ep_website acme "$port" "$ACME_SECRET" meetergo
remark "And one for Globex, and for Initech, which takes its time to answer:"
listener erp --port 0 --secret "$GLOBEX_SECRET"
erp_port=$port erp=$pid
register ep_erp globex "$port" "$GLOBEX_SECRET" meeva
listener desk --port 0 --secret "$INITECH_SECRET" --delay 200ms
register ep_desk initech "$port" "$INITECH_SECRET" meeva

step "They are registered, each with its address, secret and format"
run hookline endpoints list --company acme

step "Two dispatchers start: they keep no state, and share the work"
remark "They read the endpoints from the console's database, and hear of changes."
remark "Retries come after 1, 5 and 30 minutes. Here you need not wait so long:"
typed "export HOOKLINE_RETRY_SCHEDULE=1s,2s,3s"
export HOOKLINE_RETRY_SCHEDULE=1s,2s,3s
dispatcher dispatcher-1
first=$pid
dispatcher dispatcher-2
second=$pid
# What an interrupted demo may have left.
quietly hookline dlq purge --queue rejected --yes
quietly hookline failed discard --all --company globex --yes

step "A booking at Acme: made over HTTP, delivered to all three, signed"
cat >booking.json <<'JSON'
{"eventTypeId": "et_intro", "host": "usr_lena", "attendee": "zoe@example.org",
 "startsAt": "2031-05-14T09:00:00Z", "endsAt": "2031-05-14T09:30:00Z"}
JSON
run cat booking.json
post booking.json acme/bookings
remark "The id means: booking and event are committed. What the three received:"
for name in crm calendar website; do
    until_so "the delivery to the $name" has "$name" "\"id\": \"$id\""
done
event=$(event_of crm booking.created "$id")
lines=1000
for name in crm calendar website; do
    until_so "the delivery to the $name" received "$name" "$event"
    echo
    remark "$name:"
    request "$name" "$event" "$lines" | shown
    request "$name" "$event" | grep -q 'webhook-signature *valid' || die "the $name was sent no valid signature"
    # The same booking in another format: its first lines tell.
    lines=10
done
echo
remark "It is called off. The next event finds all connections open:"
echo '{"by": "host", "reason": "Ill today"}' >off.json
run cat off.json
post off.json "acme/bookings/$id/cancel"
for name in crm calendar website; do until_so "the delivery to the $name" has "$name" '"cancelledBy": "host"'; done
event=$(event_of crm booking.cancelled "$id")
for name in crm calendar website; do until_so "the delivery to the $name" received "$name" "$event"; done
booked=$(milliseconds "$(request crm "$event" | sed -n 's/.*"createdAt": "\([^"]*\)".*/\1/p')")
took=
for name in crm calendar website; do
    took+=", $name $(($(milliseconds "$(requests "$name" "$event" | tail -n 1 | cut -d' ' -f1)") - booked)) ms"
done
remark "From request to receipt: ${took#, }."

step "Globex's ERP is down. Each attempt tells why it failed"
remark "\`hookline tail\` follows all attempts as they are made."
typed "kill $erp"
kill "$erp"
ended "$erp"
typed "hookline tail --company globex &"
background tail hookline tail --company globex
until_so "tail" has tail 'following'
post booking.json globex/bookings
# Of an interrupted demo there may be later attempts.
until_so "the first attempt" has tail 'attempt 1 '
event=$(sed -n '/attempt 1 /s/.*\(evt_[0-9a-f]*\).*/\1/p' tail.log | head -n 1)
for attempt in 1 2 3 4; do
    until_so "attempt $attempt" lines_with tail "$event" "$attempt"
    grep -F "$event" tail.log | sed -n "${attempt}p" | shown
    if ((attempt == 1)); then
        remark "It comes up again, but answers 500:"
        listener failing --port "$erp_port" --secret "$GLOBEX_SECRET" --status 500
        failing=$pid
    fi
done
(($(grep -cF "$event" tail.log) == 4)) || die "there are $(grep -cF "$event" tail.log) attempts, and not 4"

step "After the last attempt it is a dead letter, kept until you decide"
until_so "the dead letter" dead_letter "$event"
run_until "$event" hookline failed list --company globex
run_until "$event" hookline failed show "$event" \
    --endpoint ep_erp --company globex

step "The ERP is mended, and the delivery retried by hand"
typed "kill $failing"
kill "$failing"
ended "$failing"
listener mended --port "$erp_port" --secret "$GLOBEX_SECRET"
run_until "$event" hookline failed retry "$event" --company globex
until_so "the delivery" received mended "$event"
remark "The ERP received:"
request mended "$event" 4 | shown
request mended "$event" | grep -q 'webhook-signature *valid' || die "a signature does not hold"
until_so "the dead letter to be gone" no_dead_letter "$event"
run hookline failed list --company globex

step "$(with_commas "$BOOKINGS") bookings at Initech, and a dispatcher killed in the middle"
# A kind of this run alone: an interrupted one may have left some of its own.
kind=$(printf 'et_%x' "$EPOCHSECONDS")
sed "s/et_intro/$kind/" booking.json >many.json
typed "curl -fsS -d @many.json \"\$SERVICE/initech/bookings?[1-$BOOKINGS]\" -Z --parallel-max 8 > booked.log &"
background booked curl -fsS -d @many.json "$SERVICE/initech/bookings?[1-$BOOKINGS]" -Z --parallel-max 8
booker=$pid
until_so "$KILLED_AFTER requests" lines_with desk "\"eventTypeId\": \"$kind\"" "$KILLED_AFTER"
typed "kill -9 $first"
# In one breath, or the shell would have a word to say about it.
{ kill -KILL "$first" && ended "$first" || true; } 2>/dev/null
at_kill=$(arrived)
((at_kill < BOOKINGS)) || die "all $BOOKINGS had arrived before the dispatcher was killed"
remark "Killed when $at_kill had arrived; the other dispatcher goes on."
ended "$booker" || die "not all were booked: $(tail -n 3 booked.log)"
sed -n 's/.*"id":"\([^"]*\)".*/\1/p' booked.log >ids
run wc -l ids
(($(sort -u ids | wc -l) == BOOKINGS)) || die "not all were booked"
remark "So many ids were answered, each when booking and event were committed."
until_so "all bookings" all_done

step "Counted: the bookings that were answered against those that arrived"
# What is left is asked to stop, which it does in order; nothing can arrive any more.
kill -TERM "$second" "$booking"
ended "$second" || die "the dispatcher did not stop in order"
ended "$booking" || die "the booking service did not stop in order: $(<booking-service.log)"
bookings desk "$kind" >arrived
read -r delivered twice more lost foreign < <(compared ids arrived)
more_often=
if ((more)); then more_often=", $(with_commas "$more") more often"; fi
remark "$(with_commas "$delivered") delivered, $(with_commas "$twice") twice$more_often, $(with_commas "$lost") lost"
if ((twice + more)); then
    remark "Those that came twice were in flight in the dispatcher that died. Receivers" \
        "know them by their webhook-id, the same each time."
fi
((delivered == BOOKINGS && lost == 0 && foreign == 0)) || die "that is wrong: all $BOOKINGS must arrive, and no others"
! grep -q INVALID ./*.log || die "a signature does not hold"

step "That was all of it, in $((SECONDS - since)) seconds. What next?"
shown <<'NEXT'
make test               runs the tests, against the real broker
make up                 leaves all of it running, to try these commands on
README.md               says how, for each of its three readers
hookline COMMAND --help has examples for each (in target/debug)
docs/TOUR.md            follows one event through the code
NEXT
