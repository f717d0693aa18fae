"""Receives webhooks in the meeva format: checks who sent them over the raw body, takes each event once, answers, and works
afterwards."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import sys
import time
from collections import OrderedDict
from queue import Queue
from threading import Lock, Thread

from flask import Flask, request

HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "3000"))
SECRET = os.environ.get("SECRET", "")
if not SECRET:
    sys.exit("SECRET is not set: give it the signing secret of the endpoint")


def standard_key(secret):
    """What Standard Webhooks signs with: what stands behind whsec_, in base64. A secret that is no such key has Meeva's scheme
    alone."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if secret.startswith("whsec_") and 24 <= len(key) <= 64 else None


KEY = standard_key(SECRET)

# The ids of the last events, oldest first. It outlives no restart: a table with a unique column does.
MOST_REMEMBERED = 10_000
seen = OrderedDict()
# Requests run in threads of their own, and two copies of an event may come at the same time.
one_at_a_time = Lock()
# What is done after the answer. It is lost with the process: a table of your own, written before the answer, is not.
waiting = Queue()

app = Flask(__name__)


def is_new(event_id):
    """True the first time that this id comes."""
    with one_at_a_time:
        if event_id in seen:
            return False
        seen[event_id] = True
        if len(seen) > MOST_REMEMBERED:
            seen.popitem(last=False)
        return True


def is_equal(given, wanted):
    # As bytes, because compare_digest() takes no text beyond ASCII, and anybody may send some.
    return hmac.compare_digest(given.encode(), wanted.encode())


def holds_meeva(body, signature):
    """Meeva's scheme: the body alone. The key is the secret as it is written, whsec_ included."""
    return is_equal(signature, "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest())


def holds_standard(body, event_id, timestamp, signatures):
    """Standard Webhooks: id, time and body. There may be several signatures while a secret is replaced. What is older than
    five minutes may be a recording."""
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(time.time() - int(timestamp)) > 300:
        return False
    signed = f"{event_id}.{timestamp}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    return any(is_equal(signature, wanted) for signature in signatures.split(" "))


def is_signed(body):
    """Each request carries Meeva-Signature, and webhook-signature where the secret is a key of that scheme."""
    headers = request.headers
    if not holds_meeva(body, headers.get("Meeva-Signature", "")):
        return False
    if KEY is None:
        return True
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return holds_standard(body, *(headers.get(name, "") for name in names))


def work():
    while True:
        event = waiting.get()
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
    if not is_signed(body):
        print("refused: the signature does not match", flush=True)
        return "Invalid signature", 401
    event = json.loads(body)
    # The same as the header webhook-id.
    if is_new(event["id"]):
        waiting.put(event)
    else:
        print(event["id"], "duplicate", flush=True)
    return "OK", 200


if __name__ == "__main__":
    Thread(target=work, daemon=True).start()
    app.run(host=HOST, port=PORT)
