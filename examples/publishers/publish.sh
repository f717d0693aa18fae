#!/usr/bin/env bash
# Publishes over HTTP that a booking was made, for whoever cannot or would not speak AMQP: 202 comes when the broker has confirmed
# and routed it.
#
#   HOOKLINE_API_URL=https://console.example.com HOOKLINE_API_TOKEN=… ./publish.sh [BOOKING_ID]
set -euo pipefail

: "${HOOKLINE_API_TOKEN:?give it the token of the operator or of the company}"
# Made once: with the same id it may be sent again, and receivers recognise it.
id=$(tr -d - </proc/sys/kernel/random/uuid)
body=$(printf '{"id":"%s","type":"booking.created","data":{"booking":{"id":"%s","status":"confirmed"}}}' "$id" "${1:-b_1}")

# What the server cannot take now is told by 429 and 503, which --retry waits for. The token is read from a pipe: arguments are seen
# by everybody on the machine.
curl --silent --show-error --fail-with-body --retry 5 --retry-connrefused \
    --header @<(printf 'authorization: Bearer %s\n' "$HOOKLINE_API_TOKEN") \
    --header 'content-type: application/json' --data-binary "$body" \
    "${HOOKLINE_API_URL:-http://127.0.0.1:8080}/v1/companies/acme/events"
echo
