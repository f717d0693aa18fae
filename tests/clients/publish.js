// publish.js AMQP_URL EXCHANGE: publishes events as a booking service in Node does, with what amqplib fills in by itself,
// and prints a line of JSON for each: what it is, its id, and what becomes of it.
'use strict';

const { randomUUID } = require('node:crypto');
const amqp = require('amqplib');

const ACME = { company: 'acme' };
const BODY = { booking: { id: 'b_1', attendee: 'Zoë' } };
const SECONDS = Math.floor(Date.now() / 1000);

const nested = (depth) => (depth === 0 ? 'innermost' : [nested(depth - 1)]);

// What differs from the plainest event, and what becomes of it.
const CASES = [
  ['plain', {}, 'delivered'],
  ['persistent', { persistent: true, contentType: 'application/json', contentEncoding: 'utf8' }, 'delivered'],
  ['all properties', { appId: 'shop', correlationId: 'c-1', replyTo: 'answers', priority: 7 }, 'delivered'],
  ['tenant is a number', { headers: { company: 42 } }, 'delivered'],
  ['created-at has an offset', { headers: { ...ACME, 'created-at': '2031-05-06T10:30:00+02:00' } }, 'delivered'],
  [
    'created-at is a time',
    { headers: { ...ACME, 'created-at': { '!': 'timestamp', value: SECONDS } } },
    'delivered',
  ],
  ['odd headers', { headers: { ...ACME, nothing: null, yes: true, half: 0.5, bytes: Buffer.from([255]) } }, 'delivered'],
  ['nested', { headers: { ...ACME, deep: nested(8) } }, 'delivered'],
  ['nested too deep', { headers: { ...ACME, deep: nested(9) } }, 'headers_too_deep'],
  ['large', { headers: { ...ACME, large: 'x'.repeat(16000) } }, 'delivered'],
  ['too large', { headers: { ...ACME, large: 'x'.repeat(60000) } }, 'headers_too_large'],
  ['type with a hyphen', { type: 'booking-created' }, 'bad_type'],
  ['milliseconds', { timestamp: Date.now() }, 'bad_timestamp'],
];

async function main(url, exchange) {
  const connection = await amqp.connect(url);
  const channel = await connection.createConfirmChannel();
  for (const [name, change, expected] of CASES) {
    const messageId = randomUUID();
    const options = { messageId, type: 'booking.created', timestamp: SECONDS, headers: ACME, mandatory: true, ...change };
    channel.publish(exchange, options.type, Buffer.from(JSON.stringify(BODY)), options);
    await channel.waitForConfirms();
    console.log(JSON.stringify({ case: name, id: messageId, expected }));
  }
  await connection.close();
}

main(...process.argv.slice(2));
