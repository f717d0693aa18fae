#!/usr/bin/env bash
# test.sh [ARGS…]: builds and runs all tests; ARGS go to `cargo test`.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

# The tests start the programs as processes, so these must be built, and of this source. Before the services: what does not
# compile needs none, and a compiler and a starting broker slow each other down.
cargo build --workspace --bins --locked
cargo test --workspace --locked --no-run
exec scripts/with-services.sh cargo test --workspace --locked "$@"
