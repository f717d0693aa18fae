// Receives webhooks in the meeva format: checks who sent them over the raw body, takes each event once, answers, and works
// afterwards.
'use strict';

const crypto = require('node:crypto');
const express = require('express');

const { HOST = '127.0.0.1', PORT = '3000', SECRET } = process.env;
if (!SECRET) {
  console.error('SECRET is not set: give it the signing secret of the endpoint');
  process.exit(2);
}

// What Standard Webhooks signs with: what stands behind whsec_, in base64. A secret that is no such key has Meeva's scheme alone.
function standardKey(secret) {
  const text = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : '';
  const key = Buffer.from(text, 'base64');
  const isKey = key.toString('base64') === text && key.length >= 24 && key.length <= 64;
  return isKey ? key : null;
}

const KEY = standardKey(SECRET);

// The ids of the last events. It outlives no restart: a table with a unique column does.
const MOST_REMEMBERED = 10_000;
const seen = new Set();

function remember(id) {
  seen.add(id);
  if (seen.size > MOST_REMEMBERED) {
    seen.delete(seen.values().next().value); // the oldest
  }
}

function isEqual(given, wanted) {
  const [one, other] = [Buffer.from(given), Buffer.from(wanted)];
  return one.length === other.length && crypto.timingSafeEqual(one, other);
}

// Meeva's scheme: the body alone. The key is the secret as it is written, whsec_ included.
function holdsMeeva(body, signature) {
  return isEqual(signature, `sha256=${crypto.createHmac('sha256', SECRET).update(body).digest('hex')}`);
}

// Standard Webhooks: id, time and body. There may be several signatures while a secret is replaced. What is older than five minutes may be a recording.
function holdsStandard(body, id, timestamp, signatures) {
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (!/^\d+$/.test(timestamp) || age > 300) {
    return false;
  }
  const mac = crypto.createHmac('sha256', KEY).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return signatures.split(' ').some((signature) => isEqual(signature, `v1,${mac}`));
}

// Each request carries Meeva-Signature, and webhook-signature where the secret is a key of that scheme.
function isSigned(req) {
  const meeva = req.get('meeva-signature');
  // Without a body, or with one of another type, there is no buffer.
  if (!Buffer.isBuffer(req.body) || !meeva || !holdsMeeva(req.body, meeva)) {
    return false;
  }
  if (!KEY) {
    return true;
  }
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => req.get(name));
  return Boolean(id && timestamp && signatures) && holdsStandard(req.body, id, timestamp, signatures);
}

// What is done for an event, after it was answered. What waits here is lost with the process: a table or a queue of your own,
// written before the answer, is not.
const waiting = [];

function work() {
  const event = waiting.shift();
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
  if (!isSigned(req)) {
    console.log('refused: the signature does not match');
    return res.status(401).send('Invalid signature');
  }
  const event = JSON.parse(req.body);
  // The same as the header webhook-id.
  if (seen.has(event.id)) {
    console.log(`${event.id} duplicate`);
    return res.status(200).send('OK');
  }
  remember(event.id);
  waiting.push(event);
  setImmediate(work);
  return res.status(200).send('OK');
});

app.listen(Number(PORT), HOST, (error) => {
  if (error) {
    throw error;
  }
  console.log(`listening on http://${HOST}:${PORT}/webhooks/meeva`);
});
