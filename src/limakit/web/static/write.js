// The editor: every change is kept in this browser at once, sent to the study half a second later, and forgotten here
// only when the study has it. One request at a time; what is typed meanwhile goes with the next.

import { element, setHTML } from "./html.js";

const editor = document.getElementById("editor");
const form = document.getElementById("form");
const turns = document.getElementById("turns");
const category = document.getElementById("category");
const state = document.getElementById("state");
const conflict = document.getElementById("conflict");
const key = `limakit-draft-${editor.dataset.person}-${editor.dataset.draft}`;
const address = `/write/${editor.dataset.draft}/save`;

let version = Number(editor.dataset.version);
let sending = null;
let waiting = 0;
let pause = 1000;
let stuck = false;
let objection = "";

const boxes = () => [...turns.querySelectorAll("textarea")];
const text = () => ({
  turns: boxes().map((box, at) => ({ role: at % 2 ? "assistant" : "user", content: box.value })),
  category: category.value,
});

function put(saved) {
  while (boxes().length < saved.turns.length) addTurn();
  while (boxes().length > saved.turns.length) turns.lastElementChild.remove();
  boxes().forEach((box, at) => (box.value = saved.turns[at].content));
  category.value = saved.category;
  afterTurns();
}

function addTurn() {
  const at = boxes().length;
  const role = at % 2 ? "assistant" : "user";
  const section = element("section", { class: "edited", "data-role": role });
  section.append(element("label", { for: `turn-${at}` }, at === 0 ? "Prompt" : role === "user" ? "User" : "Response"));
  const rows = role === "user" ? 3 : 10;
  section.append(element("textarea", { id: `turn-${at}`, maxlength: 60000, rows, "aria-describedby": `says-${at}` }));
  section.append(element("ul", { class: "findings", id: `says-${at}`, "aria-live": "polite" }));
  turns.append(section);
}

function afterTurns() {
  document.getElementById("fewer").hidden = boxes().length < 4;
  boxes().forEach(grow);
}

/** As tall as its text, within reason; the rows attribute is the least. */
function grow(box) {
  const lines = box.value.split("\n").reduce((sum, line) => sum + 1 + Math.floor(line.length / 85), 1);
  box.rows = Math.min(28, Math.max(box.closest("section").dataset.role === "user" ? 3 : 10, lines));
}

function changed() {
  const now = text();
  try {
    localStorage.setItem(key, JSON.stringify({ base: version, ...now }));
    say(stuck ? "Kept in this browser" : "Typing …");
  } catch {
    say("This browser keeps nothing for later: stay online", true);
  }
  clearTimeout(waiting);
  if (!stuck) waiting = setTimeout(send, 500);
}

async function send() {
  clearTimeout(waiting);
  if (sending) return sending;
  sending = once().finally(() => (sending = null));
  return sending;
}

async function once() {
  const now = text();
  const sent = JSON.stringify(now);
  let response;
  try {
    response = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ base: version, ...now }),
    });
    if (response.status >= 500) throw new Error(`${response.status}`);
  } catch {
    say("The studio cannot be reached; kept in this browser, tried again", true);
    waiting = setTimeout(send, pause);
    pause = Math.min(15000, pause * 2);
    return false;
  }
  pause = 1000;
  const got = await response.json();
  if (response.status === 409 && got.turns) return differ(got, now);
  if (!response.ok) {
    stuck = true;
    say(`Not saved: ${got.error} ${got.fix ?? ""}`, true);
    return false;
  }
  version = got.version;
  conflict.hidden = true;
  show(got);
  if (JSON.stringify(text()) === sent) {
    localStorage.removeItem(key);
    say("Saved");
    return true;
  }
  localStorage.setItem(key, JSON.stringify({ base: version, ...text() }));
  waiting = setTimeout(send, 500);
  return false;
}

/** Two texts: this page's, and one that was saved elsewhere. Both are stored; a person says which one counts. */
function differ(got, mine) {
  stuck = true;
  say("Two versions", true);
  conflict.replaceChildren(element("p", {}, `${got.error}. Which one goes on?`));
  const theirs = element("div", { class: "two" });
  for (const html of got.previews) {
    const box = element("div", { class: "said card" });
    setHTML(box, html);
    theirs.append(box);
  }
  const details = element("details");
  details.append(element("summary", {}, "Read the other one"), theirs);
  const keep = element("button", { type: "button", class: "primary" }, "Go on with mine");
  const take = element("button", { type: "button" }, "Go on with the other");
  const choose = (saved) => {
    stuck = false;
    version = got.version;
    put(saved);
    conflict.hidden = true;
    changed();
    send();
    boxes()[0].focus();
  };
  keep.addEventListener("click", () => choose(text()));
  take.addEventListener("click", () => choose({ turns: got.turns, category: got.category }));
  const row = element("p", { class: "row" });
  row.append(keep, take);
  conflict.append(details, row);
  conflict.hidden = false;
  keep.focus();
  return false;
}

function show(got) {
  for (const [at, box] of boxes().entries()) {
    const list = document.getElementById(`says-${at}`);
    const says = got.findings.filter((one) => one.turn === at).map((one) => one.says);
    if (list.dataset.said !== says.join("\n")) {
      list.dataset.said = says.join("\n");
      list.replaceChildren(...says.map((line) => element("li", {}, line)));
    }
    box.toggleAttribute("aria-invalid", false);
  }
  const near = document.getElementById("near");
  near.replaceChildren(
    ...got.near.map((one) => {
      const line = element("p", { class: one.close ? "near close" : "near" });
      const link = element("a", { href: one.address, target: "_blank" }, one.text);
      line.append(link, element("span", { class: "soft" }, ` ${one.percent} % alike${one.close ? ": ask something else" : ""}`));
      return line;
    }),
  );
  if (!got.near.length) near.append(element("p", { class: "soft" }, "Nothing in the study is like it."));
  document.getElementById("topic").textContent = got.topic ? `Topic: ${got.topic}` : "";
  const preview = document.getElementById("preview");
  preview.replaceChildren(
    ...got.previews.map((html, at) => {
      const turn = element("div", { class: `turn ${at % 2 ? "assistant" : "user"}` });
      const said = element("div", { class: "said" });
      setHTML(said, html);
      turn.append(element("div", { class: "by" }, at % 2 ? "Assistant" : "User"), said);
      return turn;
    }),
  );
  objection = got.objection ?? "";
  document.getElementById("objection").textContent = objection && `To submit: ${objection}`;
}

function say(what, bad = false) {
  if (state.textContent !== what) state.textContent = what;
  state.classList.toggle("error", bad);
}

turns.addEventListener("input", (event) => {
  grow(event.target);
  changed();
});
category.addEventListener("input", changed);
document.getElementById("more").addEventListener("click", () => {
  addTurn();
  addTurn();
  afterTurns();
  boxes().at(-2).focus();
  changed();
});
document.getElementById("fewer").addEventListener("click", () => {
  const last = boxes().slice(-2);
  if (last.some((box) => box.value.trim()) && !confirm("Remove the last two turns? They stay in the versions.")) return;
  turns.lastElementChild.remove();
  turns.lastElementChild.remove();
  afterTurns();
  changed();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit(document.getElementById("submit"));
  }
});

// Submitting waits until the study has everything.
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter;
  for (let tries = 0; tries < 5 && localStorage.getItem(key) && !stuck; tries += 1) await send();
  if (localStorage.getItem(key) || stuck) {
    say("Not sent: it is not saved yet", true);
    return;
  }
  const to = button?.value ?? "submit";
  if (to === "submit" && objection) {
    say(`Not sent: ${objection}`, true);
    return;
  }
  const data = new URLSearchParams({ to, version });
  const response = await fetch(form.action, { method: "POST", body: data, headers: { accept: "application/json" } });
  if (response.ok) location.assign(response.redirected ? response.url : "/write");
  else say((await response.json()).error, true);
});
addEventListener("online", () => localStorage.getItem(key) && send());

const first = JSON.parse(document.getElementById("told").textContent);
show({ ...first.told, previews: first.previews, objection: first.objection });
afterTurns();
const left = JSON.parse(localStorage.getItem(key) ?? "null");
if (left) {
  // Typed before the browser or the network went away. Its base may be old, and then the study says so.
  version = left.base;
  put(left);
  send();
} else if (!boxes()[0].value) boxes()[0].focus();
