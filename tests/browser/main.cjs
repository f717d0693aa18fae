// Every page and every action of the dashboard, as people do them.
"use strict";
const assert = require("node:assert/strict");
const { chromium } = require("playwright-core");
const { everything, receiver, stop, log } = require("./programs.cjs");
const { look, seen } = require("./look.cjs");
const { byLink, open } = require("./open.cjs");
const overview = require("./overview.cjs");
const failed = require("./failed.cjs");
const certify = require("./certify.cjs");
const deliveries = require("./deliveries.cjs");
const byKeyboard = require("./by_keyboard.cjs");

const HOSTILE = `<img src=x onerror=alert(1)><script>alert(2)</script>"'><svg onload=alert(3)> {{7*7}} javascript:alert(4)`;

const heading = (page) => page.locator("main h1").first().textContent();

async function asOperator(browser, run) {
  const { context, page, faults } = await open(browser);
  await page.goto(run.address + "/companies/acme/endpoints");
  assert.match(page.url(), /\/sign-in\?next=/);
  await look(page, "sign-in");
  await page.fill("#token", "wrong-token-wrong-token");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".notice.bad");
  await page.fill("#token", run.token);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/companies/acme/endpoints");
  await look(page, "endpoints-empty");

  // Keyboard: what keys there are, and the theme.
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  await look(page, "keys");
  await page.keyboard.press("Escape");
  await page.click("[data-theme-switch]");
  await page.click("[data-theme-switch]");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.click("[data-theme-switch]");

  // Add: the guard speaks while one types.
  await page.click("text=Add the first one");
  await page.fill("#url", "https://10.0.0.1/hooks");
  await page.waitForFunction(() => document.querySelector("#url-fault").textContent.includes("10.0.0.1"));
  await look(page, "endpoint-add-refused");
  // What it said is gone as soon as another letter is typed.
  const stale = await page.evaluate(() => {
    document.querySelector("#url").dispatchEvent(new Event("input"));
    return document.querySelector("#url-fault").textContent;
  });
  assert.equal(stale, "");
  await page.click("button:text-is('Add endpoint')");
  await page.waitForSelector("#url-fault:not(:empty)");
  assert.equal(await page.inputValue("#url"), "https://10.0.0.1/hooks");
  await page.fill("#url", run.receiver.url);
  await page.check("input[name=format][value=meetergo]");
  await page.check("input[name=which][value=some]");
  await page.locator(".picker .choice", { hasText: "booking_created" }).locator("input").check();
  await page.click("[data-add-header]");
  await page.locator("input[name=header_name]").first().fill("x-team");
  await page.locator("input[name=header_value]").first().fill("crm");
  await page.fill("#description", "CRM");
  await page.fill("#rate", "50/s");
  await look(page, "endpoint-add");
  await page.click("button:text-is('Add endpoint')");
  await page.waitForSelector("h1:text-is('Endpoint added')");
  const secret = (await page.locator(".copyable code").first().textContent()).trim();
  assert.match(secret, /^whsec_/);
  await page.click("[aria-label='Copy the secret']");
  await page.waitForSelector("[aria-label='Copy the secret']:text-is('Copied')");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  await look(page, "endpoint-added");
  for (const language of ["Python", "PHP", "Go", "Rust"]) {
    await page.click(`.tab-row label:text-is('${language}')`);
    assert.ok(await page.locator(`.snippet-${language.toLowerCase()}`).isVisible(), language);
  }

  // Test event: it is answered, and then it is not.
  await page.click("main >> text=Send test event");
  await look(page, "test-event");
  await page.click("button:has-text('Send booking_created')");
  await page.waitForSelector(".answer .badge.good", { timeout: 40_000 });
  assert.equal(run.receiver.got.length, 1);
  assert.equal(JSON.parse(run.receiver.got[0].body).event, "booking_created");
  assert.equal(run.receiver.got[0].headers["x-team"], "crm");
  await look(page, "test-event-delivered");
  Object.assign(run.receiver.state, { status: 503, body: JSON.stringify({ error: HOSTILE, bidi: "\u202etxt", ansi: "\u001b[31m" }), headers: { "x-why": "<b>busy</b>" } });
  await page.click("button:has-text('Send booking_created')");
  await page.waitForSelector(".answer .badge.bad", { timeout: 40_000 });
  assert.match(await page.textContent(".answer"), /not available for now \(503\)/);
  assert.match(await page.textContent(".answer"), /<script>alert\(2\)/);
  assert.equal(await page.locator(".answer img, .answer script, .answer svg, .answer b").count(), 0);
  await look(page, "test-event-failed");
  Object.assign(run.receiver.state, { status: 200, body: "ok", headers: {} });

  // One endpoint: pause, resume, edit, secret, rotate, complete.
  await page.click(".trail a >> nth=1");
  await look(page, "endpoint");
  await page.click("button:text-is('Pause')");
  await page.waitForSelector(".badge.idle");
  await page.click("button:text-is('Resume')");
  await page.waitForSelector(".badge.good");
  assert.match(await page.textContent(".facts"), /no events \(test events do not count\)/);
  await page.click("main >> text=Edit");
  assert.ok(await page.locator(".picker .choice", { hasText: "booking_created" }).locator("input").isChecked());
  await page.fill("#description", HOSTILE);
  await look(page, "endpoint-edit");
  await page.click("button:text-is('Save')");
  await page.waitForSelector(".notice.good");
  assert.equal((await heading(page)).trim(), HOSTILE);
  await look(page, "endpoint-hostile");
  await page.click("main >> text=Edit");
  await page.fill("#description", "CRM");
  await page.click("button:text-is('Save')");
  await page.waitForSelector(".notice.good");
  await page.click("text=Show secret and code");
  await page.click("text=Show the secret");
  assert.equal((await page.locator(".copyable code").first().textContent()).trim(), secret);
  await look(page, "secret");
  await page.click(".trail a >> nth=1");
  await page.click("main >> text=Rotate secret");
  await look(page, "rotate");
  await page.click("button:text-is('Rotate secret')");
  await page.waitForSelector("h2:text-is('The new secret')");
  await look(page, "rotated");
  await page.click("main >> text=To the endpoint");
  await page.waitForSelector(".notice.warn");
  await look(page, "endpoint-rotating");
  await page.click("main >> text=End the old secret now…");
  await page.waitForSelector("h1:text-is('End the old secret now?')");
  await look(page, "rotate-end");
  await page.click("button:text-is('End the old secret')");
  await page.waitForSelector(".notice.good");

  // As many as there may be.
  for (let number = 2; number <= 6; number += 1) {
    await run.api("POST", "/v1/companies/acme/endpoints", { url: `https://team${number}.example.com/hooks`, events: number % 2 ? ["booking.*"] : [], disabled: number === 4 });
  }
  await page.click(".menu >> text=Endpoints");
  await page.waitForURL("**/endpoints");
  assert.match(await page.textContent(".notice.warn"), /6 endpoints/);
  await page.goto(run.address + "/companies/acme/endpoints/new");
  assert.equal(await page.locator("#url").count(), 0);
  await look(page, "endpoint-add-full");
  await page.click("text=To the endpoints");
  await page.waitForURL("**/endpoints");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await look(page, "endpoints-full");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Remove endpoint");
  await page.click("text=Remove endpoint");
  await look(page, "endpoint-remove");
  await page.click("text=Remove for good");
  await page.waitForSelector(".notice.good");
  assert.equal(await page.locator("tbody tr").count(), 5);

  // Reference and guide.
  await page.click(".menu >> text=Event types");
  await page.waitForURL("**/reference");
  await page.keyboard.press("/");
  await page.keyboard.type("form");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr:not([hidden])").length === 1);
  await page.fill("#filter", "");
  await look(page, "reference");
  await page.click(".tabs >> text=meetergo-flat");
  await page.click("text=booking_created");
  await look(page, "event-type");
  await page.click("text=How to verify a request");
  await look(page, "guide-verify");
  await page.click(".tabs >> text=Retries");
  await look(page, "guide-retries");

  // The operator's pages.
  await page.click(".menu >> text=API tokens");
  await page.fill("#name", "booking service");
  await page.click("text=Make a token");
  assert.match((await page.locator(".copyable code").first().textContent()).trim(), /^hkl_/);
  await look(page, "token-made");
  await page.click("main >> text=Done");
  await look(page, "tokens");
  await page.click("tbody >> text=Revoke");
  await look(page, "token-revoke");
  await page.click("text=Revoke for good");
  await page.waitForSelector(".notice.good");
  await page.click(".menu >> text=Audit");
  await look(page, "audit");
  await page.click(".menu >> text=Portal link");
  await page.click("text=Make a link");
  const link = (await page.locator(".copyable code").first().textContent()).trim();
  await look(page, "portal-link");
  await page.click('.menu >> text="Companies"');
  await look(page, "companies");
  await page.fill("#company", "nobody");
  await page.click("button:text-is('Search')");
  await page.waitForSelector(".empty");
  await page.click(".chip");
  await page.goto(run.address + "/companies/acme/endpoints/ep_nobody");
  await look(page, "not-found");
  await page.click("text=Sign out");
  await page.waitForSelector(".notice.good");
  assert.deepEqual(faults, []);
  await context.close();
  return link;
}

async function asCompany(browser, run, link) {
  const { context, page, faults } = await byLink(browser, run, {}, link);
  await page.waitForURL("**/companies/acme/overview");
  await page.click(".menu >> text=Endpoints");
  await page.waitForURL("**/companies/acme/endpoints");
  assert.equal(await page.locator(".menu >> text=API tokens").count(), 0);
  await look(page, "portal-endpoints");
  for (const [path, status] of [["/companies/globex/endpoints", 404], ["/companies/acme/tokens", 403], ["/companies", 404]]) {
    assert.equal((await page.goto(run.address + path)).status(), status, path);
  }
  assert.equal((await page.goto(link)).status(), 410);
  await look(page, "link-over");
  assert.deepEqual(faults, []);
  await context.close();
}

// The way to a delivered test event, with a browser that runs no script.
async function withoutScripts(browser, run) {
  const { context, page } = await byLink(browser, run, { javaScriptEnabled: false });
  await page.goto(run.address + "/companies/plain/endpoints/new");
  await page.fill("#url", "http://localhost/");
  await page.click("button:text-is('Add endpoint')");
  assert.ok((await page.textContent("#url-fault")).length > 10);
  await page.fill("#url", run.receiver.url);
  await page.screenshot({ path: "target/screenshots/without-scripts.png", fullPage: true });
  await page.click("button:text-is('Add endpoint')");
  await page.click("main >> text=Send test event");
  await page.click("button:has-text('Send booking.created')");
  await page.waitForSelector(".answer .badge.good", { timeout: 40_000 });
  await context.close();
}

async function endpoints(browser, run) {
  const link = await asOperator(browser, run);
  await asCompany(browser, run, link);
  await withoutScripts(browser, run);
}

// Those last that restart the dispatcher with a schedule of their own.
const PARTS = { endpoints, overview, deliveries, certify, failed, keyboard: byKeyboard };

async function main() {
  const run = await everything();
  run.receiver = await receiver();
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  try {
    for (const [name, part] of Object.entries(PARTS)) {
      if (!process.env.PART || process.env.PART === name) await part(browser, run);
    }
  } finally {
    await browser.close();
    run.receiver.close();
  }
  process.stdout.write(`${seen.length} pages looked at, in light, dark and at 390 px: target/screenshots/\n`);
}

main()
  .catch((error) => {
    process.stderr.write(`${error.stack}\n--- the programs said\n${log.slice(-30).join("")}`);
    process.exitCode = 1;
  })
  .finally(stop);
