// Receives webhooks in the meeva format: checks who sent them over the raw body, and takes each event once.
'use strict';

const crypto = require('node:crypto');
const express = require('express');

const { HOST = '127.0.0.1', PORT = '3000', SECRET } = process.env;
if (!SECRET) {
  console.error('SECRET is not set: give it the signing secret of the endpoint');
  process.exit(2);
}

// The ids of the last events. It outlives no restart: a table with a unique column does.
const MOST_REMEMBERED = 10_000;
const seen = new Set();

function remember(id) {
  seen.add(id);
  if (seen.size > MOST_REMEMBERED) {
    seen.delete(seen.values().next().value); // the oldest
  }
}

function isSigned(body, signature) {
  // Without a body, or with one of another type, there is no buffer.
  if (!Buffer.isBuffer(body) || !signature) {
    return false;
  }
  // The key is the secret as it is written, whsec_ included.
  const hmac = crypto.createHmac('sha256', SECRET).update(body).digest('hex');
  const wanted = Buffer.from(`sha256=${hmac}`);
  const given = Buffer.from(signature);
  return given.length === wanted.length && crypto.timingSafeEqual(given, wanted);
}

// The answer waits for this: what takes long belongs into a queue of your own, filled here with event.data.
function handle(event) {
  switch (event.type) {
    case 'booking.created':
      console.log(`${event.id} new booking`);
      break;
    case 'booking.cancelled':
      console.log(`${event.id} cancelled booking`);
      break;
    case 'booking.rescheduled':
      console.log(`${event.id} moved booking`);
      break;
    default: // a type that this receiver does not know yet is no error
      console.log(`${event.id} ignored`);
  }
}

const app = express();

// Raw, because the signature is over the bytes as they came: JSON that is parsed and written again is another text.
app.post('/webhooks/meeva', express.raw({ type: 'application/json' }), (req, res) => {
  if (!isSigned(req.body, req.get('meeva-signature'))) {
    console.log('refused: the signature does not match');
    return res.status(401).send('Invalid signature');
  }
  const event = JSON.parse(req.body);
  // The same as the header webhook-id, but this one is signed.
  if (seen.has(event.id)) {
    console.log(`${event.id} duplicate`);
    return res.status(200).send('OK');
  }
  handle(event);
  remember(event.id); // only now: should handle() fail, the event comes again
  return res.status(200).send('OK');
});

app.listen(Number(PORT), HOST, (error) => {
  if (error) {
    throw error;
  }
  console.log(`listening on http://${HOST}:${PORT}/webhooks/meeva`);
});
