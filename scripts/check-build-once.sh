#!/usr/bin/env bash
# check-build-once.sh: no crate of somebody else's is compiled twice for what people run here.
#
# Cargo compiles a crate anew for each set of features, and these are what all members of a build ask for together. So what the
# demo compiles must be the beginning of what the tests do, and an example must need nothing of its own. Looks at cargo's plans
# and compiles nothing. Exit 1 names each crate that would be compiled again, and which features come or go; they belong into
# tests/Cargo.toml then.
#
# Macros and programs may have different sets of the same crate.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

command -v python3 >/dev/null || die "needs python3, to read cargo's plans"
plans=$(mktemp -d)
trap 'rm -rf "$plans"' EXIT

# plan NAME ARGS…: what `cargo ARGS` would compile. The flag is one of nightly's, for reading alone.
plan() {
    local name=$1
    shift
    RUSTC_BOOTSTRAP=1 cargo "$@" --locked --unit-graph -Z unstable-options >"$plans/$name"
}
# In the order in which a newcomer meets them: make demo, make test, single scenarios, the README's program and example.
count=0
mapfile -t selections < <(sed -n 's/^ *\(demo\|test\)) exec cargo \(build .*\) ;;$/\1 \2/p' scripts/build.sh)
((${#selections[@]} == 2)) || die "cannot read scripts/build.sh"
for selection in "${selections[@]}"; do
    read -r -a words <<<"${selection/ --locked/}"
    plan "$((++count))-${words[0]}" "${words[@]:1}"
done
plan 3-scenarios test --workspace --test scenarios
plan 4-workspace build --workspace
plan 5-example build --example booking

python3 - "$plans" <<'END'
import json, os, sys

def crates(path):
    """Each unit of a foreign crate, known by itself and all that it is made of, and its features."""
    units = json.load(open(path))["units"]
    keys = {}
    def key(i):
        if i not in keys:
            u = units[i]
            p = u["profile"]
            own = (u["pkg_id"], tuple(u["target"]["kind"]), u["mode"], tuple(sorted(u["features"])), u["platform"],
                   p["opt_level"], str(p["debuginfo"]), p["debug_assertions"], str(p["panic"]))
            keys[i] = hash((own, tuple(sorted(key(d["index"]) for d in u["dependencies"]))))
        return keys[i]
    # Macros and build scripts, and what they are made of, have sets of features apart from programs'.
    sides = {}
    def walk(i, side):
        u = units[i]
        if u["target"]["kind"][0] in ("proc-macro", "custom-build"):
            side = "macros"
        if side not in sides.setdefault(i, set()):
            sides[i].add(side)
            for d in u["dependencies"]:
                walk(d["index"], side)
    for root in json.load(open(path))["roots"]:
        walk(root, "programs")
    found = {}
    for i, u in enumerate(units):
        if "registry" in u["pkg_id"]:
            for side in sides[i]:
                name = (u["pkg_id"].split("#")[-1], u["target"]["kind"][0], side)
                found[name, key(i)] = frozenset(u["features"])
    return found

folder, seen, again = sys.argv[1], {}, []
for plan_name in sorted(os.listdir(folder)):
    plan = crates(os.path.join(folder, plan_name))
    known = {name: features for (name, _), features in seen.items()}
    for (name, unit), features in plan.items():
        if (name, unit) not in seen and name in known:
            again.append((plan_name, name, sorted(features - known[name]), sorted(known[name] - features)))
    seen.update(plan)
    print(f"{plan_name}: {len({unit for _, unit in plan})} units of foreign crates")
for plan_name, (crate, kind, side), more, less in again:
    if more or less:
        print(f"again in {plan_name}: {crate} ({kind} of {side}), features more: {more}, less: {less}")
if again:
    print(f"with what is made of them, {len(again)} units are compiled again")
sys.exit(1 if again else 0)
END
