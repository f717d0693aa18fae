"""Signs and verifies with the library that the first argument names: the questions and answers are those of peer.js."""

import base64
import importlib
import json
import sys
from datetime import datetime, timezone

library = importlib.import_module(f"{sys.argv[1]}.webhooks")


def verified(webhook, question, body):
    headers = {
        "webhook-id": question["id"],
        "webhook-timestamp": question["timestamp"],
        "webhook-signature": question["signature"],
    }
    try:
        webhook.verify(body, headers)
        return True
    except library.WebhookVerificationError:
        return False


def answer(question):
    webhook = library.Webhook(question["secret"])
    body = base64.b64decode(question["body"])
    if "signature" in question:
        return {"verified": verified(webhook, question, body)}
    time = datetime.fromtimestamp(int(question["timestamp"]), tz=timezone.utc)
    return {"signature": webhook.sign(question["id"], time, body.decode())}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
