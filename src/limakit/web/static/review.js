// Review by keys: each key presses the button or follows the link that names it in data-key.

const typing = (target) => target instanceof Element && target.closest("input:not([type=checkbox]), textarea, select");

document.addEventListener("keydown", (event) => {
  const edit = document.getElementById("edit");
  if (edit && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    edit.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === "Escape" && typing(event.target)?.id === "note") {
    event.target.blur();
    return;
  }
  if (typing(event.target) && !(edit && event.key === "Escape")) return;
  const alias = { ArrowRight: "j", ArrowLeft: "k" }[event.key] ?? event.key;
  const wanted = document.querySelector(`[data-key="${CSS.escape(alias)}"]`);
  const field = document.querySelector(`[data-focus="${CSS.escape(alias)}"]`);
  if (!wanted && !field) return;
  event.preventDefault();
  if (field) field.focus();
  else wanted.click();
});

// A form is sent once, however often the key is pressed. The button that sent it still has to be in the form data.
for (const form of document.querySelectorAll("form")) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
}
addEventListener("pageshow", (event) => event.persisted && location.reload());

document.getElementById("all")?.addEventListener("change", (event) => {
  for (const box of document.querySelectorAll("[data-open]")) box.checked = event.target.checked;
});

// Leaving a changed edit asks first.
const form = document.getElementById("edit");
if (form) {
  let changed = false;
  form.addEventListener("input", () => (changed = true));
  form.addEventListener("submit", () => (changed = false));
  addEventListener("beforeunload", (event) => changed && event.preventDefault());
}
