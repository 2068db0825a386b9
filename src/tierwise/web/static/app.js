// What moves on the pages: lists that grow, filters that need no button, text that can be copied.

// On a narrow screen the pages' names lie in a row that is wider than it.
document.querySelector(".top [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

for (const form of document.querySelectorAll("form[data-submit]")) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select, input[type=radio]")) form.requestSubmit();
  });
  form.querySelector("button")?.classList.add("hidden-when-scripted");
}

for (const place of document.querySelectorAll("[data-origin]")) place.textContent = location.origin;

// A button copies the text before it, or of the element that it names.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies], [data-copy]");
  if (!button) return;
  const source = button.dataset.copy ? document.querySelector(button.dataset.copy) : button.previousElementSibling;
  await navigator.clipboard.writeText(source.value ?? source.textContent);
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1500);
});

// A part that takes its time: fetched after the page is there, and put into its place.
async function load(place) {
  const answer = await fetch(place.dataset.part).catch(() => null);
  if (answer?.ok) place.innerHTML = await answer.text(); // written by our own template, which escapes all that it is given
  else place.textContent = "This part cannot be shown now. Load the page again.";
  place.removeAttribute("aria-busy");
}
for (const place of document.querySelectorAll("[data-part]")) load(place);

// What a command prints, as it comes.
const output = document.querySelector("[data-lines]");
if (output) {
  const source = new EventSource(output.dataset.lines);
  let shown = Number(output.dataset.from);
  source.addEventListener("message", (event) => {
    if (Number(event.lastEventId) <= shown) return;
    shown = Number(event.lastEventId);
    const below = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
    output.firstElementChild.append(`${JSON.parse(event.data)}\n`);
    if (below) output.scrollTop = output.scrollHeight;
  });
  source.addEventListener("ended", () => { source.close(); location.reload(); });
}

const MOST_ROWS = 200;
const rows = document.querySelector("[data-live]");
if (rows) {
  const told = document.querySelector("#live");
  const source = new EventSource(rows.dataset.live);
  let fresh = 0;
  source.addEventListener("open", () => { told.textContent = "Live; newest first, times are UTC; arrow keys go through the list"; });
  source.addEventListener("error", () => { told.textContent = "Not live at the moment; trying again"; });
  source.addEventListener("message", (event) => {
    const holder = document.createElement("template");
    holder.innerHTML = JSON.parse(event.data); // written by our own template, which escapes all that it is given
    const row = holder.content.firstElementChild;
    row.classList.add("new");
    rows.prepend(row);
    while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
    fresh += 1;
    told.textContent = `Live; ${fresh} new since this page was opened`;
    document.querySelector(".empty")?.remove();
  });
}

// A box that leaves of a table those rows whose words hold all that is typed.
document.addEventListener("input", (event) => {
  const box = event.target.closest?.("[data-filters]");
  if (!box) return;
  const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...document.querySelector(box.dataset.filters).children];
  for (const row of rows) row.hidden = !wanted.every((word) => row.dataset.words.includes(word));
  const told = document.querySelector(`${box.dataset.filters}-told`);
  if (told) told.textContent = wanted.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
});
