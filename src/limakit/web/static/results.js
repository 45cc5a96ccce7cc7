// Results, fresh every ten seconds as long as somebody looks at them.

import { setHTML } from "./html.js";

const live = document.getElementById("live");
const EVERY = 10_000;

async function refresh() {
  // What somebody reads by keyboard is not pulled away from under them.
  if (document.hidden || live.contains(document.activeElement)) return;
  try {
    const response = await fetch("/results?part=1", { headers: { accept: "text/html" } });
    if (response.ok && !response.redirected) setHTML(live, await response.text());
  } catch {
    // The next round tries again; the time on the page says how old the figures are.
  }
}

setInterval(refresh, EVERY);
document.addEventListener("visibilitychange", refresh);
