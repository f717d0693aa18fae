// Signs and verifies with the library that the first argument names. Each line on stdin is a question, each on stdout
// its answer:
//   {"secret", "id", "timestamp", "body"}                to sign    {"signature"}
//   {"secret", "id", "timestamp", "body", "signature"}   to verify  {"verified": true or false}
// The body is in base64, so that every byte arrives.
'use strict';

const readline = require('node:readline');

const { Webhook, WebhookVerificationError } = require(process.argv[2]);

function verified(webhook, question, body) {
  const headers = {
    'webhook-id': question.id,
    'webhook-timestamp': question.timestamp,
    'webhook-signature': question.signature,
  };
  try {
    webhook.verify(body, headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) {
      return false;
    }
    throw error;
  }
}

function answer(question) {
  const webhook = new Webhook(question.secret);
  const body = Buffer.from(question.body, 'base64');
  if (question.signature) {
    return { verified: verified(webhook, question, body) };
  }
  return { signature: webhook.sign(question.id, new Date(Number(question.timestamp) * 1000), body.toString()) };
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`);
});
