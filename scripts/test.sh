#!/usr/bin/env bash
# test.sh [ARGS…]: builds and runs all tests; ARGS go to `cargo test`.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

# Runs them with the services up, all of them even if some fail, and closes with one line for the whole: cargo itself prints
# one for every test binary, of which the last says nothing about the others.
run() {
    local log=$STATE/test.log status=0
    # Most tests mostly wait, for delays and deadlines: more of them at once than there are cores.
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-6}
    cargo test --workspace --locked --no-fail-fast "$@" | tee "$log" || status=$?
    awk '/^test result: / { passed += $4; failed += $6 }
        END { printf "%d passed, %d failed\n", passed, failed }' "$log"
    return "$status"
}

if [[ ${1:-} == --services-are-up ]]; then
    shift
    run "$@"
    exit
fi

# The tests start the programs as processes, so these must be built, and of this source. Before the services: what does not
# compile needs none, and a compiler and a starting broker slow each other down.
cargo build --workspace --bins --locked
cargo test --workspace --locked --no-run
exec scripts/with-services.sh scripts/test.sh --services-are-up "$@"
