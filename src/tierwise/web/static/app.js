// What moves on the pages: lists that grow, filters that need no button, text that can be copied.

for (const form of document.querySelectorAll("form[data-submit]")) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select, input[type=radio]")) form.requestSubmit();
  });
  form.querySelector("button")?.classList.add("hidden-when-scripted");
}

for (const place of document.querySelectorAll("[data-origin]")) place.textContent = location.origin;

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = document.querySelector(button.dataset.copy);
    await navigator.clipboard.writeText(source.value);
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  });
}

const MOST_ROWS = 200;
const rows = document.querySelector("[data-live]");
if (rows) {
  const told = document.querySelector("#live");
  const source = new EventSource(rows.dataset.live);
  let fresh = 0;
  source.addEventListener("open", () => { told.textContent = "Live; newest first, times are UTC"; });
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
