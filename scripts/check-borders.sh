#!/usr/bin/env bash
# The borders between the parts of the program, as far as a search can see them. Each has one place that may do a thing;
# here is checked that no other does. Code of tests is not held to them: it plays the world outside. And that modules are
# laid out in one style, and types have names that say what they are.
#
# usage: check-borders.sh              checks this checkout
#        check-borders.sh --self-test  crosses each border in a copy of the sources, and fails unless it is refused
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

PRODUCT=(common producer consume outbound dispatcher catalogue certify store console cli)
faults=0

fault() {
    say "$1"
    say "$2"
    faults=$((faults + 1))
}

# The Rust files of the crates that exist, without those that hold tests only.
sources() {
    local crate
    for crate in "${PRODUCT[@]}"; do
        if [[ -d $crate/src ]]; then
            find "$crate/src" -name '*.rs' ! -name 'tests.rs' ! -path '*/tests/*' | sort
        fi
    done
}

# "FILE:LINE:text" of all their code, without comment lines and up to a test module, which stands last.
code() {
    local files
    mapfile -t files < <(sources)
    awk '
        FNR == 1 { test = ended = 0 }
        ended { next }
        /^#\[cfg\(test\)\]/ { test = 1; next }
        test && /^mod .*\{/ { ended = 1; next }
        /^[^#]/ { test = 0 }
        !/^[[:space:]]*\/\// { print FILENAME ":" FNR ":" $0 }' "${files[@]}"
}

# only_in ALLOWED PATTERN WHY: code that matches PATTERN may stand only in files whose path matches ALLOWED.
only_in() {
    local found
    found=$(grep -vE "^[^:]*$1" <<<"$CODE" | grep -E "^[^:]*:[0-9]+:.*($2)") || return 0
    fault "$found" "^ $3"
}

# no_import FROM BUT TO WHY: files of common whose path matches FROM, and not BUT, may not import one that matches TO.
no_import() {
    local found
    found=$(awk -v from="$1" -v but="$2" -v to="$3" \
        '$1 ~ from && $1 !~ but && $2 ~ to { print $1 " imports " $3 " of " $2 }' <<<"$IMPORTS")
    if [[ -n $found ]]; then fault "$found" "^ $4"; fi
}

# Types that hold a secret and derive a comparison: the last derive before the type says so.
compared_secrets() {
    local files
    mapfile -t files < <(sources)
    awk -v secrets="^pub(\\([a-z]+\\))? (struct|enum) ($SECRETS)[^A-Za-z0-9_]|^(struct|enum) ($SECRETS)[^A-Za-z0-9_]" '
        FNR == 1 { derive = "" }
        /^#\[derive\(/ { derive = $0 }
        $0 ~ secrets && derive ~ /PartialEq|PartialOrd|Hash/ { print FILENAME ":" FNR ": " derive " " $0 }
        /^(pub(\([a-z]+\))? )?(struct|enum|fn|impl|mod|const|static|type)/ { derive = "" }' "${files[@]}"
}

check() {
    CODE=$(code)
    IMPORTS=$(scripts/check-cycles.sh --imports common)

    only_in '^common/src/broker(/|\.rs)' '\blapin::|\buse lapin\b' \
        "only common/src/broker/ may use lapin: what it must promise (confirmed and routed, every await bounded) is kept in one place"
    only_in '^common/src/broker(/|\.rs)' '\bbasic_(ack|nack|reject|recover)\b|\bBasic(Ack|Nack|Reject)Options\b' \
        "only common/src/broker/ may speak of acknowledgements to the AMQP client"
    only_in "$ACKS" '(\.|::)(ack_through|ack_each|give_back_each)\b' \
        "only one place may acknowledge or give back what a program consumes: its ledger knows what was confirmed before"
    only_in '^(common/src/broker|consume/src|cli/src/commands/dlq)(/|\.rs)' '\.ack\(' \
        "only the commands of dlq may take messages out of a queue that they browse"
    only_in '^(outbound/src/client|common/src/broker|common/src/healthcheck)(/|\.rs)' 'TcpStream::connect|TcpSocket' \
        "only outbound/src/client may open connections to customers, only common/src/broker to the broker, and healthcheck to its own program"
    only_in '^(outbound/src/client|common/src/telemetry)(/|\.rs)' 'hyper_util::client|hyper::client' \
        "only outbound/src/client may open connections to customers: every one must pass its guarded resolver"
    only_in '^(outbound/src/client|common/src/management|cli/src/api|cli/src/commands/listen)(/|\.rs)' '\breqwest\b' \
        "only common/src/management asks over HTTP, and that the broker, cli/src/api the console, and listen its own machine: customers are reached through outbound/src/client alone"
    only_in '((^|/)settings|^common/src/failpoint)(/|\.rs)' '\benv::(vars?|vars?_os)\b' \
        "only a settings module may read the environment: settings are read whole and once, and every fault is reported at once"
    only_in '^(store/|producer/src/outbox/)' '\bsqlx\b' \
        "only store/ may use sqlx, and the producer's outbox, which is another service's: all SQL stands in one place"
    only_in '^dispatcher/' '\bhookline_dispatcher::' \
        "only the dispatcher knows what is inside of it: others meet it on the broker and in the registry"
    only_in '^console/' '\bhookline_console::' "only the console knows what is inside of it: others ask its API"

    # Secrets are compared in the same time wherever they differ (subtle), so no operator may see one.
    only_in '$' '(expose|expose_secret)\(\)(\.[a-z_]+\(\))*[[:space:]]*[!=]=|[!=]=[[:space:]&*]*[a-z_.0-9]+\.(expose|expose_secret)\(\)' \
        "a secret is compared with subtle's ct_eq, or by its hash: == stops at the first difference, which can be timed"
    only_in '$' "impl (PartialEq|Eq|PartialOrd|Ord|Hash)\\b.* for ($SECRETS)\\b" \
        "a type that holds a secret has no ==: whoever compares it does so on purpose, with ct_eq"

    # Whoever meets one of these names has to look up what it is of.
    only_in '$' "\\b(struct|enum|trait|type) ($VAGUE)\\b" \
        "a type's name says what it is of: a proof or a sign of what, which kind of letter, which of whom"

    no_import '^common/src/' '^common/src/(broker|settings)(/|\.rs)' '^common/src/broker(/|\.rs)' \
        "the domain and its rules know no broker: they are data and decisions, and tested without one"
    no_import '^common/src/' '^common/src/(settings|telemetry|healthcheck|management)(/|\.rs)' '^common/src/settings(/|\.rs)' \
        "settings are read by means of the rules, and no rule reads settings"

    local derived
    derived=$(compared_secrets)
    if [[ -n $derived ]]; then fault "$derived" "^ a type that holds a secret must not derive a comparison"; fi

    local crate folder found
    found=$({ find ./*/src ./tests/tests -type d 2>/dev/null || true; } | sort | while read -r folder; do
        if [[ -f $folder.rs ]]; then echo "${folder#./}.rs"; fi
    done)
    if [[ -n $found ]]; then
        fault "$found" "^ a module that has parts is a folder with mod.rs, and not a file beside its folder: one style is found faster"
    fi
    if found=$(grep -rn lapin producer/src producer/Cargo.toml 2>/dev/null); then
        fault "$found" "^ the producer must not show or name lapin, not even in its documentation: callers depend on our types alone"
    fi
    for crate in "${PRODUCT[@]}"; do
        if [[ $crate != store ]] && found=$(grep -Hn '^sqlx\b' "$crate/Cargo.toml" 2>/dev/null | grep -v '^producer/.*optional = true'); then
            fault "$found" "^ only hookline-store may depend on sqlx, and the producer where its outbox is asked for"
        fi
        if [[ $crate != common ]] && found=$(grep -Hn '^lapin\b' "$crate/Cargo.toml" 2>/dev/null); then
            fault "$found" "^ only hookline-common may depend on lapin"
        fi
    done
    ((faults == 0)) || die "$faults border(s) crossed"
}

# crossed FILE LINE WORDS: adds the line to a file of the copy (made if need be), and sees the copy refused with these words.
crossed() {
    local file=$scratch/$1 before='' output
    if [[ -f $file ]]; then before=$(cat "$file"); fi
    mkdir -p "$(dirname "$file")"
    # First in the file, because a test module ends what is looked at.
    printf '%s\n%s\n' "$2" "$before" >"$file"
    # The copy may be crossed already where this checkout is; so the line itself is looked for.
    if output=$("$scratch/scripts/check-borders.sh" 2>&1) || ! grep -qF "$3" <<<"$output" || ! grep -qF "$1" <<<"$output"; then
        say "self-test: not refused: '$2' in $1"
        faults=$((faults + 1))
    fi
    if [[ -n $before ]]; then printf '%s\n' "$before" >"$file"; else rm "$file"; fi
}

self_test() {
    local crate
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cp -r scripts "$scratch"
    for crate in "${PRODUCT[@]}"; do
        if [[ -d $crate/src ]]; then
            mkdir "$scratch/$crate"
            cp -r "$crate/src" "$crate/Cargo.toml" "$scratch/$crate"
        fi
    done
    crossed dispatcher/src/planted.rs 'use lapin::Channel;' 'may use lapin'
    crossed dispatcher/src/planted.rs 'channel.basic_ack(1, options);' 'to the AMQP client'
    crossed cli/src/planted.rs 'acker.ack_each(tags).await' 'only one place may acknowledge'
    crossed common/src/planted.rs 'Acker::ack_through(&acker, 1)' 'only one place may acknowledge'
    crossed cli/src/commands/planted.rs 'browser.ack(receipt).await' 'commands of dlq'
    crossed dispatcher/src/planted.rs 'TcpStream::connect(address)' 'open connections to customers'
    crossed dispatcher/src/planted.rs 'use hyper_util::client::legacy::Client;' 'guarded resolver'
    crossed cli/src/planted.rs 'use reqwest::Client;' 'asks over HTTP'
    crossed cli/src/planted.rs 'std::env::var("HOME")' 'read the environment'
    crossed dispatcher/src/planted.rs 'use sqlx::query;' 'may use sqlx'
    crossed console/src/planted.rs 'sqlx::query("SELECT 1")' 'may use sqlx'
    crossed producer/src/planted.rs 'use sqlx::query;' 'may use sqlx'
    crossed producer/Cargo.toml 'sqlx.workspace = true' 'may depend on sqlx'
    crossed console/Cargo.toml 'sqlx.workspace = true' 'may depend on sqlx'
    crossed console/src/planted.rs 'use hookline_dispatcher::client::Client;' 'what is inside of it'
    crossed cli/src/planted.rs 'use hookline_console::api;' 'others ask its API'
    crossed console/src/planted.rs 'if given.expose() == known.expose() {' 'which can be timed'
    crossed common/src/planted.rs 'if self.0.expose_secret().as_bytes() != other {' 'which can be timed'
    crossed store/src/planted.rs 'if text == *token.expose() {' 'which can be timed'
    crossed common/src/planted.rs 'impl PartialEq for Secret {' 'with ct_eq'
    crossed store/src/planted.rs $'#[derive(Clone, PartialEq)]\npub struct TokenText(SecretString);' 'derive a comparison'
    crossed store/src/planted.rs 'pub(super) enum Sign {' 'says what it is of'
    crossed cli/src/planted.rs "struct Letter<'a> {" 'says what it is of'
    crossed common/src/planted.rs 'use crate::broker::Publisher;' 'know no broker'
    crossed common/src/guard/planted.rs 'use crate::settings::Reader;' 'no rule reads settings'
    crossed common/src/guard.rs '//! The guard.' 'a folder with mod.rs'
    crossed producer/src/planted.rs '//! As lapin does.' 'show or name lapin'
    crossed cli/Cargo.toml 'lapin = "1"' 'may depend on lapin'
    crossed dispatcher/src/settle/planted.rs 'acker.ack_each(tags).await' 'only one place may acknowledge'
    crossed dispatcher/src/settle/planted.rs 'acker.give_back_each(tags).await' 'only one place may acknowledge'
    ((faults == 0)) || die "borders that nobody guards"
}

# Types that hold what nobody may guess. A presented token is a hash already.
SECRETS='Secret|SigningKeys|Keyring|AdminToken|TokenText|SecretString|SecretSlice'

# Names of types that leave open what they are of.
VAGUE='Baggage|Proof|Sign|Pass|Books|Letter|Which|Wanted'

# Where messages that a program consumes are acknowledged.
ACKS='^consume/src/'

case ${1:-} in
    --self-test) self_test ;;
    '') check ;;
    *) die "unknown option $1" ;;
esac
