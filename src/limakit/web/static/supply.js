// Items that the page will show next, fetched ahead and built ahead, so that a key shows the next one at once.

import { element, setHTML } from "./html.js";

const LOW = 20; // fetch more when fewer are left; the server sends 20 at a time
const BUILT = 3; // items whose elements are made before they are needed

export class Supply {
  constructor(kind, heading) {
    this.kind = kind;
    this.heading = heading;
    this.items = [];
    this.known = new Set();
    this.last = -1;
    this.finished = false;
    this.fetching = null;
  }

  /** Fetch what is missing; what the server said, or null where nothing was fetched. Throws where there is no connection. */
  fill() {
    if (this.finished || this.items.length >= LOW) return Promise.resolve(null);
    this.fetching ??= this.fetch().finally(() => (this.fetching = null));
    return this.fetching;
  }

  async fetch() {
    const response = await fetch(`/queue/${this.kind}?after=${this.last}`, { method: "POST" });
    const said = await response.json();
    if (!response.ok) throw new Error(`${said.error} ${said.fix}`);
    for (const item of said.items) {
      this.last = Math.max(this.last, item.position);
      if (!this.known.has(item.assignment)) this.items.push(item);
      this.known.add(item.assignment);
    }
    this.finished = said.items.length === 0;
    this.build();
    return said;
  }

  /** The next item, or undefined. */
  take() {
    return this.items.shift();
  }

  /** Show this item before the others. */
  putBack(item) {
    this.items.unshift(item);
  }

  /** Make the elements of the next items. */
  build() {
    for (const item of this.items.slice(0, BUILT)) this.elements(item);
  }

  /** The item as an article, made once. */
  elements(item) {
    if (item.article) return item.article;
    const article = element("article", { class: "item" });
    const prompt = element("section", { class: "prompt", "aria-label": "Request" });
    for (const turn of item.turns) prompt.append(this.said(turn.role === "user" ? "Request" : "Reply", turn.html, turn.role));
    article.append(prompt);
    if (item.note) article.append(element("p", { class: "note" }, `A safe answer: ${item.note}`));
    const answers = element("div", { class: item.answers.length > 1 ? "two answers" : "answers" });
    item.answers.forEach((html, n) => {
      const name = item.answers.length > 1 ? `Answer ${n + 1}` : "Answer";
      const card = element("section", { class: "card answer", "aria-label": name });
      card.append(element("h2", {}, name));
      const body = element("div", { class: "said" });
      setHTML(body, html);
      card.append(body);
      answers.append(card);
    });
    article.append(answers);
    return (item.article = article);
  }

  said(name, html, role) {
    const turn = element("div", { class: `turn ${role}` });
    turn.append(element("div", { class: "by" }, name));
    const body = element("div", { class: "said" });
    setHTML(body, html);
    turn.append(body);
    return turn;
  }
}
