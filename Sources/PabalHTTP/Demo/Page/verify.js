"use strict";
// The forms of the page work without this file. It posts them without a reload, lets the times run, looks after the
// mail, and remembers a verification while the browser's tab lives: a phone forgets pages while its owner reads mail.

const memory = "verification";
let isBusy = false;
let timers = [];

const page = () => document.getElementById("page");
const words = () => page().dataset;
const tell = (text) => { document.getElementById("status").textContent = text; };
const fail = (text) => { document.getElementById("failure").textContent = text; };

/** Posts fields to one of the page's own addresses; the answer is the page as it looks then. */
async function ask(address, fields) {
  const response = await fetch(address, { method: "POST", body: new URLSearchParams(fields), signal: AbortSignal.timeout(30000) });
  const next = new DOMParser().parseFromString(await response.text(), "text/html");
  // A proxy's page, or none: the service didn't answer.
  if (!next.getElementById("page")) throw new Error(`${response.status}`);
  return next;
}

/** What `form` of the page would send. */
function fields(form, button) {
  const data = new FormData(form);
  if (button?.name) data.set(button.name, button.value);
  return data;
}

/** What brings the page back as it is. */
const state = () => new URLSearchParams(
  fields(document.getElementById("languages"), { name: "language", value: document.documentElement.lang }));

async function submit(form, button) {
  if (isBusy) return;
  isBusy = true;
  fail("");
  tell(words().sending);
  form.setAttribute("aria-busy", "true");
  try {
    show(await ask(form.getAttribute("action"), fields(form, button)));
  } catch (error) {
    tell("");
    fail(error instanceof TypeError || error.name === "TimeoutError" ? words().offline : words().unavailable);
    form.removeAttribute("aria-busy");
  } finally {
    isBusy = false;
  }
}

/** Puts the next state of the page in place, and the reader where it goes on. */
function show(next) {
  document.documentElement.lang = next.documentElement.lang;
  document.title = next.title;
  page().replaceWith(next.getElementById("page"));
  fail("");
  // A field with its label, its error and its hint says what is new; other pages begin with their heading.
  const field = page().querySelector("[autofocus]");
  (field ?? page().querySelector("h1")).focus();
  if (field?.ariaInvalid === "true") field.select();
  tell(page().querySelector(".notice")?.textContent ?? "");
  begin();
}

/** Brings the page up to date, without touching what is being typed unless all of it is to be new. */
async function refresh(isWhole) {
  if (isBusy) return;
  const shown = page();
  let next;
  try {
    next = await ask("/demo/show", state());
  } catch {
    // The next submit tells of it.
    return watch();
  }
  if (isBusy || page() !== shown) return;
  if (isWhole || !next.getElementById("code")) return show(next);
  const [old, news] = [document.getElementById("delivery"), next.getElementById("delivery")];
  if (old.textContent !== news.textContent) tell(news.textContent);
  old.replaceWith(news);
  const mail = next.getElementById("mail");
  if (mail && !document.getElementById("mail")) { shown.append(mail); fitMail(); }
  watch();
}

/** Looks again soon where the mail's way isn't decided. */
function watch() {
  if (document.querySelector("#delivery[data-again]")) timers.push(setTimeout(refresh, 3000, false));
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

/** Lets the time in an element run out; by the clock on the wall, since timers rest while a phone sleeps. */
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
      if (then === "show" && left === 60) tell(words().lastMinute);
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

/** Makes the frame as high as the mail in it; nothing in the frame can run. */
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
      sessionStorage.setItem(memory, state().toString());
    } else {
      sessionStorage.removeItem(memory);
    }
  } catch { /* A browser that keeps nothing only forgets. */ }
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(event.target, event.submitter);
});
// A clock that ran while the phone slept is told at once.
document.addEventListener("visibilitychange", () => { if (!document.hidden && document.getElementById("code")) refresh(false); });

const kept = (() => { try { return sessionStorage.getItem(memory); } catch { return null; } })();
begin();
if (kept && document.getElementById("address")) {
  ask("/demo/show", kept).then((next) => { if (next.getElementById("code")) show(next); }, () => {});
}
