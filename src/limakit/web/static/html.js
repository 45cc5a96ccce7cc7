// The only place where a string becomes elements. The strings are HTML that the server has cleaned (report/untrusted.py);
// the Content-Security-Policy allows this one policy and no other.

const policy = globalThis.trustedTypes?.createPolicy("limakit", { createHTML: (text) => text }) ?? {
  createHTML: (text) => text,
};

/** Put cleaned HTML into an element. */
export function setHTML(element, html) {
  element.innerHTML = policy.createHTML(html);
}

/** A new element with text, never HTML, in it. */
export function element(tag, attributes = {}, text = "") {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}
