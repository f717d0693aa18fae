#!/usr/bin/env bash
# RabbitMQ and PostgreSQL for this checkout alone: own ports, own data, own processes.
#
#   services.sh up [NAME…]     start what does not run yet; returns when all answer
#   services.sh down [--wipe]  stop all; --wipe deletes their data too
#   services.sh env [NAME…]    prints the `export HOOKLINE_…` lines to reach them
#   services.sh status         says what runs; exit 0 if both answer
#   services.sh ctl ARGS…      rabbitmqctl of the broker
#   services.sh database NAME  makes a database of its own anew, whatever it held, and prints its URL
#
# NAME is rabbitmq or postgresql; `up` takes both where none is named, and `env` what runs.
# They come from Docker Compose where an engine answers, else from the machine's own packages as private
# processes, with everything they write below .local/. HOOKLINE_SERVICES=native or =docker forces one way;
# HOOKLINE_RABBITMQ=4 takes the RabbitMQ 4.x of rabbitmq4.sh, natively.
# `up` and `down` may be called at any time, twice, and by several at once. with-services.sh calls them with
# --for-command: services started so are stopped again by the last command that used them.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/services/compose.sh
source "$ROOT/scripts/services/compose.sh"

SERVICES=(rabbitmq postgresql)
declare -A TITLES=([rabbitmq]=RabbitMQ [postgresql]=PostgreSQL)
RECORD=$STATE/services.env        # how and where the services of this checkout run
FOR_COMMAND=$STATE/for-command    # exists if they were started for a command, and not to stay
# Each version has data of its own, which the other could not read.
BROKER_DIRS=("$STATE/rabbitmq" "$STATE/rabbitmq-data-4")
if [[ ${HOOKLINE_RABBITMQ:-} == 4 ]]; then BROKER_DIR=${BROKER_DIRS[1]}; else BROKER_DIR=${BROKER_DIRS[0]}; fi
POSTGRES_DIR=$STATE/postgres
PORTS=(21000 26999 20)            # first, last, and how many a checkout takes

broker() { "$ROOT/scripts/broker.sh" "$@"; }
postgres() { "$ROOT/scripts/postgres.sh" "$@"; }

# --- the record -------------------------------------------------------------------------------------

# Sets MODE and BASE (empty if there is no record). Parsed and not sourced: it is data.
read_record() {
    MODE=$(sed -n 's/^mode=\(native\|docker\)$/\1/p' "$RECORD" 2>/dev/null) || true
    BASE=$(sed -n 's/^base=\([0-9]\{1,5\}\)$/\1/p' "$RECORD" 2>/dev/null) || true
}

# The layout of a block is that of broker.sh, and PostgreSQL behind it.
write_record() {
    cat >"$RECORD.new" <<END
# Written by scripts/services.sh: how the services of this checkout run, and on which ports.
mode=$MODE
base=$BASE
amqp=$BASE
management=$((BASE + 1))
prometheus=$((BASE + 2))
dist=$((BASE + 3))
epmd=$((BASE + 4))
ctl=$((BASE + 5))-$((BASE + 9))
postgres=$((BASE + 10))
END
    mv "$RECORD.new" "$RECORD"
}

lock_services() {
    mkdir -p "$STATE"
    exec 9>>"$STATE/services.lock"
    flock -w 900 9 || die "another command has been busy with the services for 15 minutes"
}

# Sets BASE: the recorded block if it is still free, else the next free one. Leaves the ports locked.
choose_ports() {
    lock_ports
    if [[ -n $BASE ]] && ports_free "$BASE" 11; then return; fi
    BASE=$(pick_ports "$ROOT" "${PORTS[@]}")
}

# --- the machine's own packages ---------------------------------------------------------------------

native_rabbitmq_answers() {
    [[ -n $BASE ]] && broker status "$BROKER_DIR" 2>/dev/null && [[ $(broker port "$BROKER_DIR") == "$BASE" ]]
}
native_postgresql_answers() {
    [[ -n $BASE ]] && postgres status "$POSTGRES_DIR" 2>/dev/null && [[ $(postgres port "$POSTGRES_DIR") == "$((BASE + 10))" ]]
}
native_sql() { postgres sql "$POSTGRES_DIR" "$1"; }
native_rabbitmq_start() { broker start "$BROKER_DIR" "$BASE"; }
native_postgresql_start() { postgres start "$POSTGRES_DIR" "$((BASE + 10))"; }

# native_up NAME…
native_up() {
    local other name start starts=() failed=
    for other in "${BROKER_DIRS[@]}"; do
        if [[ $other != "$BROKER_DIR" ]] && broker status "$other" 2>/dev/null; then
            die "a RabbitMQ of another version runs for this checkout: stop it with 'make services-down' first"
        fi
    done
    # What Compose may have left from another day would hold the ports.
    if [[ $MODE == docker ]] && docker_usable; then compose down >&2; fi
    MODE=native
    install_missing "$@"
    # Where one of the two runs and the other has crashed, the block is ours and stays.
    if [[ -z $BASE ]] || ! { postgres status "$POSTGRES_DIR" || broker status "$BROKER_DIR"; } 2>/dev/null; then
        native_down # an epmd that a crash has left would hold a port of the block
        choose_ports
    fi
    write_record
    for name in "$@"; do
        say "starting ${TITLES[$name]} on 127.0.0.1:$(port_of "$name")"
        # Without our locks, which an interrupted start would leave held.
        "native_${name}_start" 7>&- 9>&- &
        starts+=($!)
    done
    if ports_locked; then
        # One that listens shows that the block is taken: the broker's epmd does within a second.
        while ports_free "$BASE" 11 && any_alive "${starts[@]}"; do sleep 0.1; done
        unlock_ports
    fi
    for start in "${starts[@]}"; do wait "$start" || failed=yes; done
    [[ -z $failed ]] || die "a service did not start, see above"
}

# In one go, as apt takes as long for two packages as for one.
install_missing() {
    local packages
    mapfile -t packages < <("$ROOT/scripts/preflight.sh" --packages "$@")
    if ((${#packages[@]})); then "$ROOT/scripts/install-packages.sh" "${packages[@]}"; fi
}

any_alive() {
    local pid
    for pid in "$@"; do
        if alive "$pid"; then return; fi
    done
    return 1
}

native_down() {
    local dir
    for dir in "${BROKER_DIRS[@]}"; do broker stop "$dir"; done
    postgres stop "$POSTGRES_DIR"
}

# --- either -----------------------------------------------------------------------------------------

# What the caller or the machine asks for.
wanted_mode() {
    case ${HOOKLINE_SERVICES:-} in
        native | docker) echo "$HOOKLINE_SERVICES" ;;
        '') if [[ -z ${HOOKLINE_RABBITMQ:-} ]] && docker_usable; then echo docker; else echo native; fi ;;
        *) die "HOOKLINE_SERVICES is '$HOOKLINE_SERVICES', allowed are native and docker" ;;
    esac
}

# Sets RUNNING: the names of those that answer, by the record.
look() {
    local name
    read_record
    RUNNING=()
    for name in "${SERVICES[@]}"; do
        if [[ -n $MODE ]] && "${MODE}_${name}_answers"; then RUNNING+=("$name"); fi
    done
}

# all_run NAME…: true if all of them were found running.
all_run() {
    local name
    for name in "$@"; do [[ " ${RUNNING[*]} " == *" $name "* ]] || return 1; done
}

port_of() { if [[ $1 == rabbitmq ]]; then echo "$BASE"; else echo "$((BASE + 10))"; fi; }

# described NAME…: what and where, for people, in one line of a terminal.
described() {
    local name text='' host=127.0.0.1
    for name in "$@"; do
        text+=", ${TITLES[$name]} on $host:$(port_of "$name")"
        host=
    done
    echo "${text#, }"
}

cmd_up() {
    local for_command="" wanted
    if [[ ${1:-} == --for-command ]]; then for_command=yes && shift; fi
    wanted=("$@")
    if ((${#wanted[@]} == 0)); then wanted=("${SERVICES[@]}"); fi
    lock_services
    look
    if all_run "${wanted[@]}"; then
        if [[ -z $for_command ]]; then rm -f "$FOR_COMMAND"; fi
        say "already running ($MODE): $(described "${wanted[@]}")"
        return
    fi
    # Before the start, so that an interrupted one is cleared away by whoever comes next. What somebody else has started to
    # stay is not stopped for the sake of what a command has started beside it.
    if [[ -z $for_command ]]; then rm -f "$FOR_COMMAND"; elif ((${#RUNNING[@]} == 0)); then : >"$FOR_COMMAND"; fi
    if [[ $(wanted_mode) == docker ]]; then
        docker_up "${wanted[@]}" || {
            [[ -z ${HOOKLINE_SERVICES:-} ]] || die "Docker Compose could not start the services"
            say "Docker Compose could not start the services: going on with the machine's own packages"
            native_up "${wanted[@]}"
        }
    else
        native_up "${wanted[@]}"
    fi
    say "up ($MODE) after $SECONDS s: $(described "${wanted[@]}")"
}

cmd_down() {
    lock_services
    read_record
    if [[ ${1:-} == --for-command && ! -e $FOR_COMMAND ]]; then return; fi
    look
    # Without regard to the record as well: it may be gone while processes are not.
    native_down
    if [[ $MODE == docker ]] && docker_usable; then
        if [[ ${1:-} == --wipe ]]; then compose down -v >&2; else compose down >&2; fi
    fi
    rm -f "$FOR_COMMAND"
    if [[ ${1:-} == --wipe ]]; then
        postgres wipe "$POSTGRES_DIR"
        rm -rf "${BROKER_DIRS[@]}" "$RECORD"
        say "the services are stopped, their data is deleted"
    elif ((${#RUNNING[@]})); then
        say "the services are stopped"
    else
        say "the services were not running"
    fi
}

# Fails, with what to do about it, unless all that are named answer, or any where none is.
need_running() {
    local names=("$@")
    look
    if ((${#names[@]} == 0)); then names=("${RUNNING[@]}"); fi
    if ((${#names[@]} == 0)) || ! all_run "${names[@]}"; then
        die "the services are not running: start them with 'make services'"
    fi
}

# For people and programs alike: an URL each, and for tests the scripts that restart and inspect brokers. What does not run has
# no line, so that nobody waits for it.
cmd_env() {
    local names=("$@") name
    need_running "$@"
    if ((${#names[@]} == 0)); then names=("${RUNNING[@]}"); fi
    for name in "${names[@]}"; do "env_$name"; done
    cat <<END
export HOOKLINE_TEST_SERVICES=$(printf %q "$ROOT/scripts/services.sh")
export HOOKLINE_TEST_BROKER=$(printf %q "$ROOT/scripts/broker.sh")
END
}
env_rabbitmq() {
    cat <<END
export HOOKLINE_AMQP_URL=amqp://guest:guest@127.0.0.1:$BASE/%2f
export HOOKLINE_MANAGEMENT_URL=http://guest:guest@127.0.0.1:$((BASE + 1))
export HOOKLINE_TEST_MANAGEMENT_URL=http://guest:guest@127.0.0.1:$((BASE + 1))
export HOOKLINE_TEST_PROMETHEUS_URL=http://127.0.0.1:$((BASE + 2))
END
}
env_postgresql() {
    echo "export HOOKLINE_DATABASE_URL=postgres://hookline:hookline@127.0.0.1:$((BASE + 10))/hookline"
}

cmd_status() {
    look
    if ((${#RUNNING[@]} == 0)); then
        echo "the services are not running"
        return 1
    fi
    echo "running ($MODE): $(described "${RUNNING[@]}")"
    ((${#RUNNING[@]} == ${#SERVICES[@]}))
}

cmd_ctl() {
    need_running rabbitmq
    if [[ $MODE == docker ]]; then
        compose exec -T rabbitmq rabbitmqctl "$@"
    else
        broker ctl "$BROKER_DIR" "$BASE" "$@"
    fi
}

# A statement at a time: neither may stand in a transaction. `hookline` itself is made with the server, and stays.
cmd_database() {
    if [[ ! $1 =~ ^[a-z][a-z0-9_]*$ || $1 == hookline ]]; then usage; fi
    need_running postgresql
    "${MODE}_sql" "DROP DATABASE IF EXISTS $1 WITH (FORCE)" >&2
    "${MODE}_sql" "CREATE DATABASE $1" >&2
    echo "postgres://hookline:hookline@127.0.0.1:$((BASE + 10))/$1"
}

usage() { sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p; }' "$0" >&2; exit 2; }

# Names of services, and nothing else.
are_names() {
    local name
    for name in "$@"; do [[ -n $name && -n ${TITLES[$name]:-} ]] || return 1; done
}

main() {
    local command=${1:-} names=()
    case "$command ${2:-}" in
        'up --for-command') names=("${@:3}") ;;
        'up '* | 'env '*) names=("${@:2}") ;;
        'down ' | 'down --for-command' | 'down --wipe' | 'status ' | 'ctl '* | 'database '?*) ;;
        *) usage ;;
    esac
    are_names "${names[@]}" || usage
    shift
    "cmd_$command" "$@"
}
main "$@"
