// Deliveries: found by a filter, kept up to date where they stand, looked into by keyboard, copied, sent again.
"use strict";
const assert = require("node:assert/strict");
const { receiver } = require("./programs.cjs");
const { look } = require("./look.cjs");
const { byLink } = require("./open.cjs");
const { PAYLOADS } = require("./hostile.cjs");

const HOSTILE = `<img src=x onerror=alert(1)><script>alert(2)</script>"'><svg onload=alert(3)> {{7*7}} javascript:alert(4)`;
const LIST = "/companies/shop/deliveries";

const rows = (page) => page.locator(".deliveries tbody tr").count();
const hasRows = (page, count) =>
  page.waitForFunction((wanted) => document.querySelectorAll(".deliveries tbody tr").length === wanted, count);
// Away from what is read, so that it moves.
const away = async (page) => {
  await page.mouse.move(5, 700);
  await page.evaluate(() => document.activeElement.blur());
};

async function publish(run, data) {
  const sent = await run.api("POST", "/v1/companies/shop/events", { type: "booking.created", data });
  return sent.id;
}

module.exports = async function deliveries(browser, run) {
  const [good, bad] = [await receiver(), await receiver()];
  Object.assign(bad.state, {
    // Not one that holds back what comes after it.
    status: 500,
    headers: { "content-type": "application/json", "x-why": "<b>busy</b>" },
    body: JSON.stringify({ error: HOSTILE, bidi: "\u202etxt", ansi: "\u001b[31m" }),
  });
  try {
    await watch(browser, run, good, bad);
    await withoutScripts(browser, run);
  } finally {
    good.close();
    bad.close();
  }
};

async function watch(browser, run, good, bad) {
  const { context, page, faults } = await byLink(browser, run);
  await page.goto(run.address + LIST);
  await page.waitForSelector(".empty");
  await look(page, "deliveries-none");
  const add = (id, description, url, more) =>
    run.api("POST", "/v1/companies/shop/endpoints", { id, description, url, ...more });
  await add("ep_bad", "Channel manager", bad.url + "?token=secret");
  await add("ep_good", "Calendar", good.url);
  await run.known("shop", "ep_good");
  await hasRows(page, 1);
  await add("ep_off", "Old CRM", good.url + "/old", { disabled: true, events: ["booking.cancelled"] });

  // It is kept up to date where it stands.
  await page.evaluate(() => (window.isTheSame = true));
  await page.waitForSelector("[data-renew-state][data-state=live]");
  const first = await publish(run, { guest: "Ada", note: HOSTILE, turned: "\u202eexe.txt" });
  await hasRows(page, 3);
  await page.waitForSelector(".deliveries .badge.warn");
  assert.ok(await page.evaluate(() => window.isTheSame));
  await look(page, "deliveries");

  // But not while somebody reads it.
  await page.hover(".deliveries tbody tr");
  await page.waitForSelector("[data-renew-state][data-state=held]");
  const second = await publish(run, { guest: "Grace" });
  await page.waitForSelector("[data-renew-state] button");
  assert.equal(await rows(page), 3);
  await page.click("text=Show what is new");
  await away(page);
  await hasRows(page, 5);
  await page.waitForSelector("[data-renew-state][data-state=live]");

  // Filters stand in the address, and are taken off one by one.
  await page.goto(run.address + LIST);
  await page.hover(".deliveries tbody tr");
  await look(page, "deliveries-read");
  await page.selectOption("#filter-status", "retrying");
  await page.selectOption("#filter-endpoint", "ep_bad");
  await page.keyboard.press("Escape");
  await page.click("button:text-is('Filter')");
  await page.waitForURL("**/deliveries?endpoint=ep_bad&status=retrying");
  assert.equal(await page.locator(".chip").count(), 2);
  await look(page, "deliveries-filtered");
  await page.click(".chip >> text=endpoint");
  await page.waitForURL("**/deliveries?status=retrying");
  await page.goto(run.address + LIST);
  await page.keyboard.press("/");
  await page.keyboard.type(second);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/deliveries?event=${second}`);
  await hasRows(page, 2);
  await page.click(".filter summary");
  await page.fill("#filter-since", "yesterday");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#fault-since:not(:empty)");
  assert.equal(await page.inputValue("#filter-since"), "yesterday");
  await look(page, "deliveries-wrong");
  await page.fill("#filter-since", "2020-01-01 10:00");
  await page.keyboard.press("Enter");
  await page.waitForURL(/since=2020-01-01T10%3A00%3A00Z$/);
  await page.goto(`${run.address}${LIST}?event=evt_nobody`);
  await look(page, "deliveries-no-match");

  // Into one by keyboard: it counts down, and its attempts open and close.
  await page.goto(`${run.address}${LIST}?endpoint=ep_bad&event=${first}`);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/deliveries/${first}/ep_bad`);
  const left = await page.textContent(".verdict time");
  await page.waitForFunction((was) => document.querySelector(".verdict time").textContent !== was, left);
  assert.match(await page.textContent("#delivery"), /<img src=x onerror=alert\(1\)>/);
  assert.equal(await page.locator("#delivery img, #delivery script, #delivery svg, #delivery b, #body img, #body script").count(), 0);
  const summary = page.locator(".timeline summary").first();
  assert.ok(await page.locator(".timeline details").first().evaluate((details) => details.open));
  await look(page, "delivery-retrying");
  await summary.focus();
  await page.keyboard.press("Enter");
  assert.ok(!(await page.locator(".timeline details").first().evaluate((details) => details.open)));
  await page.keyboard.press("Enter");

  // Copied is what is seen.
  await page.click("text=Copy as curl");
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, await page.textContent("#curl code"));
  assert.match(copied, /^curl --globoff/);
  assert.ok(!copied.includes("secret"));

  // What was delivered is sent again, and comes to stand there by itself.
  await page.goto(`${run.address}${LIST}/${second}/ep_good`);
  await look(page, "delivery-delivered");
  const before = good.got.length;
  await page.click("text=Send again");
  await page.waitForSelector(".notice.good");
  await away(page);
  await page.waitForFunction(() => document.querySelectorAll(".timeline details").length === 2);
  assert.equal(good.got.length, before + 1);
  assert.equal(good.got.at(-1).headers["webhook-id"], second);
  await look(page, "delivery-sent-again");

  // What failed for good is retried once its endpoint can be sent to.
  const failed = (await run.api("POST", "/v1/companies/shop/events", { type: "booking.cancelled", data: { reason: "storm" } })).id;
  await page.goto(`${run.address}${LIST}?endpoint=ep_off&event=${failed}`);
  await away(page);
  await page.waitForSelector(".deliveries .badge.bad");
  await page.click("[data-row]");
  await page.waitForSelector("text=its endpoint, which is paused");
  await look(page, "delivery-failed-paused");
  await page.click("a:text-is('resumed')");
  await page.click("button:text-is('Resume')");
  await page.click("main >> text=Deliveries");
  await page.waitForURL("**/deliveries?endpoint=ep_off");
  await page.click("[data-row]");
  await page.waitForSelector("button:text-is('Retry')");
  await page.waitForSelector("text=The endpoint is on again");
  assert.ok(!(await page.isVisible("text=Copy as curl")), "nothing was sent that could be sent once more");
  await look(page, "delivery-failed");
  await page.focus("button:text-is('Retry')");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".notice.good");
  await away(page);
  await page.waitForSelector(".verdict .badge.good");
  await page.click("text=Copy as curl");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.textContent("#delivery #curl code"));

  await hostile(page, run, bad);

  // A large one is shown in its beginning, and taken along whole.
  const large = await publish(run, { lines: Array.from({ length: 2_500 }, (_, number) => `line ${number} "of" many <&>`) });
  await page.goto(`${run.address}${LIST}?endpoint=ep_good&event=${large}`);
  await away(page);
  await page.waitForSelector(".deliveries .badge.good");
  await page.click("[data-row]");
  await page.waitForSelector("text=Download all of it");
  await look(page, "delivery-large");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download all of it")]);
  assert.equal(download.suggestedFilename(), `${large}.json`);

  // The ways to it.
  await page.goto(run.address + "/companies/shop/endpoints/ep_good/test");
  await page.click("button:has-text('Send booking.created')");
  await page.waitForSelector(".answer .badge.good", { timeout: 40_000 });
  await page.click("text=its delivery");
  await page.waitForURL(/deliveries\?event=evt_/);
  await hasRows(page, 1);

  // Whoever is signed out meanwhile is told, and what stood there stays.
  await away(page);
  await context.clearCookies();
  await page.waitForSelector("[data-renew-state][data-state=lost]:has-text('You are signed out')");
  await hasRows(page, 1);
  assert.deepEqual(faults, []);
  await context.close();
}

// Whatever is sent and answered is text, on the pages of its delivery and of its failure, and in the list.
async function hostile(page, run, bad) {
  const was = { ...bad.state };
  Object.assign(bad.state, { headers: { "x-why": "<b>busy</b>" }, body: PAYLOADS.slice(0, 20).join("\n") });
  const sent = await publish(run, { payloads: PAYLOADS });
  await page.goto(`${run.address}${LIST}?endpoint=ep_bad&event=${sent}`);
  await away(page);
  await page.waitForSelector(".deliveries .badge.warn");
  await page.click("[data-row]");
  await page.waitForSelector(".timeline details");
  const shown = await page.textContent("main");
  for (const payload of PAYLOADS.slice(0, 27)) assert.ok(shown.includes(JSON.stringify(payload)), payload);
  assert.ok(shown.includes("<U+202E>gnp.exe <U+2066>hidden"), "what turns text is seen");
  assert.ok(shown.includes("</title><script>alert(1)</script>"), "what was answered is text");
  const foreign = "main :is(img, script, svg, iframe, object, base, meta, link, style, math, b, [onerror], [onload], [onfocus])";
  assert.equal(await page.locator(foreign).count(), 0);
  assert.equal(await page.locator("main a[href^='javascript' i], main form:not([action^='/'])").count(), 0);
  Object.assign(bad.state, was);
}

// All of it can be read, and sent again, by a browser that runs no script.
async function withoutScripts(browser, run) {
  const { context, page } = await byLink(browser, run, { javaScriptEnabled: false });
  await page.goto(run.address + LIST);
  assert.match(await page.textContent(".live"), /As of \d\d:\d\d:\d\d UTC/);
  await page.selectOption("#filter-endpoint", "ep_bad");
  await page.click("button:text-is('Filter')");
  await page.waitForURL("**/deliveries?endpoint=ep_bad");
  await page.click("[data-row] >> nth=0");
  assert.match(await page.textContent(".verdict"), /(in \d+|is due now|was due)/);
  await page.click(".timeline summary >> nth=0");
  await page.screenshot({ path: "target/screenshots/delivery-without-scripts.png", fullPage: true });
  await page.goto(`${run.address}${LIST}?endpoint=ep_good`);
  await page.click("[data-row] >> nth=0");
  await page.click(".trail a");
  await page.waitForURL("**/deliveries");
  await context.close();
}
