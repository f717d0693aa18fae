"""Receives webhooks in the meetergo format: takes each event once, and with a SECRET only those that are signed."""

import os
from collections import OrderedDict
from threading import Lock

from flask import Flask, request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "3000"))
SECRET = os.environ.get("SECRET", "")
webhook = Webhook(SECRET) if SECRET else None

# The ids of the last events, oldest first. It outlives no restart: a table with a unique column does.
MOST_REMEMBERED = 10_000
seen = OrderedDict()
# Requests run in threads of their own, and two copies of an event may come at the same time.
one_at_a_time = Lock()

app = Flask(__name__)


def remember(event_id):
    seen[event_id] = True
    if len(seen) > MOST_REMEMBERED:
        seen.popitem(last=False)


def is_signed():
    """The format has no signature of its own, but every request carries that of Standard Webhooks."""
    try:
        webhook.verify(request.get_data(), dict(request.headers), json_parse=False)
        return True
    except (WebhookVerificationError, ValueError):  # the latter where a header or the body is no text of the scheme
        return False


def handle(event_id, event):
    """The answer waits for this: what takes long belongs into a queue of your own, filled here with event["data"]."""
    if event["event"] == "booking_created":
        print(event_id, "new booking", flush=True)
    elif event["event"] == "booking_cancelled":
        print(event_id, "cancelled booking", flush=True)
    elif event["event"] == "booking_rescheduled":
        print(event_id, "moved booking", flush=True)
    elif event["event"] == "new_employee":
        print(event_id, "new employee", flush=True)
    else:  # a type that this receiver does not know yet is no error
        print(event_id, "ignored", flush=True)


@app.post("/webhooks/meetergo")
def receive():
    if webhook and not is_signed():
        print("refused: the signature does not match", flush=True)
        return "Invalid signature", 401
    event = request.get_json()
    event_id = request.headers.get("webhook-id")
    with one_at_a_time:
        if event_id and event_id in seen:
            print(event_id, "duplicate", flush=True)
        else:
            handle(event_id, event)
            if event_id:
                remember(event_id)  # only now: should handle() fail, the event comes again
    return "OK", 200


if __name__ == "__main__":
    app.run(host=HOST, port=PORT)
