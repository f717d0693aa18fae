#!/usr/bin/env bash
# The producer is linked into other people's services: it must not bring them an HTTP stack, a database or JSON Schema.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

UNWANTED='hyper|axum|reqwest|sqlx|boon'

tree=$(cargo tree -p hookline-producer -e normal --locked --prefix none)
if found=$(grep -E "^($UNWANTED)(-[a-z0-9-]+)? v" <<<"$tree" | sort -u); then
    say "hookline-producer depends on:"
    say "$found"
    crate=${found%% *}
    cargo tree -p hookline-producer -e normal --locked -i "$crate" >&2 || true
    die "an embedded producer must stay without ${UNWANTED//|/, }: move what needs them behind a feature of hookline-common"
fi
