import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.env.WEBHOOK_SECRET;

function isGenuine(headers, body) {
  const wanted = Buffer.from("sha256=" + createHmac("sha256", secret).update(body).digest("hex"));
  const given = Buffer.from(headers["meeva-signature"] ?? "");
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts); // the raw bytes, before they are parsed
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end("wrong signature");
  const event = JSON.parse(body);
  console.log(event.id, event.type, event.data); // store it, and work on it later
  response.writeHead(200).end("ok");
}).listen(Number(process.env.PORT ?? 9000));
