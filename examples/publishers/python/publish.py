"""Publishes that a booking was made: persistent, mandatory and confirmed, so that the event is stored when this ends with 0.

HOOKLINE_AMQP_URL=amqp://… python publish.py [BOOKING_ID]
"""

import json
import os
import sys
import time
import uuid

import pika

URL = os.environ.get("HOOKLINE_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")
EXCHANGE = os.environ.get("HOOKLINE_NAMESPACE", "hookline") + ".events"
TRIES = 3


def event(booking_id):
    """The message: made once, so that a repetition has the same id and receivers recognise it."""
    booking = {
        "id": booking_id,
        "eventTypeId": "et_intro",
        "status": "confirmed",
        "startsAt": "2031-05-06T08:30:00Z",
        "endsAt": "2031-05-06T09:00:00Z",
        "attendee": {"email": "zoe@example.org", "firstName": "Zoë", "lastName": "Müller", "timezone": "Europe/Berlin"},
        "host": {"id": "h_4", "email": "ada@example.com"},
    }
    properties = pika.BasicProperties(
        content_type="application/json",
        delivery_mode=pika.DeliveryMode.Persistent,
        message_id=str(uuid.uuid4()),
        type="booking.created",
        timestamp=int(time.time()),
        headers={"company": "acme"},
    )
    return properties, json.dumps({"booking": booking}, ensure_ascii=False).encode()


def publish(properties, body):
    connection = pika.BlockingConnection(pika.URLParameters(URL))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        # Returns when the broker has stored it; raises when no queue took it, or the broker refuses it.
        channel.basic_publish(EXCHANGE, properties.type, body, properties, mandatory=True)
    finally:
        connection.close()


def main():
    properties, body = event(sys.argv[1] if len(sys.argv) > 1 else "b_1")
    for attempt in range(1, TRIES + 1):
        try:
            publish(properties, body)
            print(properties.message_id)
            return
        except pika.exceptions.UnroutableError:
            sys.exit(f"no queue takes events of {EXCHANGE}: run `hookline topology apply`")
        except pika.exceptions.ChannelClosedByBroker as error:
            sys.exit(f"the broker refuses the event: {error}")
        except pika.exceptions.AMQPError as error:
            # Perhaps it is stored all the same. Again, with the same id.
            if attempt == TRIES:
                sys.exit(f"not known to be stored: {error!r}; try again with the same id")
            time.sleep(attempt)


if __name__ == "__main__":
    main()
