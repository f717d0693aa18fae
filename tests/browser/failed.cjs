// What failed: problems, picked and retried by keyboard, followed on its page, retried by filter, resumed first, discarded.
"use strict";
const assert = require("node:assert/strict");
const { receiver } = require("./programs.cjs");
const { look } = require("./look.cjs");
const { byLink } = require("./open.cjs");

const COMPANY = "northwind";
const EVENTS = 14;
const HOSTILE = `<img src=x onerror=alert(1)><script>alert(2)</script>"'> \u202e`;

async function until(what, check) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await check()) return;
    await new Promise((next) => setTimeout(next, 100));
  }
  throw new Error(`waited in vain: ${what}`);
}

// The same by keyboard alone: the control is focused, and a key does it.
async function press(page, selector, key = "Enter") {
  await page.locator(selector).first().focus();
  await page.keyboard.press(key);
}

module.exports = async function failed(browser, run) {
  await run.restartDispatcher({ HOOKLINE_RETRY_SCHEDULE: "1s" });
  const receivers = [await receiver(), await receiver(), await receiver()];
  try {
    await asOperator(browser, run, receivers);
    await withoutScripts(browser, run, receivers[1]);
  } finally {
    for (const one of receivers) one.close();
  }
};

async function asOperator(browser, run, [crm, billing, gone]) {
  // Not 503, after which a dispatcher sends far slower.
  crm.state.status = 500;
  gone.close();
  const register = (body) => run.api("POST", `/v1/companies/${COMPANY}/endpoints`, body);
  const { page, context, faults } = await byLink(browser, run);
  const list = `${run.address}/companies/${COMPANY}/failed`;
  await page.goto(list);
  await page.waitForSelector(".empty");
  await look(page, "failed-empty");

  await register({ url: crm.url, description: "CRM" });
  const old = await register({ url: gone.url, description: "Old warehouse" });
  const paused = await register({ url: billing.url, description: "Billing", disabled: true });
  await run.known(COMPANY, paused.id);
  for (let number = 0; number < EVENTS; number += 1) {
    await run.api("POST", `/v1/companies/${COMPANY}/events`, {
      type: number % 3 ? "booking.created" : "booking.cancelled",
      data: { booking: { id: `b_${number}`, note: HOSTILE } },
    });
  }
  await until("all of it has failed", async () => {
    const problems = await run.api("GET", `/v1/companies/${COMPANY}/problems`);
    return problems.data.reduce((sum, problem) => sum + problem.failed, 0) === 3 * EVENTS;
  });
  await page.reload();
  const problems = await page.locator(".problem").allTextContents();
  assert.equal(problems.length, 3, problems.join("\n"));
  assert.ok(problems.some((text) => /CRM answers 500 since \d\d:\d\d UTC · 14 deliveries failed for good/.test(text)), problems.join("\n"));
  assert.ok(problems.some((text) => /Billing is paused/.test(text)), problems.join("\n"));
  assert.ok(problems.some((text) => /Old warehouse takes no connection/.test(text)), problems.join("\n"));
  await look(page, "failed");

  // One of them: why, and what is kept of it.
  await page.locator("a[data-row]").first().click();
  await page.waitForSelector("h2:text-is('Data of the event')");
  assert.equal(await page.locator("main img, main script").count(), 0);
  await look(page, "failed-one");
  await page.click(".trail a");

  // Two by keyboard alone.
  await page.selectOption("#endpoint", { label: "CRM" });
  await press(page, "button:text-is('Filter')");
  await page.waitForSelector(".chip");
  assert.match(page.url(), /endpoint=/);
  for (let number = 0; number < 2; number += 1) {
    await page.keyboard.press("j");
    await page.keyboard.press("x");
  }
  assert.equal(await page.textContent("[data-picked]"), "2 selected");
  await look(page, "failed-selected");
  await press(page, "button:text-is('Retry selected…')");
  await page.waitForSelector("text=This sends 2 failed deliveries again, at most 100 a second for each endpoint");
  await look(page, "failed-retry");
  assert.equal(crm.got.length, 2 * EVENTS, "only a question");
  await press(page, "button:text-is('Retry 2 deliveries')");
  await page.waitForURL("**/failed/retries/*");
  // It fails again, for nothing is mended; the page finds out by itself.
  await page.waitForSelector("text=2 deliveries failed again", { timeout: 30_000 });
  await look(page, "failed-again");

  // Mended: the problem's own way leads to all of it.
  crm.state.status = 200;
  await page.click("text=Back to failed deliveries");
  await page.click("[aria-label='Retry what failed at CRM']");
  await page.waitForSelector(".chip");
  assert.equal(await page.locator(".chip").count(), 3);
  await page.click("button:text-is('Retry all that match…')");
  await page.waitForSelector("text=This sends 14 failed deliveries again");
  await page.click("button:text-is('Retry 14 deliveries')");
  await page.waitForURL("**/failed/retries/*");
  await page.waitForSelector("text=All of them were delivered", { timeout: 30_000 });
  assert.match(await page.textContent("#retry"), /14 of 14 sent/);
  await page.reload();
  assert.match(await page.textContent("#retry table"), /Delivered\s*14/);
  assert.equal(new Set(crm.got.slice(-EVENTS).map((request) => request.headers["webhook-id"])).size, EVENTS);
  await look(page, "failed-progress");

  // A paused endpoint is resumed first.
  await page.click("text=Back to failed deliveries");
  await page.click("[aria-label='Resume Billing']");
  await page.waitForURL(`**/endpoints/${paused.id}`);
  await page.click("button:text-is('Resume')");
  await page.waitForSelector(".notice.good");
  await page.goto(`${list}?endpoint=${paused.id}`);
  await page.check("[data-pick-all]");
  assert.equal(await page.textContent("[data-picked]"), `${EVENTS} selected`);
  await page.click("button:text-is('Retry selected…')");
  await page.click(`button:text-is('Retry ${EVENTS} deliveries')`);
  await page.waitForSelector("text=All of them were delivered", { timeout: 30_000 });
  assert.equal(billing.got.length, 1 + EVENTS, "the test event, and what was retried");

  // One has a button of its own.
  const again = await run.api("POST", `/v1/companies/${COMPANY}/events`, { type: "booking.created", data: { booking: { id: "late" } } });
  await page.goto(`${list}?endpoint=${old.id}`);
  await until("the late one has failed", async () => {
    await page.reload();
    return page.locator(`[name=one][value^='${again.id}/']`).isVisible();
  });
  await page.click(`[name=one][value^='${again.id}/']`);
  await page.waitForSelector("text=1 delivery failed again", { timeout: 30_000 });

  // What nobody wants goes after one question that names it: one that is ticked, then all of them.
  await page.goto(`${list}?endpoint=${old.id}`);
  await page.check(`[name=pick][value^='${again.id}/']`);
  await page.click("button:text-is('Discard selected…')");
  await page.waitForSelector("h1:text-is('Discard this failed delivery?')");
  await page.click("button:text-is('Discard 1 delivery for good')");
  await page.waitForSelector(".notice.good:has-text('Discarded: 1 delivery.')");
  await page.goto(`${list}?endpoint=${old.id}&outcome=connect_error`);
  await look(page, "failed-filtered");
  await page.click("button:text-is('Discard all that match…')");
  await page.waitForSelector("h1:text-is('Discard 14 failed deliveries?')");
  await look(page, "failed-discard");
  await page.click("text=Keep them");
  await page.waitForSelector(".chip");
  await page.click("button:text-is('Discard all that match…')");
  await page.click("button:text-is('Discard 14 deliveries for good')");
  await page.waitForSelector(".notice.good:has-text('Discarded: 14 deliveries.')");
  await page.click("text=Show all");
  await page.waitForSelector(".empty:has-text('Nothing has failed for good')");
  assert.deepEqual(faults, []);
  await context.close();
}

// The same with a browser that runs no script: boxes, a question, and a page that can be looked at again.
async function withoutScripts(browser, run, target) {
  const before = target.got.length;
  const made = await run.api("POST", "/v1/companies/contoso/endpoints", { url: target.url, disabled: true });
  for (let number = 0; number < 2; number += 1) {
    await run.api("POST", "/v1/companies/contoso/events", { type: "booking.created", data: { number } });
  }
  await until("both have failed", async () => (await run.api("GET", "/v1/companies/contoso/failed")).data.length === 2);
  await run.api("PATCH", `/v1/companies/contoso/endpoints/${made.id}`, { disabled: false });
  const { page, context } = await byLink(browser, run, { javaScriptEnabled: false });
  await page.goto(`${run.address}/companies/contoso/failed`);
  await page.click("button:text-is('Retry selected…')");
  await page.waitForSelector("text=Nothing was selected");
  await page.locator("input[name=pick]").first().check();
  await page.click("button:text-is('Retry selected…')");
  await page.waitForSelector("text=This sends 1 failed delivery again");
  await page.click("button:text-is('Retry 1 delivery')");
  await until("it is delivered", async () => {
    if (/It was delivered/.test(await page.textContent("#retry"))) return true;
    await page.click("text=Look again");
    return false;
  });
  assert.equal(target.got.length, before + 1);
  await context.close();
}
