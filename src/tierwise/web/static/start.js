// The first call from a page: the answer as text, where it went, and the way to the record of why.

import { ask, record } from "./ask.js";

for (const code of document.querySelectorAll("[data-here]")) {
  code.textContent = code.textContent.replaceAll(code.dataset.here, location.origin);
}

const form = document.querySelector("#first");
const place = document.querySelector("#answered");

function said(name, text, address) {
  const node = document.createElement(name);
  node.textContent = text;
  if (address) node.href = address;
  place.append(node);
  return node;
}

if (form) form.hidden = false;
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  place.replaceChildren();
  const answer = said("p", "Asking…");
  const messages = [{ role: "user", content: form.elements.text.value }];
  let ident = "";
  try {
    const body = { model: form.dataset.model, messages, stream: true, max_tokens: 256 };
    const found = await ask(body, {
      opened: (first) => { ident = first.head.decision; },
      heard: (now) => { answer.textContent = now.text; },
    });
    if (!found.text) answer.textContent = "The answer is empty.";
  } catch (error) {
    answer.textContent = error.message;
    ident ||= error.decision ?? "";
  }
  if (ident) {
    const decision = await record(ident).catch(() => null);
    const last = decision?.attempts?.at(-1);
    if (last) said("p", `${last.model}, ${last.tier.replace("_", "-")}: ${decision.reason}`).className = "soft";
    said("p", "").append(said("a", "Why it went there", `/ui/decisions/${encodeURIComponent(ident)}`));
  }
  button.disabled = false;
});
