#!/usr/bin/env bash
# check-rules.sh: the alerts of deploy/prometheus/ are sound and do what their tests say, no alert is without one, and every
# query of the boards in deploy/grafana/ can be parsed. Whether what they ask for is there, and each alert has its section in
# docs/RUNBOOK.md, is seen by tests/tests/scenarios/metrics/. Needs promtool, which scripts/prometheus.sh gets.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

RULES=deploy/prometheus/rules.yaml
TESTS=(deploy/prometheus/tests/*.yaml)
PROMTOOL=$(scripts/prometheus.sh)/promtool

# Every alert is raised in at least one case.
alerts_are_tested() {
    local alert missing=()
    while read -r alert; do
        grep -qF "alertname=\"$alert\"" "${TESTS[@]}" || missing+=("$alert")
    done < <(sed -n 's/^ *- alert: *//p' "$RULES")
    ((${#missing[@]} == 0)) || die "no case of deploy/prometheus/tests/ raises ${missing[*]}"
}

# The queries of a board as rules, which promtool parses. Grafana's own words stand for something that fits.
board_is_parsed() {
    local board=$1 rules
    rules=$(mktemp --suffix=.yaml)
    python3 - "$board" >"$rules" <<'PYTHON'
import json, sys

board = json.load(open(sys.argv[1], encoding="utf-8"))
queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
assert queries, "a board without a query"
rules = [
    {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$namespace", ".*")}
    for number, query in enumerate(queries)
]
print(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
PYTHON
    "$PROMTOOL" check rules "$rules" >&2 || die "a query of $board cannot be parsed"
    rm -f "$rules"
}

"$PROMTOOL" check rules "$RULES" >&2
"$PROMTOOL" test rules "${TESTS[@]}" >&2
alerts_are_tested
for board in deploy/grafana/*.json; do board_is_parsed "$board"; done
say "alerts and boards are sound"
