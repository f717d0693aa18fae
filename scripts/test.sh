#!/usr/bin/env bash
# test.sh: builds and runs all tests but the scenarios that take long, which are a fifth of the tests and most of the time.
# test.sh --long: those.
# test.sh ARGS…: what ARGS choose of all tests; they go to `cargo test`.
#
# With HOOKLINE_RABBITMQ=4 it runs the scenarios that are near to the broker on RabbitMQ 4.x, and says NOT RUN where that
# cannot be had.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

LONG=tests/tests/scenarios/long.txt

# Runs them with the services up, all of them even if some fail, and closes with one line for the whole: cargo itself prints
# one for every test binary, of which the last says nothing about the others.
run() {
    local log=$STATE/test.log status=0
    # Most tests mostly wait, for delays and deadlines: more of them at once than there are cores.
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-6}
    : >"$log"
    mapfile -t long < <(grep -v '^#' "$LONG")
    if [[ $# -eq 0 && ${HOOKLINE_RABBITMQ:-} == 4 ]]; then
        # What speaks to receivers alone is the same on any broker.
        cargo_test --test scenarios -- addresses causes confirms crashes dead_letters dlq_zero header_limits links odd_ publish \
            real_clients records refusals rejected retries rights silent_log start_and_stop suspects topology || status=$?
    elif [[ $# -eq 0 ]]; then
        cargo_test -- --exact "${long[@]/#/--skip=}" || status=$?
    elif [[ $1 == --long ]]; then
        { all_are_there && cargo_test --test scenarios -- --exact "${long[@]}"; } || status=$?
    else
        cargo_test "$@" || status=$?
    fi
    if ((status != 0)); then what_failed "$log" | tee -a "$STATE/failures.log"; fi
    awk '/^test result: / { passed += $4; failed += $6 }
        END { printf "%d passed, %d failed\n", passed, failed }' "$log"
    return "$status"
}

# Without -p, which would give foreign crates other features, and have them compiled anew.
cargo_test() { cargo test --workspace --locked --no-fail-fast "$@" | tee -a "$log"; }

# A scenario that was renamed or is gone would be left out without a word.
all_are_there() {
    local gone
    gone=$(cargo test --workspace --locked --test scenarios -- --list | sed -n 's/: test$//p' |
        grep -vxFf - <(printf '%s\n' "${long[@]}")) || return 0
    printf '%s names what is no scenario:\n%s\n' "$LONG" "$gone" >&2
    return 1
}

if [[ ${1:-} == --services-are-up ]]; then
    shift
    run "$@"
    exit
fi

if [[ ${HOOKLINE_RABBITMQ:-} == 4 ]]; then
    if ! scripts/rabbitmq4.sh >/dev/null; then
        echo "NOT RUN: there is no RabbitMQ 4.x for this machine"
        exit 0
    fi
fi

# Each scenario with a database makes one and drops it, which waits for the disk most of the time, and keeps all others waiting.
export HOOKLINE_TEST_VOLATILE=1
exec scripts/with-services.sh --beside scripts/build.sh test -- scripts/test.sh --services-are-up "$@"
