#!/usr/bin/env bash
# test-services.sh: proves what the scripts around the services promise, on copies of them in folders of their own.
# Takes three minutes or so and leaves nothing behind. Docker is played by a stand-in, see there.
#
# shellcheck disable=SC2016 # expanded by inner shells
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

export HOOKLINE_SERVICES=native
unset CI
STANDARD_PORTS=(1883 4369 5432 5672 15672 15692 25672 61613)
WORK=$(mktemp -d "${TMPDIR:-/tmp}/hookline-test.XXXXXX")
LOG=$WORK/log
passed=0 failures=()

# --- judging ----------------------------------------------------------------------------------------

# ok NAME COMMAND…: a check that must succeed, its output kept for the case that it does not.
ok() {
    local name=$1 start=$SECONDS
    shift
    if "$@" >"$LOG" 2>&1; then
        passed=$((passed + 1))
        printf 'ok      %s (%d s)\n' "$name" "$((SECONDS - start))"
    else
        failures+=("$name")
        printf 'FAILED  %s: %s\n' "$name" "$*"
        sed 's/^/        /' "$LOG" | tail -n 30
    fi
}
not() { ! "$@"; }
# status N COMMAND…: true if the command exits with exactly N.
status() {
    local wanted=$1 got=0
    shift
    "$@" || got=$?
    ((got == wanted)) || { echo "exit status $got, not $wanted" && return 1; }
}
# within SECONDS COMMAND…
within() { timeout "$@"; }

# --- the copies -------------------------------------------------------------------------------------

# A checkout as far as the services are concerned.
checkout() {
    mkdir -p "$1"
    cp -r "$ROOT/scripts" "$ROOT/docker-compose.yml" "$ROOT/Makefile" "$1/"
}
record() { sed -n "s/^$2=//p" "$1/.local/services.env"; }

# All processes that belong to a copy: its path, or that of its database, is in their environment or arguments.
processes_of() {
    local dir pid
    for dir in "$1" "/var/tmp/hookline-postgres-$(path_hash "$1/.local/postgres")"; do
        grep -lazF -- "$dir/" /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | sort -u |
            while read -r pid; do
                if [[ $(tr -d '\0' <"/proc/$pid/cmdline") =~ beam|epmd|postgres|rabbit ]] 2>/dev/null; then echo "$pid"; fi
            done
    done
}
nothing_left() {
    local left
    left=$(processes_of "$1")
    [[ -z $left ]] || { echo "still running: $left" && return 1; }
}

# The addresses of everything that listens on a port of the copy's block, in the kernel's notation.
addresses_of() {
    local base
    base=$(record "$1" base)
    awk '$4 == "0A" { print $2 }' /proc/net/tcp /proc/net/tcp6 | while IFS=: read -r address port; do
        if ((0x$port >= base && 0x$port < base + 20)); then echo "$address"; fi
    done | sort -u
}
loopback_only() {
    local address
    for address in $(addresses_of "$1"); do
        case $address in
            0100007F | 00000000000000000000000001000000) ;;
            *) echo "listens on $address" && return 1 ;;
        esac
    done
}
standard_listeners() { listening_ports | grep -xF "$(printf '%s\n' "${STANDARD_PORTS[@]}")" | sort || true; }

usable() {
    (
        eval "$("$1/scripts/services.sh" env)"
        amqp_answers "$(record "$1" base)" && [[ $HOOKLINE_AMQP_URL == *"127.0.0.1:$(record "$1" base)/%2f" ]] &&
            [[ $HOOKLINE_DATABASE_URL == *":$(($(record "$1" base) + 10))/hookline" ]] &&
            [[ $("$1/scripts/services.sh" ctl -q eval 'application:get_env(rabbit, dead_letter_worker_publisher_confirm_timeout).') == '{ok,3000}' ]] &&
            [[ $("$1/scripts/services.sh" ctl -q eval 'application:get_env(kernel, net_ticktime).') == '{ok,8}' ]]
    )
}

# --- leaving ----------------------------------------------------------------------------------------

leave() {
    local dir
    trap '' INT TERM
    for dir in "$WORK"/*/ "$WORK"/home/*/; do
        [[ -x $dir/scripts/services.sh ]] || continue
        as_user_of "$dir" "$dir/scripts/services.sh" down --wipe >/dev/null 2>&1 || true
    done
    for dir in "$WORK"/nodes/*/; do
        if [[ -d $dir ]]; then "$ROOT/scripts/broker.sh" stop "$dir" || true; fi
    done
    rm -rf "$WORK"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# As the user that owns the folder, as if that one had logged in.
as_user_of() {
    local user
    user=$(stat -c %U "$1")
    shift
    if [[ $user == "$(id -un)" ]]; then "$@"; else
        setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups env HOME=/nonexistent "$@"
    fi
}

# --- the checks -------------------------------------------------------------------------------------

two_checkouts() {
    "$A/scripts/services.sh" up & local first=$!
    "$B/scripts/services.sh" up & local second=$!
    wait "$first" && wait "$second"
}
# Twice, and none of the names that would be another's, or more than a name.
own_database() {
    local url
    url=$("$A/scripts/services.sh" database trial) && [[ $url == *":$(($(record "$A" base) + 10))/trial" ]] || return 1
    "$A/scripts/services.sh" database trial && not "$A/scripts/services.sh" database hookline &&
        not "$A/scripts/services.sh" database 'x; drop' && not "$A/scripts/services.sh" database
}
thrice_at_once() {
    local pids=() pid
    for _ in 1 2 3; do "$A/scripts/services.sh" up & pids+=($!); done
    for pid in "${pids[@]}"; do wait "$pid"; done
}
kept() { [[ $("$A/scripts/services.sh" ctl -q list_vhosts) == *kept* ]]; }

# After a crash the pid files name processes that are someone else's by now, here this shell: nobody may take it for theirs.
stale_pid_files() {
    local data
    data=$(cat "$A/.local/postgres/folder" 2>/dev/null || echo "$A/.local/postgres")/data
    "$A/scripts/broker.sh" kill "$A/.local/rabbitmq" && "$A/scripts/postgres.sh" kill "$A/.local/postgres"
    printf '%s\n' "$$" "$data" >"$data/postmaster.pid"
    echo "$$" >"$A/.local/rabbitmq/pid"
    "$A/scripts/services.sh" down && alive "$$" && "$A/scripts/services.sh" up && usable "$A" && alive "$$"
}

# Something else has taken a port while the services were down.
ports_taken() {
    local before after
    before=$(record "$A" base)
    "$A/scripts/services.sh" down
    HOOKLINE_BROKER_PLUGINS=none "$ROOT/scripts/broker.sh" start "$WORK/nodes/squatter" "$before" || return 1
    "$A/scripts/services.sh" up || return 1
    after=$(record "$A" base)
    [[ $before != "$after" ]] && usable "$A" && amqp_answers "$before" || return 1
    "$ROOT/scripts/broker.sh" stop "$WORK/nodes/squatter"
}

own_brokers() {
    local node=$WORK/nodes/one other=$WORK/nodes/two sh=$ROOT/scripts/broker.sh port
    "$sh" start "$node" auto & local first=$!
    "$sh" start "$other" auto || return 1
    wait "$first" || return 1
    port=$("$sh" port "$node")
    [[ $port != "$("$sh" port "$other")" ]] && "$sh" ctl "$node" "$port" -q add_vhost mine || return 1
    "$sh" kill "$node" "$port" && not "$sh" status "$node" "$port" || return 1
    "$sh" start "$node" "$port" && "$sh" start "$node" "$port" || return 1
    [[ $("$sh" ctl "$node" auto -q list_vhosts) == *mine* ]] || return 1
    "$sh" stop "$node" "$port" && not "$sh" status "$node" && "$sh" status "$other" && "$sh" stop "$other"
    not grep -qazF "$WORK/nodes/" /proc/[0-9]*/environ
}

with() { "$A/scripts/with-services.sh" "$@"; }
two_users() {
    with sleep 12 & local long=$!
    sleep 0.5
    with sleep 1 || return 1
    "$A/scripts/services.sh" status || { echo "the first one out stopped them" && return 1; }
    wait "$long" && not "$A/scripts/services.sh" status
}
explicit_up_stays() {
    with sleep 10 & local user=$!
    until "$A/scripts/services.sh" status; do sleep 0.2; done
    "$A/scripts/services.sh" up && wait "$user" && "$A/scripts/services.sh" status
}
terminated() {
    local signal=$1 pid got=0
    # A shell's background commands ignore Ctrl-C, so take that back.
    env --default-signal=INT "$A/scripts/with-services.sh" bash -c 'sleep 300; true' & pid=$!
    until "$A/scripts/services.sh" status; do sleep 0.2; done
    sleep 0.5
    kill -s "$signal" "$pid"
    wait "$pid" || got=$?
    ((got > 128)) && not "$A/scripts/services.sh" status && nothing_left "$A"
}
interrupted_start() {
    local pid
    "$A/scripts/with-services.sh" true & pid=$!
    sleep 1
    kill -TERM "$pid"
    not wait "$pid" && not "$A/scripts/services.sh" status && nothing_left "$A"
}
# Only the broker is started; the database comes beside it for whoever needs that, and nobody else's is stopped.
only_what_is_needed() {
    local got
    got=$(with --need rabbitmq bash -c 'echo "${HOOKLINE_AMQP_URL:-none} ${HOOKLINE_DATABASE_URL:-none}"') || return 1
    [[ $got == amqp://*' none' ]] || { echo "it sees: $got" && return 1; }
    "$A/scripts/services.sh" up rabbitmq && not "$A/scripts/services.sh" status && not "$A/scripts/postgres.sh" status "$A/.local/postgres" || return 1
    [[ $("$A/scripts/services.sh" env) != *DATABASE* ]] && not "$A/scripts/services.sh" env postgresql || return 1
    with bash -c '[[ -n $HOOKLINE_DATABASE_URL ]]' && "$A/scripts/services.sh" env rabbitmq && "$A/scripts/services.sh" down
}
# While the services start, something is compiled; where that fails, nothing is run, and nothing stays.
beside() {
    local got status=0
    got=$(with --need rabbitmq --beside bash -c 'echo "${HOOKLINE_AMQP_URL:-none}"' -- bash -c 'echo "${HOOKLINE_AMQP_URL%%:*}"') || return 1
    [[ $got == $'none\namqp' ]] || { echo "they see: $got" && return 1; }
    got=$(with --need rabbitmq --beside bash -c 'exit 3' -- echo run) || status=$?
    [[ $status == 3 && -z $got ]] && not "$A/scripts/services.sh" status && nothing_left "$A"
}
sees_urls() {
    with bash -c '[[ -n $HOOKLINE_AMQP_URL && -n $HOOKLINE_DATABASE_URL && -n $HOOKLINE_TEST_MANAGEMENT_URL && -x $HOOKLINE_TEST_BROKER ]]'
}

# A program in place of docker, for the way through Compose: its containers are a broker of ours and nothing else.
# With DOCKER_FAILS set it cannot start them, as where no image can be pulled.
fake_docker() {
    mkdir -p "$WORK/bin"
    cat >"$WORK/bin/docker" <<END
#!/usr/bin/env bash
node=$WORK/nodes/docker
case "\$*" in
    info | 'compose version') ;;
    *' up -d --wait '*) [[ -z \${DOCKER_FAILS:-} ]] && HOOKLINE_BROKER_PLUGINS=none $ROOT/scripts/broker.sh start "\$node" "\$HOOKLINE_AMQP_PORT" ;;
    *' down' | *' down -v') $ROOT/scripts/broker.sh stop "\$node" ;;
    *' ps -q') if $ROOT/scripts/broker.sh status "\$node"; then echo id; fi ;;
    *' ps --services --status running') if $ROOT/scripts/broker.sh status "\$node"; then printf 'rabbitmq\npostgres\n'; fi ;;
    *' exec -T rabbitmq rabbitmqctl '*) echo "ctl of docker" ;;
    *' logs --tail 15') ;;
    *) echo "unexpected: docker \$*" >&2 && exit 1 ;;
esac
END
    chmod +x "$WORK/bin/docker"
}
docker_way() {
    local -x PATH=$WORK/bin:$PATH HOOKLINE_SERVICES=''
    "$A/scripts/services.sh" up && [[ $(record "$A" mode) == docker ]] && amqp_answers "$(record "$A" base)" || return 1
    "$A/scripts/services.sh" up && [[ $("$A/scripts/services.sh" ctl x) == 'ctl of docker' ]] || return 1
    [[ $("$A/scripts/services.sh" env) == *":$(record "$A" base)/%2f"* ]] && with true || return 1
    "$A/scripts/services.sh" down && not "$A/scripts/services.sh" status
}
docker_fails() {
    local -x PATH=$WORK/bin:$PATH HOOKLINE_SERVICES='' DOCKER_FAILS=yes
    "$A/scripts/services.sh" up && [[ $(record "$A" mode) == native ]] && usable "$A" && "$A/scripts/services.sh" down
}

A=$WORK/a
B=$WORK/home/b
checkout "$A"
checkout "$B"
chmod 700 "$WORK/home"
mkdir "$WORK/nodes"
before=$(standard_listeners)

ok 'env fails while nothing runs' not "$A/scripts/services.sh" env
ok 'down is fine while nothing runs' "$A/scripts/services.sh" down
ok 'two checkouts start at once, one below a private home folder' two_checkouts
ok 'the first is usable' usable "$A"
ok 'the second is usable' usable "$B"
ok 'a database of its own is made, and made anew' own_database
ok 'they have ports of their own' not test "$(record "$A" base)" = "$(record "$B" base)"
ok 'they listen on loopback only' loopback_only "$A"
ok 'no standard port is taken' test "$before" = "$(standard_listeners)"
ok 'up again is quick' within 3 "$A/scripts/services.sh" up
ok 'make env and make services work' within 3 make -s -C "$A" services env
"$A/scripts/services.sh" ctl -q add_vhost kept >/dev/null 2>&1 || true
ok 'the broker is killed' "$A/scripts/broker.sh" kill "$A/.local/rabbitmq"
ok 'which is noticed' not "$A/scripts/services.sh" status
ok 'three starts at once bring it back' thrice_at_once
ok 'with its data' kept
ok 'the database is killed and comes back' eval "$A/scripts/postgres.sh kill $A/.local/postgres && $A/scripts/services.sh up && usable $A"
ok 'the other checkout never noticed' usable "$B"
ok 'down, and nothing is left' eval "$B/scripts/services.sh down && nothing_left $B"
ok 'stale pid files hurt nobody' stale_pid_files
ok 'a taken port makes it move' ports_taken
rm -rf "$A/.local"
ok 'git clean under running services: up still works' eval "$A/scripts/services.sh up && usable $A"
ok 'and down leaves nothing' eval "$A/scripts/services.sh down && nothing_left $A"
ok 'brokers of tests: kill, restart, stop' own_brokers
ok 'with-services stops what it started' eval "sees_urls && ! $A/scripts/services.sh status && nothing_left $A"
ok 'with-services keeps the exit status' status 7 with bash -c 'exit 7'
ok 'with-services hands its input on' eval "[[ \$(echo word | $A/scripts/with-services.sh cat) == word ]]"
ok 'only what is needed is started' only_what_is_needed
ok 'they start beside a build' beside
ok 'the last of two users stops them' two_users
ok 'an explicit up meanwhile keeps them' explicit_up_stays
ok 'with-services leaves what was up' eval "with true && $A/scripts/services.sh status"
ok 'down' "$A/scripts/services.sh" down
ok 'TERM stops command and services' terminated TERM
ok 'Ctrl-C does too' terminated INT
ok 'TERM during the start does too' interrupted_start
fake_docker
ok 'an engine that answers is used' docker_way
ok 'one that cannot start them is not' docker_fails
# As `make up` leaves it: it started the services, and holds keys and a token.
left_by_up() { mkdir -p "$A/.local/up" && : >"$A/.local/up/services" && : >"$A/.local/up/master-key"; }
ok 'what make up started keeps its data when it is stopped' eval "left_by_up && $A/scripts/up.sh down && [[ -e $A/.local/postgres && -e $A/.local/up/master-key ]]"
ok 'wipe deletes the data, and the keys that open it' eval "left_by_up && $A/scripts/up.sh down --wipe && [[ ! -e $A/.local/rabbitmq && ! -e $A/.local/postgres && ! -e $A/.local/up ]]"

if is_root; then
    C=$WORK/c
    checkout "$C"
    chown -R nobody: "$C"
    chmod 755 "$WORK"
    ok 'another user starts them' as_user_of "$C" "$C/scripts/services.sh" up
    ok 'and reaches them' as_user_of "$C" "$C/scripts/services.sh" env
    ok 'they run as that user' eval "[[ \$(stat -c %U /proc/\$(processes_of $C | head -n 1)) == nobody ]]"
    ok 'and stops them' as_user_of "$C" "$C/scripts/services.sh" down
    ok 'nothing is left' nothing_left "$C"
fi
ok 'still no standard port is taken' test "$before" = "$(standard_listeners)"

printf '%d passed, %d failed\n' "$passed" "${#failures[@]}"
((${#failures[@]} == 0))
