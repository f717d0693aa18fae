"""Receives webhooks in the meeva format: checks who sent them over the raw body, and takes each event once."""

import hashlib
import hmac
import json
import os
import sys
from collections import OrderedDict
from threading import Lock

from flask import Flask, request

HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "3000"))
SECRET = os.environ.get("SECRET", "")
if not SECRET:
    sys.exit("SECRET is not set: give it the signing secret of the endpoint")

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


def is_signed(body, signature):
    # The key is the secret as it is written, whsec_ included.
    wanted = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    # As bytes, because compare_digest() takes no text beyond ASCII, and anybody may send some.
    return hmac.compare_digest(wanted.encode(), signature.encode())


def handle(event):
    """The answer waits for this: what takes long belongs into a queue of your own, filled here with event["data"]."""
    if event["type"] == "booking.created":
        print(event["id"], "new booking", flush=True)
    elif event["type"] == "booking.cancelled":
        print(event["id"], "cancelled booking", flush=True)
    elif event["type"] == "booking.rescheduled":
        print(event["id"], "moved booking", flush=True)
    else:  # a type that this receiver does not know yet is no error
        print(event["id"], "ignored", flush=True)


@app.post("/webhooks/meeva")
def receive():
    # The signature is over the bytes as they came: JSON that is parsed and written again is another text.
    body = request.get_data()
    if not is_signed(body, request.headers.get("Meeva-Signature", "")):
        print("refused: the signature does not match", flush=True)
        return "Invalid signature", 401
    event = json.loads(body)
    with one_at_a_time:
        # The same as the header webhook-id, but this one is signed.
        if event["id"] in seen:
            print(event["id"], "duplicate", flush=True)
        else:
            handle(event)
            remember(event["id"])  # only now: should handle() fail, the event comes again
    return "OK", 200


if __name__ == "__main__":
    app.run(host=HOST, port=PORT)
