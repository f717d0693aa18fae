// Hands on a keyboard and nothing else: what is to be used is tabbed to, and must show that it stands in focus.
"use strict";
const assert = require("node:assert/strict");

// More stops than any page has.
const MAX_STOPS = 200;

// Tabs on until this stands in focus: a selector, or the name that a button or link is read out with. `back` goes the other way.
async function to(page, wanted, { back = false } = {}) {
  const isThere = ([wanted]) => {
    const active = document.activeElement;
    if (/^[#.[]/.test(wanted)) return active.matches(wanted);
    if (!active.matches("a, button, summary")) return false;
    const name = active.getAttribute("aria-label") || active.textContent;
    return name.replace(/\s+/g, " ").trim() === wanted;
  };
  for (let stops = 0; stops < MAX_STOPS; stops += 1) {
    if (await page.evaluate(isThere, [wanted])) return seenInFocus(page, wanted);
    await page.keyboard.press(back ? "Shift+Tab" : "Tab");
  }
  throw new Error(`no way by keyboard to ${wanted} on ${page.url()}`);
}

// A ring is drawn around it, or around the label that stands for it, and it is in sight.
async function seenInFocus(page, wanted) {
  const found = await page.evaluate(() => {
    const active = document.activeElement;
    const drawn = active.matches(".sr") ? active.nextElementSibling : active;
    const style = getComputedStyle(drawn);
    const { top, bottom, left, right } = drawn.getBoundingClientRect();
    return {
      ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
      inSight: bottom > 0 && top < innerHeight && right > 0 && left < innerWidth,
    };
  });
  assert.deepEqual(found, { ring: true, inSight: true }, `${wanted} on ${page.url()}`);
}

// Tabs to it, and does it.
async function press(page, wanted, key = "Enter") {
  await to(page, wanted);
  await page.keyboard.press(key);
}

// The same where another page is loaded by it.
async function follow(page, wanted) {
  await to(page, wanted);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
}

// Tabs to a field, and types over what stands there.
async function type(page, selector, text) {
  await to(page, selector);
  await page.keyboard.press("Control+a");
  await page.keyboard.type(text);
}

module.exports = { to, press, follow, type };
