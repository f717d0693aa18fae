#!/usr/bin/env bash
# check-deploy.sh: the chart, the plain manifests, the images' recipe and docker-compose.yml, held to what they claim.
#
# Rendered by Helm, validated against the schemas of Kubernetes and of the operators, judged by rules that are shown to find the
# mistakes that they are for. What cannot be judged here is a line NOT RUN, with why. Where the tools themselves cannot be had nothing
# is judged: a notice on a person's machine, and a failure where CI=true.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

if ! command -v python3 >/dev/null || ! scripts/tools.sh deploy; then
    say "NOT RUN: the tools of scripts/tools-deploy.txt could not be installed, so nothing was checked"
    if [[ ${CI:-} == true ]]; then exit 1; fi
    exit 0
fi
exec env PYTHONDONTWRITEBYTECODE=1 "$STATE/tools-deploy/bin/python" scripts/deploy/check.py
