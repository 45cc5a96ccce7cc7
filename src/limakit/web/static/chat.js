// Chat: one dialogue, or two with the same questions. Answers come one at a time, because models share the machine.

import { element, setHTML } from "./html.js";

const chat = document.getElementById("chat");
const talks = document.getElementById("talks");
const box = document.getElementById("text");
const state = document.getElementById("state");
const stop = document.getElementById("stop");
const send = document.getElementById("send");
const pickers = [document.getElementById("first"), document.getElementById("second")];
const key = `limakit-chat-${chat.dataset.person}-${location.host}`;
const GRADES = [
  ["excellent", "Excellent"],
  ["pass", "Pass"],
  ["fail", "Fail"],
];

/** {system, dialogue, turns: [{role, content, html?, note?, grade?}]} for each side. */
let sides = [];
let busy = false;

const post = (path, body) =>
  fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(body ?? {}),
  });
const bare = (turns) => turns.map(({ role, content }) => ({ role, content }));

function say(what, bad = false) {
  state.textContent = what;
  state.classList.toggle("error", bad);
}

function keep() {
  try {
    sessionStorage.setItem(key, JSON.stringify(sides));
  } catch {
    // A dialogue that this tab cannot keep is still on the page.
  }
}

function begin(turns = []) {
  const names = pickers.map((picker) => picker.value).filter(Boolean);
  sides = names.map((system) => ({ system, dialogue: crypto.randomUUID(), turns: [...turns] }));
  draw();
  keep();
}

function draw() {
  talks.classList.toggle("two", sides.length > 1);
  talks.replaceChildren(...sides.map(drawSide));
}

function drawSide(side) {
  const part = element("section", { class: "talk", "aria-label": `Dialogue with ${side.system}` });
  part.append(element("h2", {}, side.system));
  const log = element("div", { role: "log", "aria-live": "off" });
  log.append(...side.turns.map((turn, at) => drawTurn(side, turn, at)));
  part.append(log);
  return part;
}

function drawTurn(side, turn, at) {
  const whole = element("div", { class: `turn ${turn.role}` });
  const said = element("div", { class: "said" });
  if (turn.html) setHTML(said, turn.html);
  else said.textContent = turn.content;
  whole.append(element("div", { class: "by" }, turn.role === "user" ? "You" : side.system), said);
  if (turn.note) whole.append(element("p", { class: "note" }, turn.note));
  if (turn.role === "assistant" && turn.content) whole.append(tools(side, turn, at));
  return whole;
}

function tools(side, turn, at) {
  const row = element("div", { class: "row tools", role: "group", "aria-label": "Grade this turn" });
  for (const [value, name] of GRADES) {
    const button = element("button", { type: "button", "aria-pressed": String(turn.grade === value) }, name);
    button.addEventListener("click", () => grade(side, turn, at, value, row));
    row.append(button);
  }
  const write = element("button", { type: "button", class: "quiet" }, "Take to Write");
  write.addEventListener("click", () => take(side, at));
  row.append(write);
  return row;
}

async function grade(side, turn, at, value, row) {
  const messages = bare(side.turns.slice(0, at + 1));
  const response = await post("/chat/grade", { system: side.system, dialogue: side.dialogue, messages, grade: value }).catch(
    () => null,
  );
  if (!response?.ok) return say("The grade was not stored: the studio cannot be reached", true);
  turn.grade = value;
  for (const [number, [name]] of GRADES.entries()) row.children[number].setAttribute("aria-pressed", String(name === value));
  say(`Graded: ${value}`);
  keep();
}

async function take(side, at) {
  const messages = bare(side.turns.slice(0, at + 1));
  const response = await post("/chat/write", { system: side.system, messages }).catch(() => null);
  const got = await response?.json();
  if (!response?.ok) return say(got?.error ?? "The studio cannot be reached", true);
  location.assign(got.address);
}

async function ask() {
  const content = box.value.trim();
  if (busy || !content) return;
  if (!sides.length) begin();
  busy = true;
  send.disabled = true;
  stop.hidden = false;
  box.value = "";
  // A side whose last question got no answer is asked again with both.
  for (const side of sides) {
    const last = side.turns.at(-1);
    if (last?.role === "user") last.content = `${last.content}\n\n${content}`;
    else side.turns.push({ role: "user", content });
  }
  draw();
  keep();
  for (const side of sides) if (!(await answer(side))) break;
  busy = false;
  send.disabled = false;
  stop.hidden = true;
  box.focus();
}

/** Whether the other side may be asked as well. */
async function answer(side) {
  const turn = { role: "assistant", content: "" };
  const part = talks.children[sides.indexOf(side)];
  const log = part.querySelector("[role=log]");
  const whole = drawTurn(side, turn, side.turns.length);
  const said = whole.querySelector(".said");
  whole.setAttribute("aria-busy", "true");
  log.append(whole);
  whole.scrollIntoView({ block: "nearest" });
  say(`${side.system} is thinking …`);
  let end = null;
  let problem = "";
  try {
    const response = await post("/chat/say", { system: side.system, messages: bare(side.turns) });
    if (!response.ok) {
      const got = await response.json();
      problem = `${got.error}. ${got.fix ?? ""}`;
    } else {
      for await (const line of lines(response.body)) {
        if (line.finish) end = line;
        else if (line.whole !== undefined) said.textContent = line.whole;
        else said.append(line.text);
        if (!end) say(`${side.system} is writing …`);
      }
      if (!end) problem = "The answer broke off: the studio cannot be reached.";
    }
  } catch {
    problem = "The studio cannot be reached.";
  }
  whole.removeAttribute("aria-busy");
  problem ||= end?.error ?? "";
  if (end?.said) {
    const notes = [
      end.trimmed ? `the first ${end.trimmed} tokens did not fit` : "",
      { length: "cut at generate.max_new_tokens", stopped: "stopped", failed: "broken off" }[end.finish] ?? "",
    ].filter(Boolean);
    side.turns.push({ role: "assistant", content: end.said, html: end.html, note: notes.join(", ") });
  }
  whole.replaceWith(...(end?.said ? [drawTurn(side, side.turns.at(-1), side.turns.length - 1)] : []));
  log.lastElementChild?.scrollIntoView({ block: "nearest" });
  if (problem) say(problem, true);
  else say(end.said ? `${side.system} has answered` : `${side.system} said nothing (${end.finish})`, !end.said && end.finish !== "stopped");
  if (problem && side.turns.at(-1)?.role === "user" && !box.value) box.placeholder = "Ask again";
  keep();
  return !problem && end.finish !== "stopped";
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

const halt = () => busy && post("/chat/stop").catch(() => say("The studio cannot be reached", true));

document.getElementById("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ask();
});
document.addEventListener("keydown", (event) => event.key === "Escape" && halt());
stop.addEventListener("click", halt);
document.getElementById("new").addEventListener("click", () => {
  if (busy) return;
  begin();
  say("A new dialogue");
  box.focus();
});
for (const picker of pickers) picker.addEventListener("change", () => !busy && begin());

sides = JSON.parse(sessionStorage.getItem(key) ?? "null") ?? [];
const known = [...pickers[0].options].map((option) => option.value);
if (sides.length && sides.every((side) => known.includes(side.system))) {
  pickers.forEach((picker, at) => (picker.value = sides[at]?.system ?? ""));
  draw();
} else begin();
const now = await fetch("/chat/state", { headers: { accept: "application/json" } }).then((response) => response.json());
if (now.person) say(`Busy: ${now.system} is answering ${now.person}`);
