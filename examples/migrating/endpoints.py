#!/usr/bin/env python3
"""Writes an endpoints file for Hookline from what another webhook service knows of its endpoints.

    endpoints.py svix|convoy|outpost|hook0 [--company COMPANY] [--format FORMAT] <export.json >endpoints.toml

stdin is the JSON that the service's API answers with (docs/MIGRATING.md says how to ask). What has no counterpart is told on stderr,
and nothing is left out silently. The result holds secrets.
"""

import argparse
import json
import re
import sys

# What Hookline takes as a company's or an endpoint's id.
ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def note(text):
    print(f"endpoints.py: {text}", file=sys.stderr)


def listed(export, *names):
    """The list itself, or where the service's answer has it."""
    for name in names:
        if isinstance(export, dict):
            export = export.get(name, [])
    return export


def svix(export):
    for item in listed(export, "data"):
        yield {
            "id": item.get("uid") or item["id"],
            "url": item["url"],
            "secret": item.get("secret") or item.get("key"),
            "events": item.get("filterTypes"),
            "headers": item.get("headers"),
            "disabled": item.get("disabled", False),
            "unknown": [name for name in ("channels", "rateLimit") if item.get(name)],
        }


def convoy(export):
    for item in listed(export, "data", "content"):
        # The newest that does not expire; one that does is there for a rotation.
        secrets = [secret["value"] for secret in item.get("secrets") or [] if not secret.get("expires_at")]
        key = (item.get("authentication") or {}).get("api_key")
        yield {
            "id": item["uid"],
            "company": item.get("owner_id"),
            "url": item["url"],
            "secret": secrets[-1] if secrets else None,
            "events": item.get("event_types"),
            "headers": {key["header_name"]: key["header_value"]} if key else None,
            "disabled": item.get("status", "active") != "active",
            "unknown": [name for name in ("rate_limit", "http_timeout") if item.get(name)],
        }


def outpost(export):
    for item in listed(export, "models"):
        if item.get("type") != "webhook":
            note(f"{item.get('id')}: left out, it is no webhook but {item.get('type')}")
            continue
        topics = item.get("topics")
        headers = item["config"].get("custom_headers")
        credentials = item.get("credentials") or {}
        yield {
            "id": item["id"],
            "company": item.get("tenant_id"),
            "url": item["config"]["url"],
            "secret": credentials.get("secret"),
            "previous_secret": credentials.get("previous_secret"),
            "events": None if topics in ("*", ["*"]) else topics,
            "headers": json.loads(headers) if isinstance(headers, str) else headers,
            "disabled": bool(item.get("disabled_at")),
            "unknown": [name for name in ("filter",) if item.get(name)],
        }


def hook0(export):
    for item in listed(export):
        target = item["target"]
        yield {
            "id": item["subscription_id"],
            "url": target["url"],
            "secret": item.get("secret"),
            "events": item.get("event_types"),
            "headers": target.get("headers"),
            "disabled": not item.get("is_enabled", True),
            "unknown": [name for name in ("labels", "label_key") if item.get(name)],
        }


READERS = {"svix": svix, "convoy": convoy, "outpost": outpost, "hook0": hook0}


def text(value):
    """A TOML string is written as a JSON string is."""
    return json.dumps(value, ensure_ascii=False)


def write(entry, company, endpoint_format):
    """The lines of one endpoint, or None where it cannot be one."""
    company = company or entry.get("company")
    for what, value in (("id", entry["id"]), ("company", company)):
        if not value or not ID.fullmatch(value):
            note(f"{entry['id']}: left out, its {what} {value!r} is none that Hookline takes; give --company, or name it in the export")
            return None
    if not entry["secret"]:
        note(f"{entry['id']}: left out, its secret is not in the export")
        return None
    for name in entry["unknown"]:
        note(f"{entry['id']}: {name} has no counterpart here and is not taken along")
    lines = [
        "[[endpoint]]",
        f"id = {text(entry['id'])}",
        f"company = {text(company)}",
        f"url = {text(entry['url'])}",
        f"secret = {text(entry['secret'])}",
        f"format = {text(endpoint_format)}",
    ]
    if entry.get("previous_secret"):
        lines.append(f"previous_secret = {text(entry['previous_secret'])}")
    if entry["events"]:
        lines.append("events = [" + ", ".join(text(name) for name in entry["events"]) + "]")
    if entry["headers"]:
        pairs = (f"{text(name)} = {text(value)}" for name, value in entry["headers"].items())
        lines.append("headers = { " + ", ".join(pairs) + " }")
    if entry["disabled"]:
        lines.append("disabled = true")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Writes an endpoints file from another service's export on stdin.")
    parser.add_argument("service", choices=READERS)
    parser.add_argument("--company", help="the tenant, where the export names none")
    parser.add_argument("--format", default="standard", choices=["meeva", "meetergo", "meetergo-flat", "standard"])
    arguments = parser.parse_args()
    entries = list(READERS[arguments.service](json.load(sys.stdin)))
    written = [write(entry, arguments.company, arguments.format) for entry in entries]
    print("\n".join(entry for entry in written if entry))
    if None in written:
        sys.exit(1)


if __name__ == "__main__":
    main()
