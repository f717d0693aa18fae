"""publish.py LIBRARY AMQP_URL EXCHANGE: publishes events as booking services in Python do, with what LIBRARY fills in by
itself, and prints a line of JSON for each: what it is, its id, and what becomes of it.

The module-level functions are one for each library; what they publish that is out of the ordinary is common.
"""

import asyncio
import json
import sys
import time
import uuid
from datetime import datetime, timezone
from decimal import Decimal

ACME = {"company": "acme"}
TYPE = "booking.created"
BODY = {"booking": {"id": "b_1", "attendee": "Zoë"}}


def nested(depth):
    value = "innermost"
    for _ in range(depth):
        value = [value]
    return value


def cases():
    """What differs from the plainest event, and what becomes of it."""
    yield "plain", {}, "delivered"
    yield "tenant is a number", {"headers": {"company": 42}}, "delivered"
    yield "created-at has an offset", {"headers": ACME | {"created-at": "2031-05-06T10:30:00.250+02:00"}}, "delivered"
    yield "created-at is a time", {"headers": ACME | {"created-at": datetime.now(timezone.utc)}}, "delivered"
    yield "type in upper case", {"type": "BOOKING_CREATED"}, "bad_type"
    yield "nested", {"headers": ACME | {"deep": nested(8)}}, "delivered"
    yield "nested too deep", {"headers": ACME | {"deep": nested(9)}}, "headers_too_deep"
    yield "large", {"headers": ACME | {"large": "x" * 16_000}}, "delivered"
    yield "too large", {"headers": ACME | {"large": "x" * 120_000}}, "headers_too_large"
    odd = {"text": "ë", "none": None, "yes": True, "list": [1, "two", None], "table": {"a": {"b": -1}}, "large": 2**40}
    yield "odd headers", {"headers": ACME | odd}, "delivered"


def told(case, identifier, expected):
    print(json.dumps({"case": case, "id": identifier, "expected": expected}), flush=True)


def properties(change, **more):
    """The least that an event needs."""
    return {
        "message_id": uuid.uuid4().hex,
        "type": TYPE,
        "timestamp": int(time.time()),
        "headers": ACME,
    } | more | change


def with_pika(url, exchange):
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()

    def publish(case, change, expected):
        named = properties(change)
        channel.basic_publish(exchange, named["type"], json.dumps(BODY), pika.BasicProperties(**named), mandatory=True)
        told(case, named["message_id"], expected)

    for case in cases():
        publish(*case)
    # What only this library lets one write.
    named = {
        "content_type": "application/vnd.booking+json; charset=utf-8",
        "content_encoding": "UTF-8",
        "app_id": "shop",
        "user_id": pika.URLParameters(url).credentials.username,
        "correlation_id": "c-1",
        "reply_to": "answers",
        "priority": 7,
    }
    odd = {"company": b"acme", "amount": Decimal("3.14"), "bytes": b"\xff\x00", "at": datetime.now(timezone.utc)}
    publish("all properties", named | {"headers": odd}, "delivered")
    publish("milliseconds", named | {"timestamp": int(time.time() * 1000)}, "bad_timestamp")
    publish("not UTF-8", named | {"headers": {"company": "Müller".encode("latin-1")}}, "bad_company")
    connection.close()


def with_kombu(url, exchange):
    import kombu

    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        # Its serializer fills in content_type and content_encoding.
        producer = kombu.Producer(connection, serializer="json")
        for case, change, expected in cases():
            named = properties(change)
            producer.publish(BODY, exchange=exchange, routing_key=named["type"], mandatory=True, **named)
            told(case, named["message_id"], expected)


def with_aio_pika(url, exchange):
    import aio_pika

    async def publish():
        connection = await aio_pika.connect(url)
        async with connection:
            channel = await connection.channel(publisher_confirms=True)
            events = await channel.get_exchange(exchange, ensure=False)
            for case, change, expected in cases():
                named = properties(change)
                message = aio_pika.Message(json.dumps(BODY).encode(), **named)
                await events.publish(message, named["type"], mandatory=True)
                told(case, named["message_id"], expected)

    asyncio.run(publish())


LIBRARIES = {"pika": with_pika, "kombu": with_kombu, "aio-pika": with_aio_pika}

if __name__ == "__main__":
    LIBRARIES[sys.argv[1]](*sys.argv[2:4])
