// The break-even form: sliders beside the numbers, and the answer fetched anew while they move.

const form = document.querySelector("form[data-plan]");
const plan = document.querySelector("#plan");
const STEPS = 1000;

// A slider with a least goes by powers of ten from there, with nothing at its left end.
function toNumber(row, place) {
  const most = Number(row.dataset.most);
  if (!row.dataset.least) return (most * place) / STEPS;
  const least = Number(row.dataset.least);
  return place === 0 ? 0 : least * (most / least) ** (place / STEPS);
}

function valueOf(number) {
  return Number(number.value.replaceAll(",", "") || NaN);
}

function toPlace(row, value) {
  const most = Number(row.dataset.most);
  if (!(value > 0)) return 0;
  if (!row.dataset.least) return Math.round((STEPS * Math.min(value, most)) / most);
  const least = Number(row.dataset.least);
  return Math.max(1, Math.min(STEPS, Math.round((STEPS * Math.log(value / least)) / Math.log(most / least))));
}

function short(row, value) {
  if ("whole" in row.dataset && value < 1000) return String(Math.round(value));
  if ("share" in row.dataset) return String(Number(value.toFixed(2)));
  const rounded = Number(value.toPrecision(3));
  return rounded < 10_000 ? String(rounded) : rounded.toLocaleString("en-US");
}

function tell(row, number) {
  const said = row.querySelector("small");
  const same = number.value.replaceAll(",", "").trim() === number.dataset.before.replaceAll(",", "");
  if (same && said.dataset.said) said.textContent = said.dataset.said;
  else said.textContent = number.value.trim() ? "assumed: set on this page" : "unknown: counted as nothing";
}

for (const row of form.querySelectorAll("[data-slider]")) {
  const number = row.querySelector("input:not([type=range])");
  const range = row.querySelector("input[type=range]");
  range.hidden = false;
  range.value = toPlace(row, valueOf(number));
  range.setAttribute("aria-valuetext", number.value || "unknown");
  range.addEventListener("input", () => {
    number.value = short(row, toNumber(row, Number(range.value)));
    range.setAttribute("aria-valuetext", number.value);
    tell(row, number);
  });
  number.addEventListener("input", () => {
    range.value = toPlace(row, valueOf(number));
    range.setAttribute("aria-valuetext", number.value || "unknown");
    tell(row, number);
  });
}
form.querySelector(".buttons button").classList.add("hidden-when-scripted");

// What was not changed is not said, so that it keeps where it comes from.
function asked() {
  return new URLSearchParams([...new FormData(form)].filter(([name, value]) => {
    const before = form.elements[name].dataset.before;
    return before === undefined ? value !== "" : value.replaceAll(",", "").trim() !== before.replaceAll(",", "");
  }));
}

const WAIT_MS = 120;
let timer = 0;
let under_way = null;

// Only the answer to the last question is shown: an older one is given up.
async function ask() {
  under_way?.abort();
  const mine = (under_way = new AbortController());
  const query = asked();
  plan.setAttribute("aria-busy", "true");
  const answer = await fetch(`${form.dataset.plan}?${query}`, { signal: mine.signal }).catch(() => null);
  const html = answer?.ok ? await answer.text().catch(() => null) : null;
  if (mine !== under_way) return;
  plan.removeAttribute("aria-busy");
  if (html === null) return;
  const open = [...plan.querySelectorAll("details")].map((one) => one.open);
  plan.innerHTML = html; // written by our own template, which escapes all that it is given
  plan.querySelectorAll("details").forEach((one, at) => { one.open = open[at] ?? false; });
  history.replaceState(null, "", `?${query}${location.hash}`);
}

form.addEventListener("input", (event) => {
  if (event.target.matches("select")) return;
  clearTimeout(timer);
  timer = setTimeout(ask, WAIT_MS);
});
// Another machine begins with other numbers, so the whole page is asked for.
form.addEventListener("change", (event) => {
  if (!event.target.matches("select")) return;
  const chosen = new URLSearchParams([...new FormData(form)].filter(([name]) => ["machine", "period", "workflow"].includes(name)));
  location.assign(`/ui/cost?${chosen}#break-even`);
});
