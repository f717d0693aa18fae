// Receives webhooks in the meetergo format: takes each event once, and with a SECRET only those that are signed.
'use strict';

const express = require('express');
const { Webhook, WebhookVerificationError } = require('standardwebhooks');

const { HOST = '127.0.0.1', PORT = '3000', SECRET } = process.env;
const webhook = SECRET ? new Webhook(SECRET) : null;

// The ids of the last events. It outlives no restart: a table with a unique column does.
const MOST_REMEMBERED = 10_000;
const seen = new Set();

function remember(id) {
  seen.add(id);
  if (seen.size > MOST_REMEMBERED) {
    seen.delete(seen.values().next().value); // the oldest
  }
}

// The format has no signature of its own, but every request carries that of Standard Webhooks.
function isSigned(req) {
  try {
    webhook.verify(req.rawBody ?? '', req.headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) {
      return false;
    }
    throw error;
  }
}

// The answer waits for this: what takes long belongs into a queue of your own, filled here with event.data.
function handle(id, event) {
  switch (event.event) {
    case 'booking_created':
      console.log(`${id} new booking`);
      break;
    case 'booking_cancelled':
      console.log(`${id} cancelled booking`);
      break;
    case 'booking_rescheduled':
      console.log(`${id} moved booking`);
      break;
    case 'new_employee':
      console.log(`${id} new employee`);
      break;
    default: // a type that this receiver does not know yet is no error
      console.log(`${id} ignored`);
  }
}

const app = express();

// The signature is over the bytes as they came, so they are kept beside what they were parsed into.
app.use(
  express.json({
    verify: (req, res, body) => {
      req.rawBody = body;
    },
  }),
);

app.post('/webhooks/meetergo', (req, res) => {
  if (webhook && !isSigned(req)) {
    console.log('refused: the signature does not match');
    return res.status(401).send('Invalid signature');
  }
  const id = req.get('webhook-id');
  if (id && seen.has(id)) {
    console.log(`${id} duplicate`);
    return res.status(200).send('OK');
  }
  handle(id, req.body);
  if (id) {
    remember(id); // only now: should handle() fail, the event comes again
  }
  return res.status(200).send('OK');
});

app.listen(Number(PORT), HOST, () => {
  console.log(`listening on http://${HOST}:${PORT}/webhooks/meetergo`);
});
