#!/usr/bin/env bash
# The producer is linked into other people's services: it must not bring them an HTTP stack, a database or JSON Schema, nor much
# else beside the AMQP client with its TLS, nor need a C compiler for more than that.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

UNWANTED='hyper|axum|reqwest|sqlx|boon|zstd|toml'
# What makes the AMQP client, its transport and its TLS. All that these need is theirs.
CLIENT=(lapin async-rs futures-io futures-rustls rustls-native-certs)
# Crates of others beside those.
MOST=20

# crates OPTIONS…: the crates of a tree, each once.
crates() { cargo tree "$@" --locked --prefix none | sed 's/ (\*)$//' | sort -u; }

tree=$(crates -p hookline-producer -e normal)
if found=$(grep -E "^($UNWANTED)(-[a-z0-9-]+)? v" <<<"$tree"); then
    say "hookline-producer depends on:"
    say "$found"
    crate=${found%% *}
    cargo tree -p hookline-producer -e normal --locked -i "$crate" >&2 || true
    die "an embedded producer must stay without ${UNWANTED//|/, }: move what needs them behind a feature of hookline-common"
fi

beside=$(comm -23 <(grep -v ^hookline- <<<"$tree") <(crates "${CLIENT[@]/#/-p}" -e normal))
count=$(wc -l <<<"$beside")
say "hookline-producer: $(grep -vc ^hookline- <<<"$tree") crates of others, $count of them beside the AMQP client's own"
if ((count > MOST)); then
    say "$beside"
    die "an embedded producer brings $MOST crates at most beside the AMQP client's own: move what needs more behind a feature"
fi

compiled=$(cargo tree -p hookline-producer -e normal,build --locked --prefix depth -i cc --depth 1 | sed -n 's/^1\([^ ]*\) .*/\1/p' | sort -u)
if [[ $compiled != ring ]]; then
    die "an embedded producer needs a C compiler for its TLS (ring) alone, and not for: ${compiled//$'\n'/, }"
fi
