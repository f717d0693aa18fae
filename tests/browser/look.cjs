// A picture of a page in light, dark and at 390 px, and what accessibility says of it.
"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");
const { AxeBuilder } = require("@axe-core/playwright");

const SIZES = [
  { name: "light", width: 1280, height: 860, colorScheme: "light" },
  { name: "dark", width: 1280, height: 860, colorScheme: "dark" },
  { name: "390", width: 390, height: 844, colorScheme: "light" },
];

const seen = [];

// Looks at the page that is open, whatever was done on it: only size and colours change.
async function look(page, name) {
  for (const size of SIZES) {
    await page.setViewportSize({ width: size.width, height: size.height });
    await page.emulateMedia({ colorScheme: size.colorScheme });
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(sideways <= 0, `${name} at ${size.width} px scrolls ${sideways} px sideways`);
    await page.screenshot({ path: path.join("target/screenshots", `${name}.${size.name}.png`), fullPage: true });
    const found = await new AxeBuilder({ page }).analyze();
    const bad = found.violations.filter((violation) => ["serious", "critical"].includes(violation.impact));
    const told = bad.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join("\n    ")}`);
    assert.deepEqual(told, [], `${name} (${size.name})`);
  }
  await page.setViewportSize({ width: SIZES[0].width, height: SIZES[0].height });
  await page.emulateMedia({ colorScheme: "light" });
  seen.push(name);
}

module.exports = { look, seen };
