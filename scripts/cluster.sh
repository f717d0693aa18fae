#!/usr/bin/env bash
# A private RabbitMQ cluster for a test: nodes of broker.sh in DIR/1, DIR/2, …, joined.
#
#   cluster.sh start DIR COUNT   start and join them; returns when all answer
#   cluster.sh again DIR NODE    start a node again that was killed or stopped
#   cluster.sh stop  DIR         end all of it
#
# A single node is the business of broker.sh: `broker.sh kill DIR/2`, `broker.sh port DIR/1`. The nodes share one epmd, which
# belongs to the cluster and outlives each of them, or a node that ends would take the names of the others along. The first
# one has the management API, and shows the others in it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

PORTS=(27020 31999)

broker() { "$ROOT/scripts/broker.sh" "$@"; }

# The epmd that was started for this folder.
epmd_pids() {
    local pid
    { grep -lzxF "HOOKLINE_CLUSTER_DIR=$DIR" /proc/[0-9]*/environ 2>/dev/null || true; } |
        while IFS=/ read -r _ _ pid _; do
            if same_machine "$pid" && [[ $(program "$pid") == *epmd ]]; then echo "$pid"; fi
        done
}

# The program beside the Erlang that the nodes run on.
epmd_program() {
    if [[ ${HOOKLINE_RABBITMQ:-} == 4 ]]; then
        local sbin
        sbin=$("$ROOT/scripts/rabbitmq4.sh")
        printf '%s\n' "${sbin%/rabbitmq/lib/*}/erlang"/erts-*/bin/epmd
    else
        command -v epmd || die "epmd is missing: it comes with rabbitmq-server"
    fi
}

start_epmd() {
    (
        close_inherited_fds
        exec env -i PATH="$PATH" HOOKLINE_CLUSTER_DIR="$DIR" ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$1" \
            setsid "$2"
    ) </dev/null >/dev/null 2>&1 &
    local deadline=$((SECONDS + 30))
    while ports_free "$1" 1; do
        if ((SECONDS >= deadline)); then die "epmd does not listen on 127.0.0.1:$1 after 30 s"; fi
        sleep 0.1
    done
}

# start_node NODE PORT: the same way the first time and later.
start_node() {
    local plugins=rabbitmq_management_agent
    if (($1 == 1)); then plugins=rabbitmq_management; fi
    HOOKLINE_BROKER_NAME=hookline-$1 HOOKLINE_BROKER_EPMD=$(cat "$DIR/epmd") HOOKLINE_BROKER_PLUGINS=$plugins \
        HOOKLINE_BROKER_CONF=$DIR/cluster.conf broker start "$DIR/$1" "$2" 7>&-
}

cmd_start() {
    local count=$1 base epmd node pids=()
    mkdir -p "$DIR"
    epmd=$(epmd_program)
    lock_ports
    # Ten for each node, and one behind them for epmd.
    base=$(pick_ports "$DIR" "${PORTS[@]}" $((count * 10 + 1)))
    echo $((base + count * 10)) >"$DIR/epmd"
    start_epmd $((base + count * 10)) "$epmd"
    # All know the same secret, and each other: new nodes find together while they start.
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$DIR/cookie")
    echo 'cluster_formation.peer_discovery_backend = classic_config' >"$DIR/cluster.conf"
    for ((node = 1; node <= count; node++)); do
        echo "cluster_formation.classic_config.nodes.$node = hookline-$node@localhost" >>"$DIR/cluster.conf"
    done
    for ((node = 1; node <= count; node++)); do
        mkdir -p "$DIR/$node/home"
        cp "$DIR/cookie" "$DIR/$node/home/.erlang.cookie"
        chmod 400 "$DIR/$node/home/.erlang.cookie"
        start_node "$node" $((base + (node - 1) * 10)) &
        pids+=($!)
    done
    for node in "${pids[@]}"; do wait "$node" || die "a node did not start"; done
    unlock_ports
    is_whole "$count" || die "the nodes did not find together"
}

# Whether the first node knows so many that run.
is_whole() {
    local running
    running=$(broker ctl "$DIR/1" auto eval 'length(rabbit_nodes:all_running()).')
    ((running == $1))
}

# A node of RabbitMQ 3.10 gives up where it asks another one for its feature flags that has itself just begun to start; whoever
# supervises it starts it again.
cmd_again() {
    local port
    port=$(broker port "$DIR/$1")
    for _ in 1 2 3; do
        if start_node "$1" "$port"; then return; fi
    done
    die "node $1 did not start in three tries"
}

cmd_stop() {
    local node pids
    for node in "$DIR"/[0-9]*; do
        if [[ -d $node ]]; then broker stop "$node" & fi
    done
    wait
    mapfile -t pids < <(epmd_pids)
    ((${#pids[@]})) || return 0
    kill -TERM "${pids[@]}" 2>/dev/null || true
    wait_gone 5 "${pids[@]}" || kill -KILL "${pids[@]}" 2>/dev/null || true
}

usage() { sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p; }' "$0" >&2; exit 2; }

main() {
    (($# >= 2)) || usage
    DIR=$(realpath -m -- "$2")
    case $1 in
        start)
            [[ ${3:-} =~ ^[1-9]$ ]] || usage
            cmd_start "$3"
            ;;
        again)
            [[ ${3:-} =~ ^[1-9]$ ]] || usage
            cmd_again "$3"
            ;;
        stop) cmd_stop ;;
        *) usage ;;
    esac
}
main "$@"
