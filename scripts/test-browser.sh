#!/usr/bin/env bash
# test-browser.sh: drives the dashboard with chromium against a real console, dispatcher, broker, database and receiver, and
# leaves pictures of every page in target/screenshots/. PART=deliveries does one part alone, of those that main.cjs names.
#
# Chromium comes from the distribution, what drives it from tests/browser/package-lock.json. Where one of them cannot be had
# it says so: exit 0 on a person's machine, 1 where CI=true.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

cannot() {
    say "not tested: the dashboard in a browser ($1)"
    if [[ ${CI:-} == true ]]; then exit 1; fi
    exit 0
}

if [[ ${1:-} != --services-are-up ]]; then
    if ! command -v chromium >/dev/null; then
        scripts/install-packages.sh chromium || cannot "it takes chromium"
    fi
    exec scripts/with-services.sh --beside scripts/build.sh up -- "$0" --services-are-up
fi

modules=$(tests/conformance/install.sh npm tests/browser "$STATE/tools/packages")
[[ -n $modules ]] || exit 0
export NODE_PATH=$modules
HOOKLINE_DATABASE_URL=$(scripts/services.sh database browser)
export HOOKLINE_DATABASE_URL
export PROGRAMS_DIR=${CARGO_TARGET_DIR:-$ROOT/target}/debug
# Emptied first: a picture of a page that is no more would be looked at for nothing.
if [[ -z ${PART:-} ]]; then rm -rf target/screenshots; fi
mkdir -p target/screenshots
exec node tests/browser/main.cjs
