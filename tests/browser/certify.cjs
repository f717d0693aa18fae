// Certify: a booking's life is played against a good and a bad receiver, by keyboard, and the result is read.
"use strict";
const assert = require("node:assert/strict");
const { createHmac, timingSafeEqual } = require("node:crypto");
const { createServer } = require("node:http");
const { look } = require("./look.cjs");
const { byLink } = require("./open.cjs");
const { follow, to } = require("./keys.cjs");

const HOSTILE = `<img src=x onerror=alert(1)><script>alert(2)</script>"'><svg onload=alert(3)> \u202etxt \u001b[31m`;

// Takes what is signed with the secret and young; answers 401 to all else. Without a secret it takes everything.
async function partner(answer) {
  const state = { secret: null, count: 0 };
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    state.count += 1;
    response.writeHead(holds(state.secret, request.headers, Buffer.concat(parts)) ? 200 : 401).end(answer);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { state, url: `http://127.0.0.1:${server.address().port}/hooks`, close: () => server.close() };
}

function holds(secret, headers, body) {
  if (!secret) return true;
  const [id, at, signatures] = ["id", "timestamp", "signature"].map((name) => headers[`webhook-${name}`] ?? "");
  if (Math.abs(Date.now() / 1000 - Number(at)) > 300) return false;
  const mac = createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64"));
  const wanted = Buffer.from("v1," + mac.update(`${id}.${at}.`).update(body).digest("base64"));
  return signatures.split(" ").some((one) => one.length === wanted.length && timingSafeEqual(Buffer.from(one), wanted));
}

module.exports = async function certify(browser, run) {
  const [good, bad] = [await partner("ok"), await partner(HOSTILE)];
  try {
    await play(browser, run, good, bad);
    await withoutScripts(browser, run, good);
  } finally {
    good.close();
    bad.close();
  }
};

async function play(browser, run, good, bad) {
  const add = (id, description, url, more) => run.api("POST", "/v1/companies/partner/endpoints", { id, description, url, ...more });
  good.state.secret = (await add("ep_good", "Calendar", good.url)).secret;
  await add("ep_bad", "Old CRM", bad.url, { format: "meetergo" });
  const { url: link } = await run.api("POST", "/v1/companies/partner/portal-links", {});
  const { context, page, faults } = await byLink(browser, run, {}, run.address + new URL(link).pathname);

  // From the endpoint's page, by keyboard alone.
  await page.goto(run.address + "/companies/partner/endpoints/ep_good");
  await follow(page, "Certify");
  await look(page, "certify");
  await follow(page, "Certify");
  await page.waitForSelector("#certificate .badge.warn:text-is('being certified')");
  await page.waitForSelector("#certificate progress");
  await page.waitForSelector("[data-renew-state]");
  await look(page, "certify-under-way");
  // It comes to its end without a reload.
  await page.evaluate(() => (window.isTheSame = true));
  const verdict = page.locator("#certificate .verdict .badge", { hasText: /passed/ });
  await verdict.waitFor({ timeout: 60_000 });
  assert.equal(await verdict.textContent(), "passed", await page.innerText("#certificate"));
  assert.ok(await page.evaluate(() => window.isTheSame));
  assert.equal(await page.locator("[data-renew-state]").count(), 0, "nothing is live any more");
  assert.equal(await page.locator(".check").count(), 11);
  assert.equal(await page.locator(".check .badge.good").count(), 11);
  assert.equal(good.state.count, 34);
  await look(page, "certified");
  await page.reload();
  await to(page, "passed A booking's life: made, moved, cancelled");
  await page.keyboard.press("Enter");
  assert.ok(await page.locator("#check-life").evaluate((check) => check.open));
  assert.equal(await page.locator("#check-life tbody tr").count(), 3);
  await look(page, "certified-open");

  // One that takes everything and says evil things; it is said to verify, so that forged requests are tried.
  await page.goto(run.address + "/companies/partner/endpoints/ep_bad/test");
  await page.click("main >> text=Certify");
  await page.waitForURL("**/certify");
  await page.check("input[name=verifies]");
  await page.click("button:text-is('Certify')");
  await page.waitForSelector("#certificate .verdict .badge.bad:text-is('not passed')", { timeout: 60_000 });
  assert.ok(await page.locator("#check-bad_signature").evaluate((check) => check.open));
  assert.ok(await page.isChecked("input[name=verifies]"), "as it was played");
  assert.match(await page.textContent("#check-bad_signature"), /<script>alert\(2\)/);
  assert.equal(await page.locator("#certificate img, #certificate script, #certificate svg").count(), 0);
  await look(page, "certified-not");
  assert.deepEqual(faults, []);
  await context.close();
}

async function withoutScripts(browser, run, good) {
  const { context, page } = await byLink(browser, run, { javaScriptEnabled: false });
  await page.goto(run.address + "/companies/partner/endpoints/ep_good/certify");
  await page.click("button:text-is('Certify again')");
  for (let looks = 0; looks < 120 && (await page.locator("text=Look again").count()); looks += 1) {
    await new Promise((next) => setTimeout(next, 500));
    await page.click("text=Look again", { timeout: 2_000 }).catch(() => page.reload());
  }
  await page.waitForSelector("#certificate .verdict .badge.good");
  assert.equal(good.state.count, 68);
  await context.close();
}
