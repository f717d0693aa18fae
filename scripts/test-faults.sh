#!/usr/bin/env bash
# test-faults.sh [ARGS…]: the fault suite. Builds the dispatcher with failpoints into target/faults/, runs each fault on Debian's
# RabbitMQ and those that are near to the broker on a 4.x, and prints the table: fault, broker, events, lost, unexpected,
# duplicated, recovered, time to recover; target/faults/report.json holds the same. ARGS go to `cargo test`: a test's name chooses.
#
# Then a million cases of bad input for each reader of it, and the simulation with many seeds.
#
# QUICK=1 plays the rows that say most in the least time, and all of the cases and the simulation. With HOOKLINE_RABBITMQ=4 all rows,
# or those that are chosen, are played on RabbitMQ 4.x alone, without what needs no broker; where a 4.x cannot be had, it says NOT
# RUN. Exits non-zero where a row fails, and where something was lost or came unasked.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

faults=$ROOT/target/faults
table=$faults/rows

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
    export HOOKLINE_TEST_FAULTS_DIR=$table HOOKLINE_TEST_FAILPOINTS=$faults/debug/hookline-dispatcher
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
    status=0
    cargo test --locked --workspace --no-fail-fast --test faults -- "$@" | tee "$STATE/faults.log" || status=$?
    if ((status != 0)); then what_failed "$STATE/faults.log" | tee -a "$STATE/failures.log"; fi
    exit "$status"
fi

if [[ ${HOOKLINE_RABBITMQ:-} == 4 ]] && ! scripts/rabbitmq4.sh >/dev/null; then
    echo "NOT RUN: there is no RabbitMQ 4.x for this machine"
    exit 0
fi

# Rows about clocks say NOT RUN without it.
if library=$(scripts/faketime.sh); then export HOOKLINE_TEST_FAKETIME=$library; fi
rm -rf --one-file-system "$table"
mkdir -p "$table"
failed=()
began=$SECONDS

# What each row is about decides where it is played. Three nodes want the machine for themselves, and are the last.
QUICK_ROWS=(broker::d10 database::d25 judging:: log::r05 queues::d18 settling::)
NEAR_THE_BROKER=(broker:: crashing:: declared:: delays:: limits::d33 links:: queues:: rejected:: settling::)
# A 4.x counts otherwise how often a message has come, and what a nack with requeue adds to that: so kills and stops belong here. And
# so does what the broker holds and gives back while the database is away. They take 90 s, four beside each other.
NEAR_THE_BROKER+=(commits::d27 database::d25 database::d26 killing::d02 killing::d07 killing::d08 log:: no_room::d28)

# The broker that HOOKLINE_RABBITMQ names, in words.
on_which() { if [[ ${HOOKLINE_RABBITMQ:-} == 4 ]]; then echo 'on RabbitMQ 4.x'; else echo "on Debian's RabbitMQ"; fi; }

# rows BROKER [ARGS…]: plays them beside each other.
rows() {
    local broker=$1
    shift
    run "$broker" scripts/with-services.sh --beside "$0" --build -- "$0" --services-are-up "$@"
}

# play BROKER ARGS…: on the broker that HOOKLINE_RABBITMQ names, which is called so.
play() {
    local broker=$1
    shift
    rows "$broker" "$@"
    rows "$broker, three nodes" cluster::
}

# cases LOG ARGS…: `cargo test` with a million cases, and what failed beside what else did.
cases() {
    local log=$STATE/$1 status=0
    shift
    HOOKLINE_TEST_CASES=1000000 cargo test --locked --workspace "$@" >"$log" 2>&1 || status=$?
    if ((status != 0)); then what_failed "$log" | tee -a "$STATE/failures.log"; fi
    grep -E '^test (.* \.\.\. |result: .* [1-9][0-9]* passed)' "$log" || cat "$log"
    return "$status"
}

# Both of them only calculate, and the longest test has one processor: the other one is for the simulation.
calculate() {
    cases simulation.log --lib -- tests::simulation >"$STATE/simulation" &
    local simulation=$!
    run 'bad input' cases bad-input.log --tests --no-fail-fast -- fuzz_
    run 'the simulation' wait "$simulation"
    cat "$STATE/simulation"
}

if (($#)); then
    rows "what was chosen, $(on_which)" "$@"
elif [[ ${QUICK:-} == 1 ]]; then
    rows "$(on_which), in small" "${QUICK_ROWS[@]}"
    calculate
elif [[ ${HOOKLINE_RABBITMQ:-} == 4 ]]; then
    play "$(on_which)" --skip cluster::
else
    play "$(on_which)" --skip cluster::
    if scripts/rabbitmq4.sh >/dev/null; then
        export HOOKLINE_RABBITMQ=4
        play "$(on_which)" "${NEAR_THE_BROKER[@]}"
        unset HOOKLINE_RABBITMQ
    else
        echo "NOT RUN on RabbitMQ 4.x: there is none for this machine"
    fi
    calculate
fi
"${CARGO_TARGET_DIR:-$ROOT/target}/debug/hookline-fault-report" "$table" "$faults/report.json" || failed+=("the table")
say "the fault suite took $((SECONDS - began)) s"
if ((${#failed[@]})); then
    say "failed: ${failed[*]}"
    exit 1
fi
