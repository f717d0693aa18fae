// The overview, of a company and of all: before anything happened, with what is delivered and what fails, as it renews itself.
"use strict";
const assert = require("node:assert/strict");
const { receiver } = require("./programs.cjs");
const { look } = require("./look.cjs");
const { asOperator, byLink } = require("./open.cjs");

const HOSTILE = `<img src=x onerror=alert(1)><script>alert(2)</script>`;

async function overview(browser, run) {
  const failing = await receiver();
  failing.state.status = 503;
  const events = `/v1/companies/busy/events`;
  const publish = (type, count) => Promise.all(Array.from({ length: count }, () => run.api("POST", events, { type, data: { n: 1 } })));
  try {
    const { context, page, faults } = await asOperator(browser, run, "/companies/busy/overview");
    const sentence = () => page.textContent(".verdict-line > p");
    const becomes = (text) => page.waitForFunction((text) => document.querySelector(".verdict-line > p").textContent.includes(text), text, { timeout: 60_000 });
    assert.match(await sentence(), /No endpoint is registered yet/);
    await look(page, "overview-empty");
    await page.click("text=Add the first endpoint");
    await page.waitForURL("**/endpoints/new");
    await run.api("POST", "/v1/companies/busy/endpoints", { id: "crm", url: run.receiver.url, description: "CRM", events: ["booking.created"] });
    await page.goto(run.address + "/companies/busy/overview");
    assert.match(await sentence(), /Nothing was sent to your endpoint yet/);
    assert.equal(await page.locator(".verdict-line >> text=Send test event").count(), 1);

    // It says what happens without being loaded again.
    await page.evaluate(() => (window.isTheSame = true));
    await publish("booking.created", 30);
    await becomes("30 delivered in the last hour");
    assert.match(await page.textContent("[data-renew-state]"), /^Live, as of/);
    await run.api("POST", "/v1/companies/busy/endpoints", { id: "mail", url: failing.url, description: "Mail", events: ["booking.cancelled"] });
    await run.api("POST", "/v1/companies/busy/endpoints", { id: "bills", url: run.receiver.url, description: HOSTILE, disabled: true });
    await run.known("busy", "bills");
    await publish("booking.cancelled", 4);
    await becomes("Mail fails");
    assert.match(await sentence(), /4 waiting/);
    assert.equal(await page.evaluate(() => window.isTheSame), true, "it was never loaded again");
    await look(page, "overview");

    // What is pointed at is told, and the page holds still for as long.
    await page.hover("figure[data-chart] .step >> nth=59");
    await page.waitForFunction(() => /UTC: (delivered|no attempt)/.test(document.querySelector("[data-readout]").textContent));
    await page.waitForFunction(() => document.querySelector("[data-renew-state]").textContent.startsWith("Held"), null, { timeout: 30_000 });
    await page.mouse.move(1, 1);
    await page.waitForFunction(() => document.querySelector("[data-renew-state]").textContent.startsWith("Live"), null, { timeout: 30_000 });

    // The same as a table, which stays open when the page renews itself.
    await page.click("#amounts > summary");
    await page.evaluate(() => document.activeElement.blur());
    await page.mouse.move(1, 1);
    const before = await page.textContent("[data-renew-state]");
    await page.waitForFunction((before) => document.querySelector("[data-renew-state]").textContent !== before, before, { timeout: 30_000 });
    assert.ok(await page.locator("#amounts table").isVisible());
    await look(page, "overview-table");

    // Other times stand in the address.
    await page.click("text=Last 24 hours");
    await page.waitForURL("**/overview?window=24h");
    await page.click("text=Last 7 days");
    await page.waitForURL("**/overview?window=7d");
    assert.match(await page.textContent("[data-readout] >> nth=0"), /30 delivered, \d+ attempts failed in the last 7 days/);
    await look(page, "overview-week");

    // Endpoints and companies at a glance.
    await page.click(".menu >> text=Endpoints");
    await page.waitForSelector("svg.spark");
    await look(page, "endpoints-health");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForSelector("dt:text-is('Last failure')");
    await look(page, "endpoint-failing");
    await page.click('.menu a[href="/overview"]');
    await page.waitForURL("**/overview");
    await page.waitForSelector("h2:text-is('What the broker holds')");
    await page.waitForFunction(() => document.querySelectorAll("main table code").length >= 8, null, { timeout: 30_000 });
    await page.waitForSelector(`h2:text-is("The broker's nodes") ~ * .badge.good:text-is('running')`);
    await look(page, "overview-operator");
    await page.click('.menu >> text="Companies"');
    await page.waitForURL("**/companies");
    await look(page, "companies-health");
    assert.deepEqual(faults, []);
    await context.close();

    // Without scripts it is all there, but for what moves.
    const plain = await byLink(browser, run, { javaScriptEnabled: false });
    await plain.page.goto(run.address + "/companies/busy/overview?window=24h");
    assert.match(await plain.page.textContent(".verdict-line > p"), /Mail fails/);
    await plain.page.click("#answers > summary");
    assert.ok(await plain.page.locator("#answers table").isVisible());
    assert.equal(await plain.page.locator(".renewal").isVisible(), false);
    await plain.context.close();
  } finally {
    failing.close();
  }
}

module.exports = overview;
