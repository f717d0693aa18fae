#!/usr/bin/env bash
# RabbitMQ and PostgreSQL for this checkout alone: own ports, own data, own processes.
#
#   services.sh up            start what does not run yet; returns when both answer
#   services.sh down [--wipe] stop them; --wipe deletes their data too
#   services.sh env           prints the `export HOOKLINE_…` lines to reach them
#   services.sh status        says what runs; exit 0 if both answer
#   services.sh ctl ARGS…     rabbitmqctl of the broker
#
# They come from Docker Compose where an engine answers, else from the machine's own packages as private
# processes, with everything they write below .local/. HOOKLINE_SERVICES=native or =docker forces one way;
# HOOKLINE_RABBITMQ=4 takes the RabbitMQ 4.x of rabbitmq4.sh, natively.
# `up` and `down` may be called at any time, twice, and by several at once. with-services.sh calls them with
# --for-command: services started so are stopped again by the last command that used them.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

RECORD=$STATE/services.env        # how and where the services of this checkout run
FOR_COMMAND=$STATE/for-command    # exists if they were started for a command, and not to stay
# Each version has data of its own, which the other could not read.
BROKER_DIRS=("$STATE/rabbitmq" "$STATE/rabbitmq-data-4")
if [[ ${HOOKLINE_RABBITMQ:-} == 4 ]]; then BROKER_DIR=${BROKER_DIRS[1]}; else BROKER_DIR=${BROKER_DIRS[0]}; fi
POSTGRES_DIR=$STATE/postgres
PORTS=(21000 26999 20)            # first, last, and how many a checkout takes
COMPOSE_DEADLINE=600              # seconds, as images may have to be pulled

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

native_answers() {
    [[ -n $BASE ]] && broker status "$BROKER_DIR" 2>/dev/null && postgres status "$POSTGRES_DIR" 2>/dev/null &&
        [[ $(broker port "$BROKER_DIR") == "$BASE" && $(postgres port "$POSTGRES_DIR") == "$((BASE + 10))" ]]
}

native_up() {
    local other
    for other in "${BROKER_DIRS[@]}"; do
        if [[ $other != "$BROKER_DIR" ]] && broker status "$other" 2>/dev/null; then
            die "a RabbitMQ of another version runs for this checkout: stop it with 'make services-down' first"
        fi
    done
    # What Compose may have left from another day would hold the ports.
    if [[ $MODE == docker ]] && docker_usable; then compose down >&2; fi
    MODE=native
    postgres init "$POSTGRES_DIR"
    # Where one of the two runs and the other has crashed, the block is ours and stays.
    if [[ -z $BASE ]] || ! { postgres status "$POSTGRES_DIR" || broker status "$BROKER_DIR"; } 2>/dev/null; then
        native_down # an epmd that a crash has left would hold a port of the block
        choose_ports
    fi
    write_record
    # First PostgreSQL, which listens within a moment: then the block is visibly taken.
    say "starting PostgreSQL on 127.0.0.1:$((BASE + 10))"
    postgres start "$POSTGRES_DIR" "$((BASE + 10))"
    if ports_locked; then unlock_ports; fi
    say "starting RabbitMQ on 127.0.0.1:$BASE"
    broker start "$BROKER_DIR" "$BASE"
}

native_down() {
    local dir
    for dir in "${BROKER_DIRS[@]}"; do broker stop "$dir"; done
    postgres stop "$POSTGRES_DIR"
}

# --- Docker Compose ---------------------------------------------------------------------------------

# An engine on another host cannot serve: its 127.0.0.1 is not ours, and it does not see our files.
docker_usable() {
    command -v docker >/dev/null && [[ ${DOCKER_HOST:-unix://} == unix://* ]] &&
        timeout 5 docker info >/dev/null 2>&1 && timeout 5 docker compose version >/dev/null 2>&1
}

compose() {
    HOOKLINE_AMQP_PORT=$BASE HOOKLINE_MANAGEMENT_PORT=$((BASE + 1)) HOOKLINE_PROMETHEUS_PORT=$((BASE + 2)) \
        HOOKLINE_POSTGRES_PORT=$((BASE + 10)) timeout "$COMPOSE_DEADLINE" \
        docker compose -f "$ROOT/docker-compose.yml" -p "hookline-$(path_hash "$ROOT")" "$@" </dev/null
}

docker_answers() {
    [[ -n $BASE ]] && docker_usable && amqp_answers "$BASE" &&
        [[ $(compose ps --services --status running 2>/dev/null | sort | xargs) == 'postgres rabbitmq' ]]
}

docker_up() {
    native_down # what may be left from another day would hold the ports
    # Containers that exist already keep the ports they were given.
    if [[ $MODE != docker || -z $BASE || -z $(compose ps -q 2>/dev/null) ]]; then
        choose_ports
        unlock_ports # pulling an image takes minutes; should somebody take the ports meanwhile, `up` says so
    fi
    MODE=docker
    write_record
    say "starting RabbitMQ and PostgreSQL with Docker Compose on 127.0.0.1:$BASE and :$((BASE + 10))"
    if ! compose up -d --wait >&2; then
        compose logs --tail 15 >&2 || true
        compose down >&2 || true
        return 1
    fi
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

# What runs, by the record; nothing if nothing does.
running_mode() {
    read_record
    if [[ -n $MODE ]] && "${MODE}_answers"; then echo "$MODE"; fi
}

# Fails, with what to do about it, unless the services are up.
need_running() {
    read_record
    [[ -n $(running_mode) ]] || die "the services are not running: start them with 'make services'"
}

cmd_up() {
    lock_services
    local running
    running=$(running_mode)
    read_record
    if [[ -n $running ]]; then
        if [[ ${1:-} != --for-command ]]; then rm -f "$FOR_COMMAND"; fi
        say "RabbitMQ and PostgreSQL are already running ($running, 127.0.0.1:$BASE and :$((BASE + 10)))"
        return
    fi
    # Before the start, so that an interrupted one is cleared away by whoever comes next.
    if [[ ${1:-} == --for-command ]]; then : >"$FOR_COMMAND"; else rm -f "$FOR_COMMAND"; fi
    if [[ $(wanted_mode) == docker ]]; then
        docker_up || {
            [[ -z ${HOOKLINE_SERVICES:-} ]] || die "Docker Compose could not start the services"
            say "Docker Compose could not start the services: going on with the machine's own packages"
            native_up
        }
    else
        native_up
    fi
    say "RabbitMQ and PostgreSQL are up ($MODE) after $SECONDS s"
}

cmd_down() {
    lock_services
    read_record
    if [[ ${1:-} == --for-command && ! -e $FOR_COMMAND ]]; then return; fi
    local before
    before=$(running_mode)
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
    elif [[ -n $before ]]; then
        say "the services are stopped"
    else
        say "the services were not running"
    fi
}

cmd_env() {
    need_running
    # For people and programs alike: an URL each, and for tests the scripts that restart and inspect brokers.
    cat <<END
export HOOKLINE_AMQP_URL=amqp://guest:guest@127.0.0.1:$BASE/%2f
export HOOKLINE_MANAGEMENT_URL=http://guest:guest@127.0.0.1:$((BASE + 1))
export HOOKLINE_DATABASE_URL=postgres://hookline:hookline@127.0.0.1:$((BASE + 10))/hookline
export HOOKLINE_TEST_MANAGEMENT_URL=http://guest:guest@127.0.0.1:$((BASE + 1))
export HOOKLINE_TEST_PROMETHEUS_URL=http://127.0.0.1:$((BASE + 2))
export HOOKLINE_TEST_SERVICES=$(printf %q "$ROOT/scripts/services.sh")
export HOOKLINE_TEST_BROKER=$(printf %q "$ROOT/scripts/broker.sh")
END
}

cmd_status() {
    local running
    running=$(running_mode)
    read_record
    if [[ -z $running ]]; then
        echo "the services are not running"
        return 1
    fi
    echo "RabbitMQ on 127.0.0.1:$BASE (management :$((BASE + 1))), PostgreSQL on 127.0.0.1:$((BASE + 10)) ($running)"
}

cmd_ctl() {
    need_running
    if [[ $MODE == docker ]]; then
        compose exec -T rabbitmq rabbitmqctl "$@"
    else
        broker ctl "$BROKER_DIR" "$BASE" "$@"
    fi
}

usage() { sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p; }' "$0" >&2; exit 2; }

main() {
    local command=${1:-}
    case "$command ${2:-}" in
        'up ' | 'up --for-command' | 'down ' | 'down --for-command' | 'down --wipe' | 'env ' | 'status ' | 'ctl '*)
            shift
            "cmd_$command" "$@"
            ;;
        *) usage ;;
    esac
}
main "$@"
