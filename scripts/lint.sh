#!/usr/bin/env bash
# lint.sh: every static check. Runs all of them, then names those that failed.
# A tool that cannot be had is a notice on a person's machine and a failure where CI=true.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

failed=()
# check NAME COMMAND…
check() {
    local name=$1 start=$SECONDS
    shift
    say "--- $name"
    if "$@"; then say "ok: $name ($((SECONDS - start)) s)"; else failed+=("$name"); fi
}

# missing WHAT WHY
missing() {
    say "not checked: $1 ($2)"
    if [[ ${CI:-} == true ]]; then failed+=("$1"); fi
}

rustdoc() { RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace --locked; }

# The advisory database is a clone from the network; where nobody has fetched one the check cannot run.
advisories() {
    local databases=${CARGO_HOME:-$HOME/.cargo}/advisory-dbs
    if compgen -G "$databases/*" >/dev/null; then
        check 'cargo deny: advisories' .local/tools/bin/cargo-deny --offline check --hide-inclusion-graph advisories
    else
        say "not checked: security advisories (no database in $databases; 'cargo deny fetch db' gets one)"
    fi
}

# What services compile against may change only with a version that says so. Compared is the last release; the tool has to be compiled,
# which takes as long as everything else here together, so nothing here installs it.
producers_face() {
    local release
    release=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null) || release=
    if [[ -z $release ]]; then
        say "not checked: the producer's face against the last release (there is none yet)"
    elif ! command -v cargo-semver-checks >/dev/null; then
        say "not checked: the producer's face against $release ('cargo install cargo-semver-checks --locked' gets what does it)"
    else
        check "cargo semver-checks: the producer's face since $release" \
            cargo semver-checks -p hookline-producer --all-features --baseline-rev "$release"
    fi
}

# True if a crate below its floor in deny.toml is refused: tried with a floor that no version reaches.
floors_are_held() {
    local config=.local/deny-self-test.toml told
    sed 's/"bytes:<[0-9.]*"/"bytes:<999.0.0"/' deny.toml >"$config"
    if told=$(.local/tools/bin/cargo-deny --offline --config "$config" check --hide-inclusion-graph bans 2>&1); then
        return 1
    fi
    grep -q "crate 'bytes = .*is explicitly banned" <<<"$told"
}

# files NAME…: the project's files of these names, without what is built or installed.
files() {
    local name pattern=()
    for name in "$@"; do pattern+=(-o -name "$name"); done
    find . -type d '(' -name target -o -name .local -o -name .git -o -name node_modules ')' -prune -o \
        -type f '(' "${pattern[@]:1}" ')' -print | sort
}

with_tools() {
    local files=()
    check 'cargo deny: licences, bans, sources' \
        .local/tools/bin/cargo-deny --offline check --hide-inclusion-graph licenses bans sources
    check 'cargo deny: old versions are found' floors_are_held
    advisories
    mapfile -t files < <(files '*.sh')
    check shellcheck .local/tools/bin/shellcheck -x "${files[@]}" .ci/run
    # The templates of charts are YAML only once they are rendered.
    mapfile -t files < <(files '*.yml' '*.yaml' | grep -v /templates/)
    check yamllint .local/tools/bin/yamllint -s -c scripts/yamllint.yml "${files[@]}"
    mapfile -t files < <(files Dockerfile '*.Dockerfile')
    if ((${#files[@]})); then check hadolint .local/tools/bin/hadolint "${files[@]}"; fi
}

# All crates of all platforms, for the checks that look at them without the network.
check 'cargo fetch' cargo fetch --locked
check 'cargo fmt' cargo fmt --all --check
check 'borders: crossings are found' scripts/check-borders.sh --self-test
check borders scripts/check-borders.sh
check 'cycles: cycles are found' scripts/check-cycles.sh --self-test
check 'no file imports its importer' scripts/check-cycles.sh
check 'the producer stays light' scripts/check-producer-tree.sh
producers_face
if command -v python3 >/dev/null; then
    check 'foreign crates are compiled once' scripts/check-build-once.sh
else
    missing 'foreign crates are compiled once' 'there is no python3'
fi
check clippy cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
check 'clippy, without OTLP' cargo clippy --no-default-features --bins --locked -- -D warnings
check 'cargo doc' rustdoc
if scripts/tools.sh; then with_tools; else missing 'licences, shell scripts, YAML' 'their tools could not be installed'; fi

if ((${#failed[@]})); then
    say "failed:"
    printf '  %s\n' "${failed[@]}" >&2
    exit 1
fi
say "all checks passed"
