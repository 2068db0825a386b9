// The line beside a button: what the form would run as it is filled in now, as the server builds it.

const WAIT_MS = 150;
const waiting = new Map();

async function show(form) {
  const given = new FormData(form);
  given.delete("token");
  const answer = await fetch(`${form.dataset.line}?${new URLSearchParams(given)}`).catch(() => null);
  if (!answer?.ok) return;
  const { line, problem } = await answer.json();
  if (line) form.querySelector(".command code").textContent = line;
  form.querySelector(".problem").textContent = problem ?? "";
}

document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-line]");
  if (!form) return;
  clearTimeout(waiting.get(form));
  waiting.set(form, setTimeout(show, WAIT_MS, form));
});
