#!/usr/bin/env bash
# build.sh demo|up|test: compiles what a target runs.
#
# All select the whole workspace, so that foreign crates get the same features and are compiled once (CONTRIBUTING, "Build").
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

case ${1:-} in
    # The programs that it shows, without what sends traces to a collector: there is none.
    demo) exec cargo build --locked --no-default-features --bin booking-service --bin hookline-dispatcher --bin hookline-console --bin hookline ;;
    # The same with it, to be tried.
    up) exec cargo build --locked ${RELEASE:+--release} --bin hookline-dispatcher --bin hookline-console --bin hookline \
            ${DEMO:+--bin booking-day} ;;
    # In one go: tests start the programs as processes, so these must be built, and of this source.
    test) exec cargo build --locked --workspace --bins --tests --examples ;;
    *) die "usage: build.sh demo|up|test" ;;
esac
