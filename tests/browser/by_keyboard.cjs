// The whole way by keyboard alone: a company's developer comes by a link, registers, tries, sees a delivery, fails, mends, retries
// and clears up; then the operator does what only operators do.
"use strict";
const assert = require("node:assert/strict");
const { receiver } = require("./programs.cjs");
const { look } = require("./look.cjs");
const { byLink, open } = require("./open.cjs");
const { follow, press, to, type } = require("./keys.cjs");

const COMPANY = "harbour";
const PATH = `/companies/${COMPANY}`;

const copied = (page) => page.evaluate(() => navigator.clipboard.readText());
const has = (page, selector) => page.waitForSelector(selector, { timeout: 60_000 });

module.exports = async function byKeyboard(browser, run) {
  // One retry, a second later: what fails has failed for good soon.
  await run.restartDispatcher({ HOOKLINE_RETRY_SCHEDULE: "1s" });
  const target = await receiver();
  try {
    const { url } = await run.api("POST", `/v1${PATH}/portal-links`, {});
    const { context, page, faults } = await byLink(browser, run, {}, url);
    await register(page, target);
    const event = await failAndRetry(page, run, target);
    await find(page, event);
    await many(page, run, target);
    await lookAfter(page);
    await read(page);
    await follow(page, "Sign out");
    await has(page, ".notice.good");
    assert.deepEqual(faults, []);
    await context.close();
    await asOperator(browser, run);
  } finally {
    target.close();
  }
};

async function register(page, target) {
  assert.match(await page.textContent(".verdict-line"), /No endpoint is registered yet/);
  await follow(page, "Add the first endpoint");
  await type(page, "#url", "https://10.0.0.1/");
  await page.waitForFunction(() => document.querySelector("#url-fault").textContent.includes("10.0.0.1"));
  await type(page, "#url", target.url);
  // Radio buttons are one stop, and arrows choose: the last of four.
  await to(page, "[name=format]");
  for (let down = 0; down < 3; down += 1) await page.keyboard.press("ArrowDown");
  assert.equal(await page.inputValue("[name=format]:checked"), "standard");
  await to(page, "[name=which]");
  await page.keyboard.press("ArrowDown");
  await press(page, "[name=event][value='booking.created']", "Space");
  await type(page, "#description", "Harbour desk");
  await follow(page, "Add endpoint");
  await press(page, "Copy the secret");
  await page.waitForFunction(() => document.querySelector("[aria-label='Copy the secret']").textContent === "Copied");
  assert.match(await copied(page), /^whsec_[A-Za-z0-9+/=]{44}$/);
  await to(page, "#language-node");
  await page.keyboard.press("ArrowRight");
  assert.ok(await page.locator(".snippet-python").isVisible());

  await follow(page, "Send test event");
  await press(page, "Send booking.created");
  await has(page, ".answer .badge.good");
  assert.equal(target.got.length, 1);
  // Focus stayed where it was, so that one can send another at once.
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("[data-live-state]").textContent === "" && document.querySelector(".answer .badge.good"));
  assert.equal(target.got.length, 2);
  await follow(page, "its delivery");
  await has(page, "[data-row]");
  await page.keyboard.press("j");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.match(await page.textContent(".verdict"), /Delivered/);
}

async function failAndRetry(page, run, target) {
  target.state.status = 500;
  const { id } = await run.api("POST", `/v1${PATH}/events`, { type: "booking.created", data: { guest: "Ada" } });
  await follow(page, "Deliveries");
  await has(page, ".deliveries .badge.bad");
  await page.keyboard.press("j");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.match(page.url(), new RegExp(`/deliveries/${id}/`));
  assert.match(await page.textContent("#delivery"), /Failed for good after 2 attempts\.\s*The endpoint.s server failed while it handled the event \(500\)/);
  await press(page, ".timeline summary");
  target.state.status = 200;
  await follow(page, "Retry");
  await has(page, ".verdict .badge.good");
  assert.match(await page.textContent(".verdict"), /after 3 attempts/);
  await press(page, "Copy as curl");
  await page.waitForFunction(() => [...document.querySelectorAll("button")].some((button) => button.textContent === "Copied"));
  assert.match(await copied(page), /^curl --globoff/);
  const before = target.got.length;
  await follow(page, "Send again");
  await has(page, ".notice.good");
  await page.waitForFunction(() => document.querySelectorAll(".timeline details").length === 4, null, { timeout: 60_000 });
  assert.equal(target.got.length, before + 1);
  assert.equal(target.got.at(-1).headers["webhook-id"], id);
  return id;
}

async function find(page, event) {
  await follow(page, "Deliveries");
  await page.keyboard.press("/");
  await page.keyboard.type(event);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/deliveries?event=${event}`);
  await to(page, "#filter-status");
  await page.keyboard.type("fail");
  await follow(page, "Filter");
  assert.match(page.url(), /status=failed/);
  await has(page, ".empty");
  await follow(page, ".chip");
  assert.equal(await page.locator(".chip").count(), 1);
}

async function many(page, run, target) {
  target.state.status = 500;
  for (let number = 0; number < 4; number += 1) {
    await run.api("POST", `/v1${PATH}/events`, { type: "booking.created", data: { number } });
  }
  const failed = async () => (await run.api("GET", `/v1${PATH}/failed`)).data.length;
  while ((await failed()) < 4) await new Promise((next) => setTimeout(next, 100));
  await follow(page, "Failed");
  assert.match(await page.textContent(".problem"), /Harbour desk answers 500 since/);
  target.state.status = 200;
  // One, by its own button: it is under way at once, and followed to its end.
  await follow(page, "[name=one]");
  await has(page, "text=It was delivered");
  await follow(page, "Back to failed deliveries");
  // Another one is not wanted any more.
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await follow(page, "Discard selected…");
  await follow(page, "Discard 1 delivery for good");
  await has(page, ".notice.good:has-text('Discarded: 1 delivery.')");
  // And all that are left.
  await follow(page, "Retry all…");
  await has(page, "text=This sends 2 failed deliveries again");
  await follow(page, "Retry 2 deliveries");
  await has(page, "text=All of them were delivered");
  await follow(page, "Back to failed deliveries");
  await has(page, ".empty:has-text('Nothing has failed for good')");
}

async function lookAfter(page) {
  await follow(page, "Endpoints");
  await page.keyboard.press("j");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await follow(page, "Pause");
  await has(page, ".badge.idle");
  await follow(page, "Resume");
  await has(page, ".badge.good");
  await follow(page, "Edit");
  await type(page, "#rate", "20/s");
  await page.keyboard.press("Enter");
  await has(page, "dd:text-is('20/s')");
  await follow(page, "Show secret and code");
  await follow(page, "Show the secret");
  await has(page, ".copyable code:has-text('whsec_')");
  await follow(page, "Harbour desk");
  await follow(page, "Rotate secret");
  await to(page, "[name=overlap]");
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.inputValue("[name=overlap]:checked"), "1h");
  await follow(page, "Rotate secret");
  await has(page, "h2:text-is('The new secret')");
  await follow(page, "End the old secret now…");
  await has(page, "h1:text-is('End the old secret now?')");
  await follow(page, "End the old secret");
  await has(page, ".notice.good");
  await follow(page, "Remove endpoint");
  await follow(page, "Keep it");
  await follow(page, "Remove endpoint");
  await follow(page, "Remove for good");
  await has(page, ".notice.good");
}

async function read(page) {
  await follow(page, "Event types");
  await page.keyboard.press("/");
  await page.keyboard.type("cancel");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr:not([hidden])").length === 1);
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await follow(page, "Verify and retries");
  await follow(page, "Retries");
  await follow(page, "Overview");
  await press(page, "#amounts > summary");
  assert.ok(await page.locator("#amounts table").isVisible());
  await follow(page, "Last 24 hours");
  await follow(page, "Audit");
  for (const deed of ["Endpoint removed", "Rotation completed", "Secret rotated", "Secret shown", "Failed deliveries discarded", "Failed deliveries retried", "Event sent again", "Endpoint added", "Portal opened"]) {
    assert.equal(await page.locator(`th:text-is('${deed}')`).first().isVisible(), true, deed);
  }
}

async function asOperator(browser, run) {
  const { context, page, faults } = await open(browser);
  await page.goto(run.address + "/");
  await type(page, "#token", run.token);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/overview");
  await follow(page, "Companies");
  await page.keyboard.press("/");
  await page.keyboard.type(COMPANY);
  await follow(page, "Open by exact name");
  await follow(page, "API tokens");
  await type(page, "#name", "desk");
  await follow(page, "Make a token");
  await press(page, "Copy the token");
  await page.waitForFunction(() => document.querySelector("[aria-label='Copy the token']").textContent === "Copied");
  assert.match(await copied(page), /^hkl_/);
  await follow(page, "Done");
  await follow(page, "Revoke desk");
  await follow(page, "Revoke for good");
  await has(page, ".notice.good");
  await follow(page, "Portal link");
  await follow(page, "Make a link");
  await press(page, "Copy the link");
  await page.waitForFunction(() => document.querySelector("[aria-label='Copy the link']").textContent === "Copied");
  assert.match(await copied(page), /\/enter\//);
  // The list of keys opens, closes, and gives focus back.
  await page.keyboard.press("?");
  await has(page, "dialog[open]");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("dialog[open]"));
  await press(page, "[data-theme-switch]");
  await press(page, "[data-theme-switch]");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await look(page, "portal-link-dark-chosen");
  await follow(page, "Sign out");
  assert.deepEqual(faults, []);
  await context.close();
}
