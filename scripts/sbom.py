"""Writes in target/sbom/ what each program is made of, as CycloneDX 1.6, from Cargo.lock and cargo's own resolution.

A crate is listed if it is compiled into a program or helps to compile it; those that only tests need are not. Two runs on the same
commit write the same bytes. Each document is held to CycloneDX's schema and to Cargo.lock before it is kept."""

import json
import os
import subprocess
import sys
import tomllib
import uuid

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, "target/sbom")
# program -> its crate
PROGRAMS = {"hookline-dispatcher": "hookline-dispatcher", "hookline-console": "hookline-console", "hookline": "hookline-cli"}
PLATFORM = "x86_64-unknown-linux-gnu"


def told(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def checksums():
    """(name, version) -> SHA-256 of what the registry served."""
    with open(os.path.join(ROOT, "Cargo.lock"), "rb") as file:
        return {(one["name"], one["version"]): one.get("checksum") for one in tomllib.load(file)["package"]}


def used_by(root, nodes):
    """Ids of all that a crate is built with, and what each depends on."""
    edges, waiting = {}, [root]
    while waiting:
        one = waiting.pop()
        if one in edges:
            continue
        edges[one] = sorted({dependency["pkg"] for dependency in nodes[one]["deps"]
                             if any(kind["kind"] in (None, "build") for kind in dependency["dep_kinds"])})
        waiting += edges[one]
    return edges


def component(package, checksum):
    made = {"type": "library", "bom-ref": reference(package), "name": package["name"], "version": package["version"],
            "purl": reference(package), "scope": "required"}
    if package.get("license"):
        # "A/B" is an older way to say "A OR B".
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if package.get("description"):
        made["description"] = " ".join(package["description"].split())
    if package.get("repository"):
        made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return made


def document(program, package, edges, packages, sums, when):
    parts = [component(packages[one], sums[packages[one]["name"], packages[one]["version"]]) for one in edges if one != package["id"]]
    parts.sort(key=lambda one: one["bom-ref"])
    made = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {
            "timestamp": when,
            "component": {"type": "application", "bom-ref": reference(package), "name": program, "version": package["version"],
                          "licenses": [{"expression": package["license"]}]},
            "tools": {"components": [{"type": "application", "name": "hookline scripts/sbom.py"}]},
            "properties": [{"name": "cargo:platform", "value": PLATFORM}],
        },
        "components": parts,
        "dependencies": sorted(({"ref": reference(packages[one]), "dependsOn": [reference(packages[other]) for other in others]}
                                for one, others in edges.items()), key=lambda one: one["ref"]),
    }
    made["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(made, sort_keys=True))}"
    return made


def faults(text, sums):
    """What is wrong with a document."""
    found = [str(one) for one in JsonStrictValidator(SchemaVersion.V1_6).validate_str(text, all_errors=True) or []]
    made = json.loads(text)
    for one in made["components"]:
        known = sums.get((one["name"], one["version"]), "missing")
        if known == "missing":
            found.append(f"{one['purl']} is not in Cargo.lock")
        elif known and one["hashes"][0]["content"] != known:
            found.append(f"{one['purl']} has another checksum in Cargo.lock")
        if not one.get("licenses"):
            found.append(f"{one['purl']} has no licence")
    names = {one["name"] for one in made["components"]}
    # One that every program is made of, and some that none may hold: the tests' own.
    if not {"tokio", "hookline-common"} <= names:
        found.append("tokio or hookline-common is missing")
    if names & {"proptest", "hookline-tests", "hookline-bench"}:
        found.append("what only tests need is in it")
    return found


def main():
    metadata = json.loads(told("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", PLATFORM))
    packages = {one["id"]: one for one in metadata["packages"]}
    nodes = {one["id"]: one for one in metadata["resolve"]["nodes"]}
    sums = checksums()
    # Of the last commit, as for whatever is handed out.
    when = told("sh", "-c", 'date -u -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}" +%Y-%m-%dT%H:%M:%SZ').strip()
    os.makedirs(OUT, exist_ok=True)
    wrong = False
    for program, crate in PROGRAMS.items():
        package = next(one for one in packages.values() if one["name"] == crate and one["source"] is None)
        edges = used_by(package["id"], nodes)
        text = json.dumps(document(program, package, edges, packages, sums, when), indent=1) + "\n"
        found = faults(text, sums)
        # Once, that the schema is looked at.
        if program == next(iter(PROGRAMS)) and not faults(text.replace('"type": "library"', '"type": "thing"', 1), sums):
            found.append("a broken document is not found")
        for fault in found:
            print(f"{program}: {fault}", file=sys.stderr)
        wrong = wrong or bool(found)
        path = os.path.join(OUT, f"{program}.cdx.json")
        if not found:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            print(f"{os.path.relpath(path, ROOT)}: {len(edges) - 1} components")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
