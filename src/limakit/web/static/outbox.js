// Votes on their way to the server. Each is in localStorage before anything else happens, and leaves it when the server
// has said that it is on the disk. Sending twice is harmless: the server stores an id once.

const BATCH = 50;
const FIRST_WAIT = 500; // milliseconds until the next try, doubled up to LAST_WAIT
const LAST_WAIT = 5000;

export class Outbox {
  /** `onState({waiting, problem})` tells how many votes wait and why; `onReceipts(list)` what became of those sent. */
  constructor(prefix, onState, onReceipts) {
    this.prefix = prefix;
    this.onState = onState;
    this.onReceipts = onReceipts;
    this.memory = new Map(); // what localStorage would not take
    this.last = 0;
    this.sending = false;
    this.wait = FIRST_WAIT;
    this.problem = "";
    addEventListener("online", () => this.flush());
    addEventListener("pagehide", () => this.flush());
  }

  /** Keep a vote `{kind, id, …}` and send it soon. */
  put(vote) {
    this.last = Math.max(this.last + 1, Date.now() * 1000);
    const key = `${this.prefix}${String(this.last).padStart(17, "0")}`;
    const text = JSON.stringify(vote);
    try {
      localStorage.setItem(key, text);
    } catch {
      this.memory.set(key, text);
    }
    this.report();
    this.flush();
  }

  /** Votes that wait, oldest first, as [key, vote]. */
  waiting() {
    const found = new Map(this.memory);
    for (let n = 0; n < localStorage.length; n++) {
      const key = localStorage.key(n);
      if (key.startsWith(this.prefix)) found.set(key, localStorage.getItem(key));
    }
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, text]) => [key, JSON.parse(text)]);
  }

  report() {
    const kept = this.memory.size ? "This browser cannot keep votes: stay on this page until all are stored." : "";
    this.onState({ waiting: this.waiting().length, problem: this.problem || kept });
  }

  /** Send what waits, in order, until nothing is left. Returns when it stops; tries again by itself where it fails. */
  async flush() {
    if (this.sending) return;
    this.sending = true;
    clearTimeout(this.timer);
    try {
      for (let all = this.waiting(); all.length; all = this.waiting()) {
        const kind = all[0][1].kind;
        const other = all.findIndex(([, vote]) => vote.kind !== kind);
        const batch = all.slice(0, Math.min(BATCH, other < 0 ? BATCH : other));
        const receipts = await this.send(kind, batch.map(([, vote]) => vote));
        for (const [key] of batch) {
          localStorage.removeItem(key);
          this.memory.delete(key);
        }
        this.wait = FIRST_WAIT;
        this.problem = "";
        this.onReceipts(receipts);
        this.report();
      }
    } catch (error) {
      this.problem = error.message;
      this.timer = setTimeout(() => this.flush(), this.wait);
      this.wait = Math.min(this.wait * 2, LAST_WAIT);
      this.report();
    } finally {
      this.sending = false;
    }
  }

  async send(kind, votes) {
    const events = votes.map(({ kind: _, ...event }) => event);
    let response;
    try {
      response = await fetch("/votes", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ kind, events }),
        keepalive: true,
      });
    } catch {
      throw new Error("No connection. Go on: votes are kept in this browser.");
    }
    if (response.ok) return (await response.json()).receipts;
    if (response.status >= 500) throw new Error("The server does not answer. Votes are kept in this browser.");
    const said = await response.json().catch(() => ({}));
    throw new Error(`${said.error ?? "The votes were refused."} ${said.fix ?? "They are kept in this browser."}`);
  }
}
