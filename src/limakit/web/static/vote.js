// The pages Compare and Grade: a key is a vote, and the next item is there at once.

import { element } from "./html.js";
import { Outbox } from "./outbox.js";
import { Supply } from "./supply.js";

const booth = document.getElementById("booth");
const stage = document.getElementById("stage");
const panel = document.getElementById("panel");
const banner = document.getElementById("banner");
const count = document.getElementById("count");
const bar = document.getElementById("bar");
const state = document.getElementById("state");
const undoButton = document.getElementById("undo");
const buttons = [...booth.querySelectorAll("[data-label]")];
const kind = booth.dataset.kind;
const names = Object.fromEntries(buttons.map((button) => [button.dataset.label, button.dataset.name]));
const keys = new Map(buttons.flatMap((b) => b.dataset.keys.split(" ").map((key) => [key, b.dataset.label])));

const supply = new Supply(kind);
const outbox = new Outbox(`limakit:${booth.dataset.studio}:${booth.dataset.person}:`, showState, received);
const past = []; // items with a vote, for taking it back
const inQuestion = new Map(); // assignment → item that was voted on here, until the receipt
let current = null;
let shownAt = 0;
let done = 0;
let total = 0;
let every = Infinity;
let sinceBreak = [];
let pausing = false;
let keyAt = 0;

/** Give a vote on the current item. */
function vote(label) {
  if (!current || pausing) return;
  const item = current;
  const milliseconds = Math.round(performance.now() - shownAt);
  send(item, label, milliseconds);
  past.push(item);
  done += 1;
  sinceBreak.push(milliseconds);
  current = null;
  if (sinceBreak.length >= every) pause();
  else next();
}

function send(item, label, milliseconds = null) {
  const id = crypto.randomUUID?.() ?? uuid();
  outbox.put({ kind, id, assignment: item.assignment, label, after: item.head, milliseconds });
  item.head = id;
  item.label = label;
  item.trouble = null;
  inQuestion.set(id, item);
}

/** crypto.randomUUID is missing where the page comes over plain HTTP from another computer. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Show the item before this one again and take its vote back. */
function undo() {
  const item = past.pop();
  if (!item) return;
  if (current) supply.putBack(current);
  const said = item.label;
  send(item, null);
  done -= 1;
  sinceBreak.pop();
  pausing = false;
  show(item, said && names[said] ? `Taken back: “${names[said]}”. Choose again.` : "Taken back. Choose again.");
}

function next() {
  const item = supply.take();
  if (item) show(item, item.trouble ?? "");
  else wait();
  refill();
}

function show(item, note) {
  current = item;
  stage.replaceChildren(supply.elements(item));
  panel.hidden = true;
  booth.classList.remove("idle");
  banner.textContent = note;
  banner.hidden = !note;
  progress();
  scrollTo(0, 0);
  requestAnimationFrame(painted);
  shownAt = performance.now();
}

/** Runs before the frame with the new item is painted; the message comes after it. */
function painted() {
  const channel = new MessageChannel();
  const from = keyAt;
  keyAt = 0;
  channel.port1.onmessage = () => {
    if (from) performance.measure("key-to-paint", { start: from, end: performance.now() });
    supply.build();
  };
  channel.port2.postMessage(0);
}

function progress() {
  bar.max = Math.max(total, 1);
  bar.value = done;
  count.textContent = `${done.toLocaleString("en")} of ${total.toLocaleString("en")} done`;
  undoButton.disabled = past.length === 0;
}

let refillTimer;
async function refill() {
  try {
    const said = await supply.fill();
    if (said) {
      const here = outbox.waiting().filter(([, v]) => v.kind === kind && v.label !== null).length;
      total = Math.max(said.total, done);
      if (!past.length && !current) done = said.done + here;
      every = said.break_every;
      said.seen.forEach((item) => past.push(item));
      for (const trouble of said.conflicts) if (trouble.item) ask(trouble.item, trouble);
      progress();
      if (!current && !pausing) next();
    } else if (supply.finished && !current && !pausing) wait();
  } catch (error) {
    if (!current && !pausing) tell("Waiting for the server", `${error.message === "Failed to fetch" ? "No connection." : error.message} Your votes are kept in this browser; this page goes on by itself.`);
    clearTimeout(refillTimer);
    refillTimer = setTimeout(refill, 1500);
  }
}

/** Nothing to show: because everything is done, or because the server has not sent more yet. */
function wait() {
  if (!supply.finished) return tell("One moment", "The next items are on their way.");
  if (total === 0) return tell("There is nothing here yet", booth.dataset.nothing);
  tell("All done. Thank you!", "There is nothing left for you here. You can close this page once all votes are stored.");
}

function pause() {
  pausing = true;
  const sorted = [...sinceBreak].sort((a, b) => a - b);
  const seconds = (sorted[Math.floor(sorted.length / 2)] / 1000).toFixed(1);
  sinceBreak = [];
  tell("Time for a short break", `${done} done, ${Math.max(total - done, 0)} to go; half of them took you less than ${seconds} seconds. Look out of the window for a minute.`);
  const go = element("button", { class: "primary" }, "Go on");
  go.addEventListener("click", () => {
    pausing = false;
    next();
  });
  panel.append(go);
  go.focus();
  refill();
}

function tell(title, text) {
  current = null;
  stage.replaceChildren();
  banner.hidden = true;
  panel.replaceChildren(element("h1", {}, title), element("p", {}, text));
  panel.hidden = false;
  booth.classList.add("idle");
  progress();
}

function showState({ waiting, problem }) {
  if (problem) state.textContent = waiting ? `${waiting} not sent. ${problem}` : problem;
  else state.textContent = waiting ? `Storing ${waiting}…` : "All votes are stored";
  state.classList.toggle("error", Boolean(problem));
}

/** What the server made of votes. A vote in conflict is asked again: both are kept, and the new one will count. */
function received(receipts) {
  let lost = 0;
  for (const receipt of receipts) {
    const item = inQuestion.get(receipt.id);
    inQuestion.delete(receipt.id);
    if (receipt.state === "unknown") lost += 1;
    if (receipt.state !== "conflict" || !item) continue;
    ask(item, { label: item.label, kept: receipt.label, head: receipt.head });
    if (!current && !pausing) next();
  }
  if (lost) {
    banner.textContent = `${lost} of your votes belong to items that this database does not have. Tell the owner of the study.`;
    banner.hidden = false;
  }
}

function ask(item, { label, kept, head }) {
  const name = (said) => (said ? `“${names[said] ?? said}”` : "no vote");
  item.head = head;
  item.label = kept;
  item.trouble = `You have said two things about this: ${name(kept)} elsewhere, and ${name(label)} here. Both are kept; the first counts until you choose again.`;
  const place = past.indexOf(item);
  if (place >= 0) {
    past.splice(place, 1);
    done -= 1;
  }
  if (supply.items.includes(item) || current === item) return;
  supply.putBack(item);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target.closest?.("input, textarea, select")) return;
  if (event.key === "Backspace" || event.key === "u") {
    event.preventDefault();
    keyAt = event.timeStamp;
    undo();
  } else if (keys.has(event.key)) {
    event.preventDefault();
    keyAt = event.timeStamp;
    vote(keys.get(event.key));
  }
});
for (const button of buttons) {
  button.addEventListener("click", (event) => {
    keyAt = event.timeStamp;
    vote(button.dataset.label);
  });
}
undoButton.addEventListener("click", undo);

outbox.report();
await outbox.flush(); // votes of an earlier visit first, so that their items do not come again
await refill();
