// What scripts improve. Every page can be read and used without them; nothing here makes markup or code of a text.
(function () {
  "use strict";

  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const one = (selector, root) => (root || document).querySelector(selector);

  // --- theme: the system's, light, dark -----------------------------------------------------------

  const THEMES = ["system", "light", "dark"];
  function theme() {
    return document.documentElement.dataset.theme || "system";
  }
  function showTheme() {
    for (const button of all("[data-theme-switch]")) button.textContent = "Theme: " + theme();
  }
  function nextTheme() {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      if (next === "system") localStorage.removeItem("hookline-theme");
      else localStorage.setItem("hookline-theme", next);
    } catch (error) {
      // Without storage it holds for this page.
    }
    showTheme();
  }

  // --- times, kept true while the page stands open -------------------------------------------------

  function relative(seconds) {
    const distance = Math.abs(seconds);
    let amount;
    // What lasts a day ends in 24 h, and not in 23.
    const whole = seconds > 0 ? Math.floor : Math.ceil;
    if (distance < 5) return seconds >= 0 ? "just now" : "now";
    if (distance < 60) amount = distance + " s";
    else if (distance < 3600) amount = whole(distance / 60) + " min";
    else if (distance < 172800) amount = whole(distance / 3600) + " h";
    else amount = whole(distance / 86400) + " days";
    return seconds > 0 ? amount + " ago" : "in " + amount;
  }
  function showTimes() {
    for (const time of all("time[data-time]")) {
      const at = Date.parse(time.dateTime);
      if (!Number.isNaN(at)) time.textContent = relative(Math.trunc((Date.now() - at) / 1000));
    }
  }

  // --- copying ------------------------------------------------------------------------------------

  async function copy(text, button) {
    const was = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch (error) {
      // Without https a browser gives no clipboard: what is meant is selected instead.
      const code = one("code", button.parentElement);
      if (code) getSelection().selectAllChildren(code);
      button.textContent = code ? "Selected" : was;
    }
    setTimeout(() => (button.textContent = was), 1500);
  }
  function prepareCopying(root) {
    for (const code of all("code[data-copy]", root)) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "id";
      button.title = code.title + " (copy)";
      button.setAttribute("aria-label", "Copy " + code.title);
      button.textContent = code.textContent;
      button.dataset.copy = code.dataset.copy;
      code.replaceWith(button);
    }
  }

  // --- keys ---------------------------------------------------------------------------------------

  const isTyping = (target) => target.closest("input, select, textarea, [contenteditable]") !== null;

  function moveRow(step) {
    const rows = all("[data-rows] [data-row]").filter((row) => row.offsetParent !== null);
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1);
    rows[next].focus();
  }
  function openKeys() {
    const dialog = one("#keys");
    if (dialog && !dialog.open) dialog.showModal();
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && event.target.matches("[data-search]")) event.target.blur();
    if (isTyping(event.target) || one("dialog[open]")) return;
    if (event.key === "/") {
      const search = one("[data-search]");
      if (!search) return;
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "j") moveRow(1);
    else if (event.key === "k") moveRow(-1);
    else if (event.key === "x") pickRow();
    else if (event.key === "?") openKeys();
  });

  // --- a list that is filtered where it stands ----------------------------------------------------

  function filter(input) {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of all("tbody tr", one(input.dataset.filter))) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    const none = one("[data-no-match]");
    if (none) none.hidden = shown > 0;
  }

  // --- the form of an endpoint --------------------------------------------------------------------

  function prepareEndpointForm(form) {
    const url = one("[data-check-url]", form);
    const told = one("#url-fault", form);
    let waiting, asked = 0;
    async function check() {
      const number = asked;
      if (!url.value.trim()) return;
      const body = new URLSearchParams({ csrf: one("input[name=csrf]", form).value, url: url.value });
      try {
        const response = await fetch(url.dataset.checkUrl, { method: "POST", body });
        if (!response.ok) return;
        const { fault } = await response.json();
        if (number === asked) tell(fault);
      } catch (error) {
        // It is judged again when the form is sent.
      }
    }
    function tell(fault) {
      told.textContent = fault;
      if (fault) url.setAttribute("aria-invalid", "true");
      else url.removeAttribute("aria-invalid");
    }
    url.addEventListener("input", () => {
      clearTimeout(waiting);
      // What was said is about another text, and so is an answer that is still awaited.
      asked += 1;
      tell("");
      waiting = setTimeout(check, 350);
    });
    one("[data-add-header]", form).addEventListener("click", () => {
      const rows = one("[data-header-rows]", form);
      const row = rows.lastElementChild.cloneNode(true);
      for (const input of all("input", row)) input.value = "";
      rows.append(row);
      one("input", row).focus();
    });
  }

  // --- a form whose answer is awaited on the page --------------------------------------------------

  function prepareLiveForm(form) {
    const state = one("[data-live-state]", form);
    let isWaiting = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      // The button stays as it is: one that is disabled loses the focus of whoever pressed it by a key.
      if (isWaiting) return;
      isWaiting = true;
      const begun = performance.now();
      const tick = () => (state.textContent = "Waiting for the answer, " + ((performance.now() - begun) / 1000).toFixed(1) + " s");
      tick();
      const clock = setInterval(tick, 100);
      try {
        const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        const answer = one(form.dataset.live, page);
        const place = one(form.dataset.live);
        if (!answer) throw new Error("no answer");
        place.replaceChildren(...Array.from(answer.childNodes, (node) => document.importNode(node, true)));
        prepareCopying(place);
        state.textContent = "";
      } catch (error) {
        state.textContent = "The console did not answer. Send it again.";
      } finally {
        clearInterval(clock);
        isWaiting = false;
      }
    });
  }

  // --- a form that is sent once, however often its button is pressed --------------------------------

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!("once" in form.dataset)) return;
    if ("sent" in form.dataset) event.preventDefault();
    form.dataset.sent = "";
  });
  // A page that comes back as it was left may send it anew.
  addEventListener("pageshow", () => {
    for (const form of all("form[data-sent]")) delete form.dataset.sent;
  });

  // --- tables that fit, whose heads stay in sight ---------------------------------------------------

  function fitTables() {
    for (const frame of all(".table-frame")) {
      const table = one("table", frame);
      frame.classList.toggle("fits", table !== null && table.offsetWidth <= frame.clientWidth);
      showEdge(frame);
    }
  }
  // What goes on beyond the edge fades there, until one has scrolled to its end.
  function showEdge(frame) {
    frame.classList.toggle("goes-on", frame.scrollLeft + frame.clientWidth < frame.scrollWidth - 1);
  }
  document.addEventListener("scroll", (event) => event.target.matches?.(".table-frame, .menu, .tabs") && showEdge(event.target), true);

  // On a phone the menu and tabs are one line, perhaps wider than the screen: where one is stands in sight.
  function showPlace() {
    for (const line of all(".menu, .tabs")) {
      const here = one("[aria-current]", line);
      if (here) {
        const [inner, outer] = [here.getBoundingClientRect(), line.getBoundingClientRect()];
        line.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
      }
      showEdge(line);
    }
  }

  // --- charts: what is pointed at is told in words ------------------------------------------------

  function prepareCharts(root) {
    for (const chart of all("[data-chart]", root)) {
      const readout = one("[data-readout]", chart);
      const steps = all(".step", chart);
      const answer = readout.textContent;
      const read = (step) => {
        for (const other of steps) other.classList.toggle("is-read", other === step);
        readout.textContent = step ? one("title", step).textContent : answer;
      };
      chart.addEventListener("pointerover", (event) => read(event.target.closest(".step")));
      chart.addEventListener("pointerleave", () => read(null));
    }
  }

  // --- a part of a page that renews itself, but not under somebody who reads it --------------------

  // data-renew says every how many seconds it is asked for; where data-version stands too, what has the same one is not shown anew.
  function prepareRenewal(part) {
    const state = one("[data-renew-state]");
    const isVersioned = "version" in part.dataset;
    const clock = () => new Date().toISOString().slice(11, 19) + " UTC";
    let last = clock();
    let news = null;
    let isAsking = false;
    // Read is what is pointed at or stands in focus, and what is selected to be copied. What has a version is read as a whole.
    const isPointedAt = () =>
      isVersioned ? matchMedia("(hover: hover)").matches && part.matches(":hover") : one(":is([data-chart], table, .problem):hover", part) !== null;
    const isRead = () =>
      isPointedAt() ||
      part.contains(document.activeElement) ||
      (getSelection().rangeCount > 0 && !getSelection().isCollapsed && part.contains(getSelection().anchorNode));
    function tell(name, text) {
      if (!state) return;
      const hasButton = name === "held" && news !== null;
      // A button that is about to be pressed stays where it is.
      if (state.dataset.state === name && state.firstChild?.data === text && Boolean(one("button", state)) === hasButton) return;
      state.dataset.state = name;
      state.textContent = text;
      if (!hasButton) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.textContent = "Show what is new";
      button.addEventListener("click", show);
      state.append(button);
    }
    function tellHow() {
      if (isRead()) tell("held", "Held while you read, from " + last);
      else tell("live", "Live, as of " + last);
    }
    function show() {
      if (!news) return tellHow();
      const open = new Map(all("details[id]", part).map((details) => [details.id, details.open]));
      part.replaceChildren(...Array.from(news.childNodes, (node) => document.importNode(node, true)));
      for (const details of all("details[id]", part)) if (open.has(details.id)) details.open = open.get(details.id);
      if (isVersioned) part.dataset.version = news.dataset.version;
      // What it told may have come to its end.
      if (!("renew" in news.dataset)) stop();
      news = null;
      last = clock();
      prepareCopying(part);
      prepareCharts(part);
      showTimes();
      showCountdowns();
      fitTables();
      tellHow();
    }
    const settle = () => (isRead() ? tellHow() : show());
    async function renew() {
      if (document.hidden || isAsking) return;
      isAsking = true;
      try {
        const response = await fetch(location.href, { headers: { accept: "text/html" } });
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        const now = page.getElementById(part.id);
        if (!response.ok || !now) throw new Error(response.redirected ? "signed out" : "no page");
        news = isVersioned && now.dataset.version === part.dataset.version ? null : now;
        if (!news && !isRead()) last = clock();
        settle();
      } catch (error) {
        tell("lost", error.message === "signed out" ? "You are signed out. Load the page again." : "The console does not answer. This is from " + last + ".");
      } finally {
        isAsking = false;
      }
    }
    function stop() {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", renew);
      state?.remove();
    }
    tellHow();
    const timer = setInterval(renew, Number(part.dataset.renew) * 1000);
    document.addEventListener("visibilitychange", renew);
    // Somebody who comes or goes is told at once, and sees at once what came meanwhile.
    for (const event of ["mouseenter", "mouseleave", "focusin", "focusout"]) {
      part.addEventListener(event, () => setTimeout(() => state?.dataset.state === "lost" || settle()));
    }
  }

  // --- rows that are picked -----------------------------------------------------------------------

  function pickRow() {
    const row = document.activeElement.closest("[data-picks] tr");
    const box = row && one("input[name=pick]", row);
    if (box) box.click();
  }
  function preparePicks(form) {
    const every = one("[data-pick-all]", form);
    const told = one("[data-picked]", form);
    const boxes = () => all("input[name=pick]", form);
    function tell() {
      const picked = boxes().filter((box) => box.checked).length;
      told.textContent = picked ? picked + " selected" : "";
      every.checked = picked > 0 && picked === boxes().length;
      every.indeterminate = picked > 0 && !every.checked;
    }
    every.addEventListener("change", () => {
      for (const box of boxes()) box.checked = every.checked;
      tell();
    });
    form.addEventListener("change", tell);
    tell();
  }

  // --- a time that is counted down to --------------------------------------------------------------

  function span(seconds) {
    const two = (large, small, unit) => large + (small ? " " + small + " " + unit : "");
    const days = Math.floor(seconds / 86400);
    if (seconds < 60) return seconds + " s";
    if (seconds < 3600) return two(Math.floor(seconds / 60) + " min", seconds % 60, "s");
    if (seconds < 86400) return two(Math.floor(seconds / 3600) + " h", Math.floor((seconds % 3600) / 60), "min");
    return two(days + (days === 1 ? " day" : " days"), Math.floor((seconds % 86400) / 3600), "h");
  }
  function showCountdowns() {
    for (const time of all("time[data-countdown]")) {
      const left = Math.ceil((Date.parse(time.dateTime) - Date.now()) / 1000);
      if (!Number.isNaN(left)) time.textContent = left > 0 ? "in " + span(left) : "is due now";
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy-from]");
    const from = button && one(button.dataset.copyFrom);
    if (from) copy(from.textContent, button);
  });

  // --- all of it ----------------------------------------------------------------------------------

  showTheme();
  showTimes();
  setInterval(showTimes, 15000);
  showCountdowns();
  setInterval(showCountdowns, 1000);
  prepareCopying(document);
  prepareCharts(document);
  fitTables();
  addEventListener("resize", fitTables);
  showPlace();
  addEventListener("resize", showPlace);
  for (const part of all("[data-renew]")) prepareRenewal(part);
  for (const form of all("[data-endpoint-form]")) prepareEndpointForm(form);
  for (const form of all("[data-live]")) prepareLiveForm(form);
  for (const form of all("[data-picks]")) preparePicks(form);
  for (const form of all("[data-auto-submit]")) form.requestSubmit();
  for (const input of all("[data-filter]")) input.addEventListener("input", () => filter(input));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if ("themeSwitch" in button.dataset) nextTheme();
    else if ("keys" in button.dataset) openKeys();
    else if ("copyText" in button.dataset) copy(one("code", button.parentElement).textContent, button);
    else if ("copy" in button.dataset) copy(button.dataset.copy, button);
  });
})();
