// A page that must stay clean, whatever it shows, and the ways in.
"use strict";

// A page of its own context: no dialog may open, nothing may be refused by the policy, no script may fail.
async function open(browser, options) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const faults = [];
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A form that is refused is answered with its status, which the browser tells as a failed load.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
  });
  return { context, page, faults };
}

// Signed in as the operator, at this path.
async function asOperator(browser, run, path, options) {
  const opened = await open(browser, options);
  await opened.page.goto(run.address + "/sign-in");
  await opened.page.fill("#token", run.token);
  await opened.page.keyboard.press("Enter");
  await opened.page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
  await opened.page.goto(run.address + path);
  return opened;
}

// In by a link: by the operator's own, unless it is another one.
async function byLink(browser, run, options, link = run.signInLink()) {
  const opened = await open(browser, options);
  await opened.page.goto(link);
  // A script sends the form of a link by itself.
  if (options?.javaScriptEnabled === false) await opened.page.click("button:text-is('Open')");
  await opened.page.waitForURL("**/overview");
  return opened;
}

module.exports = { open, asOperator, byLink };
