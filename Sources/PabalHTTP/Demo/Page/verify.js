"use strict";
// The forms of the page work without this file. It posts them without a reload, runs the countdowns, polls the status of
// the mail, makes Back lead from the code to the address, and remembers the verification in the history and in the session
// storage of the tab, because phones discard pages while their owner reads mail.

const storageKey = "verification";
let isBusy = false;
let timers = [];
// Counts the moves through the history; the response to a form that was sent before one is ignored.
let moves = 0;

const page = () => document.getElementById("page");
const texts = () => page().dataset;
const announce = (text) => { document.getElementById("status").textContent = text; };
const fail = (text) => { document.getElementById("failure").textContent = text; };

/** Posts fields to a path of this site; returns the page that it answers with. */
async function post(path, fields) {
  const response = await fetch(path, { method: "POST", body: new URLSearchParams(fields), signal: AbortSignal.timeout(30000) });
  const next = new DOMParser().parseFromString(await response.text(), "text/html");
  // Not this page, so the response isn't from the service but from a proxy.
  if (!next.getElementById("page")) throw new Error(`${response.status}`);
  return next;
}

/** Returns the fields that `form` would send. */
function fields(form, button) {
  const data = new FormData(form);
  if (button?.name) data.set(button.name, button.value);
  return data;
}

/** Returns the fields that restore the page in its current state, as a query string. */
function state() {
  const data = fields(document.getElementById("languages"), { name: "language", value: document.documentElement.lang });
  const address = document.getElementById("address");
  if (address) data.set("address", address.value);
  return new URLSearchParams(data).toString();
}

/** Shows that a form is being sent, unless that takes no time. */
function showProgress(form) {
  const text = /start|resend/.test(form.getAttribute("action")) ? texts().sendingMail : texts().sending;
  announce(text);
  form.setAttribute("aria-busy", "true");
  const shown = document.createElement("p");
  shown.className = "progress";
  shown.textContent = text;
  const timer = setTimeout(() => form.append(shown), 300);
  return () => { clearTimeout(timer); shown.remove(); form.removeAttribute("aria-busy"); };
}

async function submit(form, button) {
  if (isBusy) return;
  isBusy = true;
  fail("");
  const move = moves;
  const data = fields(form, button);
  const isLanguage = form.id === "languages";
  // The address as it is being typed isn't part of the form that changes the language.
  if (isLanguage && document.getElementById("address")) data.set("address", document.getElementById("address").value);
  const end = isLanguage ? () => announce("") : showProgress(form);
  try {
    const next = await post(isLanguage ? "/demo/show" : form.getAttribute("action"), data);
    if (move === moves) show(next, isLanguage ? `/?language=${button.value}` : undefined);
  } catch (error) {
    if (move !== moves) return;
    announce("");
    fail(error instanceof TypeError || error.name === "TimeoutError" ? texts().offline : texts().unavailable);
  } finally {
    end();
    isBusy = false;
  }
}

/** Shows the next state of the page and records it in the history: asking for the code is a new entry, which Back leaves. */
function show(next, url) {
  const before = state();
  const asked = document.getElementById("address");
  replace(next);
  if (asked && document.getElementById("code")) {
    history.replaceState(before, "");
    history.pushState(state(), "", url);
  } else {
    history.replaceState(state(), "", url);
  }
}

/** Replaces the page by its next state and moves the focus to where the reader continues. */
function replace(next) {
  document.documentElement.lang = next.documentElement.lang;
  document.title = next.title;
  page().replaceWith(next.getElementById("page"));
  fail("");
  // Focusing a field makes a screen reader read its label, error and hint; a page without one starts at its heading.
  const field = page().querySelector("[autofocus]");
  (field ?? page().querySelector("h1")).focus();
  if (field?.ariaInvalid === "true") field.select();
  announce(page().querySelector(".notice")?.textContent ?? "");
  begin();
}

/** Updates the status of the mail, without changing what is being typed, or the whole page if `isWhole`. */
async function refresh(isWhole) {
  if (isBusy) return;
  const shown = page();
  let next;
  try {
    next = await post("/demo/show", new URLSearchParams(state()));
  } catch {
    // Ignored, because the next submit reports it.
    return watch();
  }
  if (isBusy || page() !== shown) return;
  if (isWhole || !next.getElementById("code")) return show(next);
  const [old, news] = [document.getElementById("delivery"), next.getElementById("delivery")];
  if (old.textContent !== news.textContent) announce(news.textContent);
  old.replaceWith(news);
  const mail = next.getElementById("mail");
  if (mail && !document.getElementById("mail")) { shown.append(mail); fitMail(); }
  watch();
}

/** Polls again in a moment if the status of the mail can still change. */
function watch() {
  if (document.querySelector("#delivery[data-again]")) timers.push(setTimeout(refresh, 3000, false));
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

/** Counts down the time in an element, by the wall clock, because timers stop while a phone sleeps. */
function countDown(element) {
  const end = Date.now() + element.dataset.seconds * 1000;
  const then = element.dataset.then;
  const timer = setInterval(tick, 250);
  timers.push(timer);
  tick();
  function tick() {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const text = clock(left);
    if (element.textContent !== text) {
      element.textContent = text;
      if (then === "show" && left === 60) announce(texts().lastMinute);
    }
    if (left > 0) return;
    clearInterval(timer);
    if (then === "show") refresh(true);
    if (then === "retry") element.parentElement.remove();
    if (then === "resend") {
      element.parentElement.remove();
      document.getElementById("resend").disabled = false;
    }
  }
}

/** Makes the frame as high as the mail in it. No script can run in the frame. */
function fitMail() {
  const frame = document.querySelector("#mail iframe");
  frame?.addEventListener("load", () => {
    frame.style.height = "0";
    frame.style.height = `${(frame.contentDocument?.documentElement.scrollHeight ?? 600) + 2}px`;
  });
}

function begin() {
  for (const timer of timers) clearInterval(timer);
  timers = [];
  if (document.querySelector("[data-then=resend]")) document.getElementById("resend").disabled = true;
  for (const element of document.querySelectorAll("[data-seconds]")) countDown(element);
  fitMail();
  watch();
  try {
    if (document.getElementById("code")) {
      sessionStorage.setItem(storageKey, state());
    } else {
      sessionStorage.removeItem(storageKey);
    }
  } catch { /* Without session storage, the page only doesn't remember. */ }
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(event.target, event.submitter);
});
// Updates at once what changed while the phone slept.
document.addEventListener("visibilitychange", () => { if (!document.hidden && document.getElementById("code")) refresh(false); });

// Back and Forward within the page.
addEventListener("popstate", async (event) => {
  if (typeof event.state !== "string") return;
  const move = ++moves;
  const data = new URLSearchParams(event.state);
  // The language may have been changed since.
  data.set("language", document.documentElement.lang);
  try {
    const next = await post("/demo/show", data);
    if (move === moves) replace(next);
  } catch {
    if (move === moves) fail(texts().offline);
  }
});

// A reload keeps the entry of the history; a page that was opened again has only the storage.
const entry = typeof history.state === "string" ? history.state : null;
const kept = entry ?? (() => { try { return sessionStorage.getItem(storageKey); } catch { return null; } })();
begin();
if (kept && new URLSearchParams(kept).get("verification") && document.getElementById("address")) {
  post("/demo/show", kept).then((next) => { if (next.getElementById("code")) (entry ? replace : show)(next); }, () => {});
}
