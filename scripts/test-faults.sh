#!/usr/bin/env bash
# test-faults.sh [ARGS…]: the fault suite. Builds the dispatcher with failpoints into target/faults/, runs each fault on Debian's
# RabbitMQ and those that are near to the broker on a 4.x, and prints the table: fault, broker, events, lost, unexpected,
# duplicated, recovered, time to recover; target/faults/report.json holds the same. ARGS go to `cargo test`: a test's name chooses.
#
# QUICK=1 leaves out the long mixes and the millions of cases, and 4.x. Exits non-zero where a fault fails, lost or doubled
# more than it may.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

faults=$ROOT/target/faults
rows=$faults/rows

# In the same folder for what is compiled, as all but a few crates are the same; what comes out of it has a folder of its own.
build() {
    cargo build --locked --workspace --bins --lib --test faults --test scenarios
    local compiled=${CARGO_TARGET_DIR:-$ROOT/target}
    CARGO_BUILD_BUILD_DIR=$compiled CARGO_TARGET_DIR=$faults \
        cargo build --locked --workspace --bin hookline-dispatcher --features hookline-dispatcher/failpoints
}

# run NAME COMMAND…: notes a failure, and goes on.
run() {
    local name=$1
    shift
    say "=== $name"
    "$@" || failed+=("$name")
}

if [[ ${1:-} == --build ]]; then
    build
    exit
fi

if [[ ${1:-} == --services-are-up ]]; then
    shift
    export HOOKLINE_TEST_FAULTS_DIR=$rows HOOKLINE_TEST_FAILPOINTS=$faults/debug/hookline-dispatcher
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
    status=0
    cargo test --locked --workspace --no-fail-fast --test faults -- "$@" | tee "$STATE/faults.log" || status=$?
    if ((status != 0)); then what_failed "$STATE/faults.log" | tee -a "$STATE/failures.log"; fi
    exit "$status"
fi

# Rows about clocks say NOT RUN without it.
if library=$(scripts/faketime.sh); then export HOOKLINE_TEST_FAKETIME=$library; fi
rm -rf --one-file-system "$rows"
mkdir -p "$rows"
failed=()
began=$SECONDS
run "on Debian's RabbitMQ" scripts/with-services.sh --beside "$0" --build -- "$0" --services-are-up "$@"
if [[ ${QUICK:-} != 1 ]]; then
    if scripts/rabbitmq4.sh >/dev/null; then
        HOOKLINE_RABBITMQ=4 run 'on RabbitMQ 4.x' scripts/with-services.sh "$0" --services-are-up "$@"
    else
        echo "NOT RUN on RabbitMQ 4.x: there is none for this machine"
    fi
fi
"${CARGO_TARGET_DIR:-$ROOT/target}/debug/hookline-fault-report" "$rows" "$faults/report.json" || failed+=("the table")
say "the fault suite took $((SECONDS - began)) s"
if ((${#failed[@]})); then
    say "failed: ${failed[*]}"
    exit 1
fi
