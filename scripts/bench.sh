#!/usr/bin/env bash
# bench.sh: builds and runs the benchmark, with the services up. Table on stdout, report and charts in target/bench/.
#
#   SCENARIO=name   only that one (a wrong name lists them)
#   BASELINE=path   another build of the dispatcher, measured beside this one in the scenario "builds"
#   QUICK=1         everything in small, in a minute or two: shows that it works, judges nothing
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

[[ $(uname -s) == Linux ]] || die "the benchmark reads CPU times and memory from /proc, which only Linux has"
# Before the services, so that a compiler is not what they are measured beside.
if [[ ${QUICK:-0} != 0 ]]; then
    # Where nothing is judged by its speed, what tests have compiled already will do.
    scripts/build.sh test
    built=debug
else
    cargo build --release --locked -p hookline-dispatcher -p hookline-console -p hookline-cli -p hookline-bench
    built=release
fi
needs=(--need rabbitmq)
# Endpoints are read from a database there.
case ${SCENARIO:-registry} in registry | http-publish | outbox | recorder | api | failed | pages) needs+=(--need postgresql) ;; esac
exec scripts/with-services.sh "${needs[@]}" "${CARGO_TARGET_DIR:-target}/$built/hookline-bench"
