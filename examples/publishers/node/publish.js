// Publishes that a booking was made: persistent, mandatory and confirmed, so that the event is stored when this ends with 0.
//
//   HOOKLINE_AMQP_URL=amqp://… node publish.js [BOOKING_ID]
'use strict';

const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');
const amqp = require('amqplib');

const { HOOKLINE_AMQP_URL = 'amqp://guest:guest@127.0.0.1:5672/%2f', HOOKLINE_NAMESPACE = 'hookline' } = process.env;
const EXCHANGE = `${HOOKLINE_NAMESPACE}.events`;
const TRIES = 3;

// What trying again does not mend.
class Refused extends Error {}

// The message: made once, so that a repetition has the same id and receivers recognise it.
function event(bookingId) {
  const booking = {
    id: bookingId,
    eventTypeId: 'et_intro',
    status: 'confirmed',
    startsAt: '2031-05-06T08:30:00Z',
    endsAt: '2031-05-06T09:00:00Z',
    attendee: { email: 'zoe@example.org', firstName: 'Zoë', lastName: 'Müller', timezone: 'Europe/Berlin' },
    host: { id: 'h_4', email: 'ada@example.com' },
  };
  const options = {
    contentType: 'application/json',
    persistent: true,
    mandatory: true,
    messageId: randomUUID(),
    type: 'booking.created',
    timestamp: Math.floor(Date.now() / 1000),
    headers: { company: 'acme' },
  };
  return { body: Buffer.from(JSON.stringify({ booking })), options };
}

async function publish({ body, options }) {
  const connection = await amqp.connect(HOOKLINE_AMQP_URL);
  try {
    const channel = await connection.createConfirmChannel();
    // Without listeners, errors of connection and channel would end the process; whoever waits below is told them as well.
    const failed = new Promise((_, reject) => {
      connection.on('error', reject);
      channel.on('error', (error) => reject(new Refused(`the broker refuses the event: ${error.message}`)));
      // A message that no queue took is returned before it is confirmed.
      channel.on('return', () => reject(new Refused(`no queue takes events of ${EXCHANGE}: run \`hookline topology apply\``)));
    });
    failed.catch(() => {});
    const confirmed = new Promise((resolve, reject) => {
      channel.publish(EXCHANGE, options.type, body, options, (error) => (error ? reject(error) : setImmediate(resolve)));
    });
    await Promise.race([failed, confirmed]);
  } finally {
    await connection.close().catch(() => {});
  }
}

async function main() {
  const message = event(process.argv[2] ?? 'b_1');
  for (let attempt = 1; ; attempt += 1) {
    try {
      await publish(message);
      console.log(message.options.messageId);
      return;
    } catch (error) {
      if (error instanceof Refused) {
        throw error;
      }
      // Perhaps it is stored all the same. Again, with the same id.
      if (attempt === TRIES) {
        throw new Error(`not known to be stored: ${error.message}; try again with the same id`);
      }
      await sleep(attempt * 1000);
    }
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
