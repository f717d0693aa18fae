// validate.js FILE: reads an AsyncAPI document with the public parser, and prints one line of JSON: what is wrong with it, and what
// it describes.
'use strict';

const { readFileSync } = require('node:fs');
const { Parser } = require('@asyncapi/parser');

async function main(path) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(path, 'utf8'));
  const faults = diagnostics
    // 0 is an error, 1 a warning; what is below is taste.
    .filter(({ severity }) => severity <= 1)
    .map(({ code, message, path: at }) => `${code} at ${at.join('.')}: ${message}`);
  const channels = document ? document.channels().all() : [];
  console.log(
    JSON.stringify({
      faults,
      channels: channels.map((channel) => ({
        address: channel.address(),
        binding: channel.bindings().get('amqp')?.value(),
        messages: channel.messages().all().map((message) => ({
          id: message.id(),
          headers: message.headers()?.json(),
          payload: message.payload()?.json(),
          examples: message.examples().all().map((example) => ({ headers: example.headers(), payload: example.payload() })),
        })),
      })),
      operations: document ? document.operations().all().map((operation) => operation.id()) : [],
    }),
  );
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
