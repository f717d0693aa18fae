import hashlib, hmac, json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

secret = os.environ["WEBHOOK_SECRET"].encode()


def is_genuine(headers, body):
    wanted = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    given = headers.get("Meeva-Signature", "")
    return hmac.compare_digest(given.encode(), wanted.encode())


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))  # the raw bytes
        genuine = is_genuine(self.headers, body)
        if genuine:
            event = json.loads(body)
            print(event["id"], event["type"], event["data"])  # store it, and work on it later
        self.send_response(200 if genuine else 401)
        self.end_headers()


ThreadingHTTPServer(("", int(os.environ.get("PORT", 9000))), Receiver).serve_forever()
