#!/usr/bin/env bash
# One private RabbitMQ node per data folder.
#
#   broker.sh start  DIR PORT        start it, or do nothing if it runs; returns when it answers AMQP
#   broker.sh stop   DIR [PORT]      SIGTERM, and wait until node and epmd are gone
#   broker.sh kill   DIR [PORT]      SIGKILL the node, as a crash would; its epmd stays: `start` or `stop` follows
#   broker.sh status DIR [PORT]      exit 0 if it answers
#   broker.sh port   DIR             prints the AMQP port it was last started on
#   broker.sh ctl    DIR PORT ARGS…  rabbitmqctl of that node; PORT may be `auto`, the recorded one
#
# PORT is the AMQP port; a node takes ten ports from there on, all on 127.0.0.1: +1 management, +2 prometheus,
# +3 distribution, +4 epmd, +5…+9 rabbitmqctl. `auto` takes the ports of the last start again, or free ones.
# The data stays after `stop` and `kill`. User guest, password guest.
#
# HOOKLINE_BROKER_PLUGINS  comma-separated, default rabbitmq_management,rabbitmq_prometheus; `none` starts faster
# HOOKLINE_BROKER_CONF     a file with further lines for rabbitmq.conf
# HOOKLINE_BROKER_NAME     the node's name before the @, default hookline; a node keeps that of its first start
# HOOKLINE_BROKER_EPMD     port of the epmd that it shares with the other nodes of a cluster, default one of its own
# HOOKLINE_RABBITMQ        4: the RabbitMQ 4.x of rabbitmq4.sh instead of the distribution's
# HOOKLINE_RABBITMQ_SBIN   folder with rabbitmq-server and rabbitmqctl, where it is neither
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

START_DEADLINE=180 # seconds; an idle machine needs 8, one that compiles on all cores many more
TEST_PORTS=(27020 31999)

# --- the installation -------------------------------------------------------------------------------

# The scripts in sbin, not the distribution's wrappers on PATH: those change to a system user and /var/lib.
find_sbin() {
    local dir
    if [[ -n ${HOOKLINE_RABBITMQ_SBIN:-} ]]; then
        echo "$HOOKLINE_RABBITMQ_SBIN" && return
    fi
    if [[ ${HOOKLINE_RABBITMQ:-} == 4 ]]; then
        "$ROOT/scripts/rabbitmq4.sh" && return
        die "there is no RabbitMQ 4.x for this machine (see above)"
    fi
    dir=$(printf '%s\n' /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin | sort -V | tail -n 1)
    [[ -x $dir/rabbitmq-server ]] && echo "$dir"
}

need_sbin() {
    if SBIN=$(find_sbin); then
        # An unpacked one has its Erlang beside it, and not on PATH.
        local erlang=${SBIN%/rabbitmq/lib/*}/erlang/bin
        if [[ $SBIN == "$STATE"/* && -d $erlang ]]; then PATH=$erlang:$PATH; fi
        return
    fi
    [[ -z ${HOOKLINE_RABBITMQ:-} ]] || exit 1
    "$ROOT/scripts/install-packages.sh" rabbitmq-server
    SBIN=$(find_sbin) || die "rabbitmq-server is installed, but not under /usr/lib/rabbitmq/lib: set HOOKLINE_RABBITMQ_SBIN"
}

# --- the node's environment -------------------------------------------------------------------------

# exec_isolated COMMAND…: becomes the command, with the whole environment of this node and nothing of the
# caller's, since any RABBITMQ_* or ERL_* variable left over there could lead to another node.
exec_isolated() {
    exec env -i PATH="$PATH" HOME="$DIR/home" LANG=C.UTF-8 \
        RABBITMQ_NODENAME="$NAME@localhost" \
        RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$PORT" RABBITMQ_DIST_PORT="$((PORT + 3))" \
        ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="${EPMD:-$((PORT + 4))}" \
        RABBITMQ_CTL_DIST_PORT_MIN="$((PORT + 5))" RABBITMQ_CTL_DIST_PORT_MAX="$((PORT + 9))" \
        RABBITMQ_MNESIA_BASE="$DIR/mnesia" RABBITMQ_LOG_BASE="$DIR/log" RABBITMQ_PID_FILE="$DIR/pid" \
        RABBITMQ_GENERATED_CONFIG_DIR="$DIR/generated" RABBITMQ_CONF_ENV_FILE="$DIR/none" \
        RABBITMQ_CONFIG_FILE="$DIR/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$DIR/advanced.config" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$DIR/enabled_plugins" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
        "$@"
}

write_config() {
    local plugins=${HOOKLINE_BROKER_PLUGINS-rabbitmq_management,rabbitmq_prometheus}
    if [[ $plugins == none ]]; then plugins=; fi
    mkdir -p "$DIR/home" "$DIR/log"
    if [[ ! -s $DIR/home/.erlang.cookie ]]; then
        (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$DIR/home/.erlang.cookie")
        chmod 400 "$DIR/home/.erlang.cookie"
    fi
    {
        cat "$ROOT/scripts/broker/common.conf"
        # A key of a plugin that is not enabled is ignored with a warning by some versions, refused by others.
        if [[ $plugins == *rabbitmq_management* ]]; then
            printf 'management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %d\n' "$((PORT + 1))"
        fi
        if [[ $plugins == *rabbitmq_prometheus* ]]; then
            printf 'prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = %d\n' "$((PORT + 2))"
        fi
        if [[ -n ${HOOKLINE_BROKER_CONF:-} ]]; then cat "$HOOKLINE_BROKER_CONF"; fi
    } >"$DIR/rabbitmq.conf"
    cp "$ROOT/scripts/broker/advanced.config" "$DIR/advanced.config"
    printf '[%s].\n' "$plugins" >"$DIR/enabled_plugins"
    echo "$PORT" >"$DIR/port"
    echo "$NAME" >"$DIR/name"
    echo "$EPMD" >"$DIR/epmd"
}

# Sets NAME and EPMD as at the node's first start, or as its starter wants them.
read_identity() {
    NAME=$(cat "$DIR/name" 2>/dev/null) || NAME=${HOOKLINE_BROKER_NAME:-hookline}
    EPMD=$(cat "$DIR/epmd" 2>/dev/null) || EPMD=${HOOKLINE_BROKER_EPMD:-}
}

# --- its processes ----------------------------------------------------------------------------------

# The pids of everything that `spawn` started for this folder and that still runs. They are recognised by a variable
# in their environment that names the folder: unlike a pid file it is never stale, and no other process has it.
our_pids() {
    local pid
    # grep fails if any process of the machine ends while it looks, which means nothing.
    { grep -lzxF "HOOKLINE_BROKER_DIR=$DIR" /proc/[0-9]*/environ 2>/dev/null || true; } |
        while IFS=/ read -r _ _ pid _; do
            if same_machine "$pid"; then echo "$pid"; fi
        done
}

# The pid of the node itself, the Erlang machine.
node_pid() {
    local pid
    for pid in $(our_pids); do
        if [[ $(program "$pid") == beam.smp ]]; then echo "$pid"; fi
    done
}

spawn() {
    (
        close_inherited_fds
        # Sockets and files for thousands of connections; not "unlimited", which Erlang would walk through.
        limit=$(ulimit -Hn)
        if [[ $limit == unlimited ]] || ((limit > 65536)); then limit=65536; fi
        ulimit -n "$limit"
        cd "$DIR"
        exec_isolated HOOKLINE_BROKER_DIR="$DIR" setsid "$SBIN/rabbitmq-server"
    ) </dev/null >"$DIR/log/console.log" 2>&1 &
    SPAWNED=$!
}

show_log() {
    say "--- the last lines of $DIR/log"
    tail -q -n 15 "$DIR/log/console.log" "$DIR/log/"*localhost.log >&2 2>/dev/null || true
}

# Everything but epmd, which a node starts and leaves behind.
helper_pids() {
    local pid
    for pid in $(our_pids); do
        if [[ $(program "$pid") != epmd ]]; then echo "$pid"; fi
    done
}

# True while the node, or the scripts that are about to become it, run.
node_lives() { { [[ -n ${SPAWNED:-} ]] && alive "$SPAWNED"; } || [[ -n $(helper_pids) ]]; }

wait_until_answers() {
    local deadline=$((SECONDS + START_DEADLINE))
    until amqp_answers "$PORT"; do
        if ! node_lives; then
            show_log
            die "RabbitMQ ended while it started"
        elif ((SECONDS >= deadline)); then
            show_log
            die "RabbitMQ does not answer on 127.0.0.1:$PORT after $START_DEADLINE s"
        fi
        sleep 0.2
    done
}

# --- commands ---------------------------------------------------------------------------------------

# Start, stop and kill of one folder take turns.
lock_node() {
    mkdir -p "$DIR"
    exec 9>>"$DIR/lock"
    flock -w "$((START_DEADLINE + 60))" 9 || die "another command is busy with $DIR"
}

# Sets RECORDED: the port of the last start, or nothing.
read_port() {
    RECORDED=$(cat "$DIR/port" 2>/dev/null) || true
}

recorded_port() {
    read_port
    [[ -n $RECORDED ]] || die "no broker has been started in $DIR"
    PORT=$RECORDED
}

cmd_start() {
    lock_node
    read_port
    if [[ -n $(node_pid) ]]; then
        if [[ -n $RECORDED && ($PORT == auto || $PORT == "$RECORDED") ]]; then
            PORT=$RECORDED
            wait_until_answers # at once, unless the start before this one was interrupted
            return
        fi
        stop_node # it runs elsewhere than it should
    fi
    need_sbin
    # Whatever lives without a node is left over from a crash, and its epmd may hold a port.
    end_rest
    choose_port
    write_config
    spawn
    if ports_locked; then release_ports_when_taken; fi
    wait_until_answers
}

# Sets PORT. For `auto` the ports are locked on return, see release_ports_when_taken.
choose_port() {
    if [[ $PORT != auto ]]; then
        ports_free "$PORT" 10 || die "something else listens on a port from $PORT to $((PORT + 9))"
        return
    fi
    lock_ports
    PORT=$RECORDED
    if [[ -n $PORT ]] && ports_free "$PORT" 10; then return; fi
    PORT=$(pick_ports "$DIR" "${TEST_PORTS[@]}" 10)
}

# epmd is up within a second and shows others that the block is taken; no need to wait for the whole node.
release_ports_when_taken() {
    local deadline=$((SECONDS + 30))
    while ports_free "$PORT" 10 && node_lives && ((SECONDS < deadline)); do sleep 0.1; done
    unlock_ports
}

cmd_stop() {
    # The folder may be gone while its node is not.
    [[ -d $DIR || -n $(our_pids) ]] || return 0
    lock_node
    stop_node
}

stop_node() {
    local pids try
    mapfile -t pids < <(node_pid)
    if ((${#pids[@]})); then
        # A node that has only just been started loses the signal, so it is repeated; to others that makes no difference.
        for try in TERM TERM TERM TERM TERM TERM KILL; do
            if [[ $try == KILL ]]; then say "RabbitMQ (pid ${pids[*]}) has not stopped for a minute: killing it"; fi
            kill -s "$try" "${pids[@]}" 2>/dev/null || true
            if wait_gone 10 "${pids[@]}"; then break; fi
        done
    fi
    end_rest
}

cmd_kill() {
    lock_node
    local pids
    mapfile -t pids < <(node_pid)
    ((${#pids[@]})) || die "no broker runs in $DIR"
    kill -KILL "${pids[@]}"
    wait_gone 10 "${pids[@]}" || die "pid ${pids[*]} survived SIGKILL"
    # Its helpers (port programs, the script that waits for it) end by themselves.
    mapfile -t pids < <(helper_pids)
    wait_gone 5 "${pids[@]}" || end_rest
}

# Ends what a stopped or crashed node leaves: its helpers go by themselves, its epmd never does.
end_rest() {
    local pids
    mapfile -t pids < <(helper_pids)
    wait_gone 3 "${pids[@]}" || true
    mapfile -t pids < <(our_pids)
    ((${#pids[@]})) || return 0
    kill -TERM "${pids[@]}" 2>/dev/null || true
    if ! wait_gone 5 "${pids[@]}"; then
        kill -KILL "${pids[@]}" 2>/dev/null || true
        wait_gone 5 "${pids[@]}" || die "cannot end: ${pids[*]}"
    fi
}

cmd_status() {
    read_port
    [[ -n $RECORDED && -n $(node_pid) ]] && amqp_answers "$RECORDED"
}

usage() { sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p; }' "$0" >&2; exit 2; }

main() {
    (($# >= 2)) || usage
    local command=$1
    DIR=$(realpath -m -- "$2")
    PORT=${3:-auto}
    read_identity
    [[ $PORT =~ ^([0-9]+|auto)$ ]] || die "not a port: $PORT"
    case $command in
        start) (($# == 3)) || usage; cmd_start ;;
        stop | kill | status) "cmd_$command" ;;
        port) recorded_port; echo "$PORT" ;;
        ctl)
            (($# >= 4)) || usage
            if [[ $PORT == auto ]]; then recorded_port; fi
            need_sbin
            shift 3
            exec_isolated "$SBIN/rabbitmqctl" "$@"
            ;;
        *) usage ;;
    esac
}
main "$@"
