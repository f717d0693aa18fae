# shellcheck shell=bash
# What the scripts of this folder share: messages, private environments, ports, locks. Sourced, never run.

# The checkout, by its real path: two names of one folder must not become two sets of services.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# Everything that is started, recorded or downloaded for this checkout lives here (and is ignored by git).
STATE=$ROOT/.local
export ROOT STATE

# Progress goes to stderr, so that the stdout of a script stays its answer (`services.sh env`).
say() { printf '%s\n' "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

is_root() { [[ ${EUID:-$(id -u)} -eq 0 ]]; }

# rustup puts its programs on PATH for shells that start later; whoever has just installed it need not wait for one.
if ! command -v cargo >/dev/null && [[ -x ${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo ]]; then
    export PATH="${CARGO_HOME:-${HOME:-}/.cargo}/bin:$PATH"
fi

# An engine on another host cannot serve: its 127.0.0.1 is not ours, and it does not see our files.
docker_usable() {
    command -v docker >/dev/null && [[ ${DOCKER_HOST:-unix://} == unix://* ]] &&
        timeout 5 docker info >/dev/null 2>&1 && timeout 5 docker compose version >/dev/null 2>&1
}

# A short name for a path, the same on every run and different for every folder.
path_hash() { printf '%s' "$1" | sha256sum | cut -c1-12; }

# Daemons must not inherit a lock or a pipe of their starter: they would hold it as long as they live.
# Closes every descriptor above stderr in the current (sub)shell.
close_inherited_fds() {
    local fd
    for fd in "/proc/$BASHPID/fd"/*; do
        fd=${fd##*/}
        if [[ $fd =~ ^[0-9]+$ ]] && ((fd > 2)); then eval "exec $fd>&-"; fi
    done
}

# --- processes --------------------------------------------------------------------------------------

# True while the process runs; a zombie that nobody has reaped yet counts as gone.
alive() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 1
    [[ -n $state && $state != Z && $state != X ]]
}

# The program that a pid runs, by the name of its file.
program() {
    local argv0=
    { IFS= read -r -d '' argv0 <"/proc/$1/cmdline"; } 2>/dev/null || true # gone by now, perhaps
    echo "${argv0##*/}"
}

# False for a process of a container: the root of the host sees those too, and paths in there look like ours.
# Where the kernel does not let us look, there is no such view either.
same_machine() {
    local namespace
    namespace=$(readlink "/proc/$1/ns/pid" 2>/dev/null) || return 0
    [[ $namespace == "$(readlink /proc/self/ns/pid)" ]]
}

# wait_gone SECONDS PID…: true once none of them runs any more.
wait_gone() {
    local deadline=$((SECONDS + $1)) pid
    shift
    for pid in "$@"; do
        while alive "$pid"; do
            if ((SECONDS >= deadline)); then return 1; fi
            sleep 0.1
        done
    done
}

# --- ports ------------------------------------------------------------------------------------------

# All TCP ports with a listener, in decimal, one a line.
listening_ports() {
    local hex
    awk '$4 == "0A" { sub(/.*:/, "", $2); print $2 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null | sort -u |
        while read -r hex; do printf '%d\n' "0x$hex"; done
}

# ports_free FIRST COUNT: true if nothing listens on any of them.
ports_free() {
    local port
    while read -r port; do
        if ((port >= $1 && port < $1 + $2)); then return 1; fi
    done < <(listening_ports)
}

# pick_ports SEED FIRST LAST COUNT: prints the first port of a free block of COUNT, starting the search at
# a place that depends on SEED, so that a folder finds its ports again and neighbours rarely meet.
# Call it under lock_ports, and keep that lock until something listens in the block.
pick_ports() {
    local seed=$1 first=$2 last=$3 count=$4 slots start i base skip low high
    # Outgoing connections take their ports from this range: a listener there would meet them by chance.
    read -r low high </proc/sys/net/ipv4/ip_local_port_range 2>/dev/null || { low=32768 high=60999; }
    if ((low <= last && high >= first)); then
        if ((low - first >= 10 * count)); then last=$((low - 1))
        elif ((65000 - high >= 10 * count)); then first=$((high + 1)) last=65000; fi # else: no way around it
    fi
    slots=$(((last - first + 1) / count))
    start=$(printf '%s' "$seed" | cksum | cut -d' ' -f1)
    for ((i = 0; i < slots; i++)); do
        base=$((first + (start + i) % slots * count))
        skip=0
        # Ports that well-known services use by default, even if theirs does not run right now.
        for standard in 25672 27017 27018 27019; do
            if ((standard >= base && standard < base + count)); then skip=1; fi
        done
        if ((!skip)) && ports_free "$base" "$count"; then echo "$base" && return; fi
    done
    die "no free block of $count ports between $first and $last"
}

# amqp_answers PORT: true if an AMQP 0.9.1 broker answers there. The first frame of its handshake begins with a 1
# (a method frame). An open port alone would not tell it from a process that is still booting, or is another's.
amqp_answers() {
    local reply
    # shellcheck disable=SC2016 # expanded by the inner shell
    reply=$(timeout 3 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "AMQP\0\0\011\001" >&3 &&
        head -c 1 <&3 | od -An -tx1' - "$1" 2>/dev/null) || return 1
    [[ $reply == ' 01' ]]
}

# --- locks ------------------------------------------------------------------------------------------

# Opens a lock file for all users of the machine as descriptor $2. Not with `>`: the kernel refuses O_CREAT
# on a file of someone else in a sticky folder, even to root.
open_machine_lock() {
    local file="/tmp/.hookline-$1.lock"
    [[ -e $file ]] || (umask 000 && : >>"$file") 2>/dev/null || true
    eval "exec $2<\"\$file\"" || die "cannot open $file"
}

# Held from choosing ports until something listens on them, across all checkouts and users.
lock_ports() {
    open_machine_lock ports 7
    flock -w 120 7 || die "another start has held the lock of the ports for two minutes"
    PORTS_LOCKED=yes
}
ports_locked() { [[ -n ${PORTS_LOCKED:-} ]]; }
unlock_ports() {
    exec 7<&-
    PORTS_LOCKED=
}

# --- tests ------------------------------------------------------------------------------------------

# what_failed LOG: the first words of each panic in a log of `cargo test`, by test. What a scenario shows of its programs and
# queues is long and stands above them, so that whoever sees the end of a run alone would not know why it failed.
what_failed() {
    awk '/^---- .* stdout ----$/ { test = $2; panics = left = trace = 0 }
        /^failures:$/ { test = ""; left = trace = 0 }
        /^stack backtrace:$/ { trace = (left > 0); left = 0 }
        /^--- / { left = trace = 0 }
        test != "" && / panicked at / { if (++panics <= 3) { left = 12; printf "=== %s\n", test } }
        trace && /at \.\/tests\// { print }
        left > 0 { print substr($0, 1, 400); left-- }' "$1"
}
