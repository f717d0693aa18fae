#!/usr/bin/env bash
# with-services.sh [--need NAME]… [--beside COMMAND… --] COMMAND…: runs a command with RabbitMQ and PostgreSQL up, or those of
# them that it needs, and their URLs in its environment.
#
# Starts the services if they do not run, and stops them afterwards if it was a command that started them and no
# other command uses them any more; what was up before stays up. So does Ctrl-C, TERM and a failing command.
# Brokers of their own that tests leave running for those after them are ended with the command.
# The exit status is the command's. What stands behind --beside is run while the services start, without them; where it
# fails, the command is not run, and its exit status is that one.
#
# shellcheck disable=SC2329 # its functions are called by traps
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
services="$ROOT/scripts/services.sh"

usage() { die "usage: with-services.sh [--need NAME]… [--beside COMMAND… --] COMMAND…"; }

needs=() beside=()
while [[ ${1:-} == --need ]]; do
    (($# >= 2)) || usage
    needs+=("$2")
    shift 2
done
if [[ ${1:-} == --beside ]]; then
    shift
    while (($#)) && [[ $1 != -- ]]; do beside+=("$1") && shift; done
    (($#)) || usage
    shift
fi
(($#)) || usage

# Every user holds this lock shared; who gets it alone at the end is the last one.
mkdir -p "$STATE"
exec 8>>"$STATE/users.lock"
flock -s -w 300 8 || die "another command has been stopping the services for five minutes"

child="" start=""
HOOKLINE_TEST_SPARES=$(mktemp -d)
export HOOKLINE_TEST_SPARES
# Passed on to every process below the command, as its own children would not learn of it: a shell that waits for one
# only notices a signal when that one has ended.
forward() {
    local pid
    [[ -n $child ]] || return 0
    for pid in $(descendants "$child"); do kill -s "$1" "$pid" 2>/dev/null || true; done
}

# descendants PID: the pid itself and all below it.
descendants() {
    local pid
    echo "$1"
    # shellcheck disable=SC2013 # words: the pids stand in one line
    for pid in $(cat "/proc/$1/task/"*/children 2>/dev/null); do descendants "$pid"; done
}

# The last command out stops what a command started. In a new process group a second Ctrl-C does not reach it.
leave() {
    local status=$? spare
    trap '' INT TERM HUP
    # What is half started would go on starting after it was stopped.
    if [[ -n $start ]] && alive "$start"; then
        say "waiting until the services have started, to stop them"
        wait "$start" || true
    fi
    for spare in "$HOOKLINE_TEST_SPARES"/*; do
        [[ ! -d $spare ]] || setsid -w "$ROOT/scripts/broker.sh" stop "$spare" 8>&- &
    done
    wait
    rm -rf --one-file-system "$HOOKLINE_TEST_SPARES"
    if flock -n -x 8; then setsid -w "$services" down --for-command 8>&- || status=1; fi
    exit "$status"
}
trap leave EXIT

# run COMMAND…: to its end, and its exit status. In the background, so that the traps run at once. A shell lets background
# commands ignore Ctrl-C and takes their input away: both are given back.
run() {
    local status=0
    # A terminal sends Ctrl-C to everyone itself, and twice would mean "at once" to some.
    trap '[[ -t 0 ]] || forward INT; interrupted=130' INT
    trap 'forward TERM; interrupted=143' TERM
    trap 'forward HUP; interrupted=129' HUP
    interrupted=
    env --default-signal=INT,QUIT "$@" <&0 8>&- &
    child=$!
    wait "$child" || status=$?
    # A trapped signal ends `wait`, not the command.
    while alive "$child"; do
        status=0
        wait "$child" || status=$?
    done
    child=
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    return "${interrupted:-$status}"
}
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

if ((${#beside[@]})); then
    # What it says is shown afterwards: two that talk at once are not understood.
    "$services" up --for-command "${needs[@]}" >"$STATE/start.log" 2>&1 8>&- &
    start=$!
    run "${beside[@]}" || exit
    if alive "$start"; then say "waiting for the services"; fi
    status=0
    wait "$start" || status=$?
    cat "$STATE/start.log" >&2
    start=
    ((status == 0)) || exit "$status"
else
    "$services" up --for-command "${needs[@]}" 8>&-
fi
environment=$("$services" env "${needs[@]}" 8>&-)
eval "$environment"
run "$@" || exit
