// The console, a dispatcher and a receiver, for the time of the tests.
"use strict";
const { spawn, execFileSync } = require("node:child_process");
const { randomBytes } = require("node:crypto");
const { createServer } = require("node:http");
const path = require("node:path");

const folder = process.env.PROGRAMS_DIR;
const running = [];

// Every line of the log of what runs, so that a test that fails can show it.
const log = [];

function environment(more) {
  const kept = ["PATH", "HOME", "HOOKLINE_AMQP_URL", "HOOKLINE_DATABASE_URL", "HOOKLINE_MANAGEMENT_URL"];
  const own = Object.fromEntries(kept.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
  return { ...own, ...more };
}

async function start(program, more) {
  const child = spawn(path.join(folder, program), [], { env: environment(more), stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  const port = new Promise((found, failed) => {
    const read = (text) => {
      log.push(`${program}: ${text}`);
      const address = /address=?"?:?\s*"?127\.0\.0\.1:(\d+)/.exec(text);
      if (address) found(Number(address[1]));
    };
    child.stdout.on("data", (data) => read(String(data)));
    child.stderr.on("data", (data) => read(String(data)));
    child.on("exit", (code) => failed(new Error(`${program} ended with ${code}:\n${log.join("")}`)));
  });
  return port;
}

async function ready(port) {
  for (let tries = 0; tries < 300; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((next) => setTimeout(next, 100));
  }
  throw new Error(`nothing became ready on port ${port}:\n${log.join("")}`);
}

// A receiver whose next answers the test decides.
async function receiver() {
  const got = [];
  const state = { status: 200, headers: {}, body: "ok" };
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    got.push({ headers: request.headers, body: Buffer.concat(parts).toString() });
    response.writeHead(state.status, state.headers).end(state.body);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}/hooks`, got, state, close: () => server.close() };
}

async function everything() {
  const token = randomBytes(32).toString("hex");
  const settings = {
    HOOKLINE_NAMESPACE: `browser${process.pid}`,
    HOOKLINE_MASTER_KEY: randomBytes(32).toString("base64"),
    HOOKLINE_ADMIN_TOKEN: token,
    HOOKLINE_HTTP_ADDR: "127.0.0.1:0",
    HOOKLINE_ALLOW_HTTP: "true",
    HOOKLINE_ALLOW_CIDRS: "127.0.0.0/8",
    HOOKLINE_LOG_FORMAT: "text",
    RUST_LOG: "info",
  };
  const console = await start("hookline-console", settings);
  await ready(console);
  const { HOOKLINE_ADMIN_TOKEN: _, ...rest } = settings;
  await ready(await start("hookline-dispatcher", rest));
  // The dispatcher anew, with other settings.
  const restartDispatcher = async (more) => {
    const old = running.pop();
    const gone = new Promise((ended) => old.once("exit", ended));
    old.kill("SIGTERM");
    await gone;
    await ready(await start("hookline-dispatcher", { ...rest, ...more }));
  };
  const address = `http://127.0.0.1:${console}`;
  const signInLink = () => {
    const link = execFileSync(path.join(folder, "hookline-console"), ["sign-in-link"], {
      env: environment({ ...settings, HOOKLINE_PUBLIC_URL: address }),
    });
    return String(link).trim();
  };
  const api = async (method, route, body) => {
    const answer = await fetch(address + route, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  };
  // Waits until the dispatcher knows this endpoint, and so all that were registered before it: they hear of new ones a moment later.
  const known = (company, id) => api("POST", `/v1/companies/${company}/endpoints/${id}/test?wait=30s`, { type: "booking.created" });
  return { address, token, signInLink, api, known, restartDispatcher };
}

async function stop() {
  for (const child of running) child.removeAllListeners("exit").kill("SIGTERM");
  await Promise.all(running.map((child) => child.exitCode ?? new Promise((gone) => child.once("exit", gone))));
}

module.exports = { everything, receiver, stop, log };
