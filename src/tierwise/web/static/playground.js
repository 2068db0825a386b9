// The playground: one prompt, several answers side by side, what each cost and why, a blind vote, a test case.

import { ask, post, record, Refused } from "./ask.js";
import { attached, size } from "./attach.js";
import { render } from "./markdown.js";
import { button, decided, escalations, link, made, took, trouble, usd } from "./told.js";

const $ = (name) => document.getElementById(name);
const form = $("play");
const known = JSON.parse(form.dataset.known);
const columns = [];
const files = [];
let round = { blind: false, began: 0 };

function say(text) { $("told").textContent = text; }

class Column {
  constructor(choice) {
    this.node = $("column").content.firstElementChild.cloneNode(true);
    this.select = this.node.querySelector("select");
    this.select.value = choice;
    if (this.select.selectedIndex < 0) this.select.selectedIndex = 0;
    this.turns = [];
    this.shown = [];
    this.forget();
    this.part("stop").addEventListener("click", () => this.stop());
    this.part("remove").addEventListener("click", () => removed(this));
    this.select.addEventListener("change", () => { this.place("before").replaceChildren(); notes(); });
  }

  part(name) { return this.node.querySelector(`[data-do="${name}"]`); }
  place(name) { return this.node.querySelector(`.play-${name}`); }
  get choice() { return this.select.value; }
  stop() { this.controller?.abort(); }

  forget() {
    this.turns = [];
    this.session = `play-${[...crypto.getRandomValues(new Uint8Array(12))].map((one) => one.toString(16).padStart(2, "0")).join("")}`;
    this.shown = [];
    this.result = null;
    for (const name of ["before", "turns", "after"]) this.place(name).replaceChildren();
  }

  // Say whom this column asks, or hide it while a blind vote is under way.
  unmasked(visible) {
    this.select.parentElement.hidden = !visible;
    this.part("remove").hidden = !visible || columns.length < 2;
  }

  named(letter) {
    this.letter = letter;
    this.node.querySelector("h2").textContent = letter;
    this.node.setAttribute("aria-label", `Column ${letter}`);
    for (const name of ["stop", "remove"]) this.part(name).setAttribute("aria-label", `${this.part(name).textContent} column ${letter}`);
  }

  body(asked) {
    const system = $("system").value.trim();
    const messages = [...(system ? [{ role: "system", content: system }] : []), ...this.turns, asked];
    const body = { model: this.choice, messages, metadata: { "x-tierwise-session": this.session } };
    if ($("workflow").value) body.metadata["x-tierwise-workflow"] = $("workflow").value;
    if ($("label").value) body.metadata["x-tierwise-label"] = $("label").value;
    if ($("tokens").value) body.max_completion_tokens = Number($("tokens").value);
    if ($("temperature").value) body.temperature = Number($("temperature").value);
    return body;
  }

  // Ask, show what comes as it comes, then what is recorded of it.
  async send(asked, blind) {
    this.controller = new AbortController();
    this.part("stop").hidden = false;
    this.part("remove").hidden = true;
    this.place("before").replaceChildren();
    this.place("after").replaceChildren();
    const answer = made("div", "", "play-answer");
    answer.setAttribute("aria-busy", "true");
    const turn = { answer, text: "", wait: 0 };
    this.shown.push(turn);
    this.place("turns").append(made("p", words(asked), "play-asked"), answer);
    this.result = { turn, asked, found: null, error: null, record: null };
    const result = this.result;
    try {
      result.found = await ask({ ...this.body(asked), stream: true, stream_options: { include_usage: true } }, {
        signal: this.controller.signal,
        opened: (found) => { result.found = found; },
        heard: (found) => { turn.text = found.text; if (!blind) drawSoon(turn); },
      });
      this.turns.push(asked, { role: "assistant", content: result.found.text });
    } catch (error) {
      result.error = error.name === "AbortError" ? new Refused("Stopped.", { code: "stopped", decision: result.found?.head.decision }) : error;
    }
    this.part("stop").hidden = true;
    if (!blind) {
      this.part("remove").hidden = columns.length < 2;
      this.draw();
      say(`${this.letter}: ${result.error ? result.error.message : `${this.choice} has answered after ${took(result.found.wholeMs)}`}`);
    }
    const ident = result.found?.head.decision || result.error?.decision;
    if (ident) result.record = await record(ident);
    if (!blind) this.tell();
  }

  // Show the answer as it stands at the end; of an error only that there is one, where nobody may know yet whose it is.
  draw(masked = false) {
    const { turn, error, found } = this.result;
    clearTimeout(turn.timer);
    turn.timer = null;
    draw(turn);
    turn.answer.removeAttribute("aria-busy");
    if (!error && !turn.text) turn.answer.append(made("p", "The answer is empty.", "soft"));
    if (!masked) this.thought();
    if (error) this.place("turns").append(masked ? made("p", "No answer.", "soft") : trouble(error));
  }

  thought() {
    const { turn, found } = this.result;
    if (found?.thinking) turn.answer.before(made("details", "", "", made("summary", "What it thought first"), made("pre", found.thinking)));
  }

  // Show who answered, what it took and cost, and why.
  tell() {
    const { found, record: kept, error } = this.result;
    const after = this.place("after");
    after.replaceChildren();
    if (!found && !kept) return;
    const last = kept?.attempts.at(-1);
    const usage = last?.usage;
    const read = usage ? usage.input + usage.cache_read + usage.cache_write : found?.usage?.prompt_tokens;
    const facts = [
      [error ? "Asked last" : "Answered by", last ? `${last.model} (${known.tiers[last.tier]})` : found?.head.model || "–"],
      ["Cost", usd(kept?.total_cost_usd), kept && kept.total_cost_usd === null ? "no price is known" : ""],
      ["First word", took(found?.firstMs ?? null)],
      ["Whole answer", took(found?.wholeMs ?? null)],
      ["Tokens", read === undefined ? "–" : `${read} in, ${usage?.output ?? found.usage.completion_tokens} out`, usage?.estimated ? "estimated" : ""],
    ];
    const list = made("dl", "", "play-facts");
    for (const [name, value, more] of last || found ? facts : []) {
      list.append(made("div", "", "", made("dt", name), made("dd", value), ...(more ? [made("dd", more, "soft small")] : [])));
    }
    if (list.children.length) after.append(list);
    const why = kept?.reason || found?.head.reason;
    if (why) after.append(made("p", `Why: ${why}.`, "small"));
    const gate = last?.gate;
    if (gate) after.append(made("p", `Gate ${gate.name.replaceAll(",", ", ")}: ${gate.verdict}${gate.detail ? `, ${gate.detail}` : ""}.`, gate.verdict === "fail" ? "small play-note" : "small"));
    if (found?.head.dropped) after.append(made("p", `The endpoint could not be told: ${found.head.dropped}`, "small play-note"));
    if (found?.finish === "length") after.append(made("p", "Cut at the limit of tokens.", "small play-note"));
    if (kept?.attempts.length > 1) after.append(escalations(kept.attempts));
    const row = made("div", "", "play-buttons");
    const ident = kept?.id ?? found?.head.decision;
    if (ident && !error?.decision) row.append(link("The whole decision", `/ui/decisions/${encodeURIComponent(ident)}`));
    if (found?.text && !error) row.append(button("Keep as a test case", () => keep(this)));
    after.append(row);
  }
}

// A text is drawn anew as it grows, but never for more than a fifth of the time.
function draw(turn) {
  const began = performance.now();
  if ($("raw").checked) turn.answer.replaceChildren(made("pre", turn.text, "play-raw"));
  else turn.answer.replaceChildren(render(turn.text));
  turn.wait = Math.max(80, 4 * (performance.now() - began));
}
function drawSoon(turn) {
  turn.timer ??= setTimeout(() => { turn.timer = null; draw(turn); }, turn.wait);
}

function words(message) {
  if (typeof message.content === "string") return message.content;
  return message.content.map((part) => part.text ?? `[${part.type === "file" ? part.file.filename : "picture"}]`).join("\n");
}

function message() {
  const text = $("prompt").value;
  return { role: "user", content: files.length ? [{ type: "text", text }, ...files.map((one) => one.part)] : text };
}

// Columns

function arranged() {
  columns.forEach((column, at) => column.named(String.fromCharCode(65 + at)));
  $("columns").replaceChildren(...columns.map((one) => one.node));
  for (const column of columns) column.part("remove").hidden = columns.length < 2;
  $("add").disabled = columns.length >= known.most;
  notes();
}
// What a further column asks: the last choice that no column has, which is a model where there is one left.
function next() {
  const taken = columns.map((one) => one.choice);
  return [...$("column").content.querySelectorAll("option")].map((one) => one.value).findLast((name) => !taken.includes(name)) ?? "auto";
}
function added(choice) {
  columns.push(new Column(choice));
  arranged();
}
function removed(column) {
  column.stop();
  columns.splice(columns.indexOf(column), 1);
  arranged();
  $("add").focus();
}

// Tell before asking who cannot read what is attached.
function notes() {
  const needs = [["images", "see pictures"], ["files", "read PDF"]].filter(([name]) => files.some((one) => one.needs === name));
  for (const column of columns) {
    const able = (name) => (known.choices[column.choice] ?? []).some((model) => known.abilities[model]?.includes(name));
    const lacking = needs.filter(([name]) => !able(name)).map(([, told]) => told);
    const note = column.place("note");
    note.hidden = !lacking.length;
    const who = known.choices[column.choice]?.length === 1 ? `${known.choices[column.choice][0]} cannot` : "None of the models meant can";
    note.textContent = lacking.length ? `${who} ${lacking.join(" or ")}; the gateway will refuse.` : "";
  }
}

// Sending

async function send() {
  if (nothing()) return;
  const asked = message();
  const most = Math.max(...columns.map((one) => new Blob([JSON.stringify(one.body(asked))]).size));
  if (most > known.most_bytes) return say(`This is ${size(most)}; the gateway reads at most ${size(known.most_bytes)} a request.`);
  round = { blind: $("blind").checked && columns.length > 1, began: 0 };
  for (const name of ["keep", "vote"]) $(name).hidden = true;
  const goOn = !round.blind && $("on").checked && !$("on").parentElement.hidden;
  if (round.blind) shuffle();
  else if (!goOn) columns.forEach((one) => one.forget());
  busy(true);
  say(`Asking ${columns.length === 1 ? "one" : columns.length}${round.blind ? "; answers appear when all have ended" : ""}`);
  await Promise.all(columns.map((one) => one.send(asked, round.blind)));
  busy(false);
  $("on").parentElement.hidden = false;
  if (goOn) $("prompt").value = "";
  if (goOn) files.length = 0;
  filesShown();
  if (round.blind) return uncover();
  const ended = columns.map((one) => `${one.letter} ${one.result.error ? "without an answer" : `after ${took(one.result.found.wholeMs)}`}`);
  if (columns.length > 1) say(`All have ended: ${ended.join(", ")}.`);
}
function busy(asking) {
  held(asking);
  $("stop").hidden = !asking;
}
// Nothing that asks or that moves columns, while answers come or a vote is open.
function held(closed) {
  for (const name of ["send", "before", "blind"]) $(name).disabled = closed;
  $("add").disabled = closed || columns.length >= known.most;
  for (const column of columns) column.select.disabled = closed;
}
function nothing() {
  if ($("prompt").value.trim()) return false;
  say("Write a prompt first.");
  $("prompt").focus();
  return true;
}

// Why, before asking

async function before() {
  if (nothing()) return;
  const asked = message();
  say("Asking for the decisions; no model is asked, and nothing is recorded");
  await Promise.all(columns.map(async (column) => {
    const place = column.place("before");
    try {
      place.replaceChildren(decided(await (await post("route", { ...column.body(asked), stream: true })).json(), known.tiers));
    } catch (error) { place.replaceChildren(trouble(error)); }
  }));
  say("What would be decided stands in each column");
}
// Blind votes

function shuffle() {
  for (let at = columns.length - 1; at > 0; at -= 1) {
    const other = crypto.getRandomValues(new Uint32Array(1))[0] % (at + 1);
    [columns[at], columns[other]] = [columns[other], columns[at]];
  }
  arranged();
  for (const column of columns) {
    column.forget();
    column.unmasked(false);
    column.place("note").hidden = true;
  }
}

// All answers have ended: show them, and ask for a word where there is something to compare.
function uncover() {
  round.began = performance.now();
  for (const column of columns) column.draw(true);
  const able = columns.filter((one) => one.result.found && !one.result.error && one.result.turn.text);
  if (able.length < 2) {
    reveal();
    return say("There is nothing to compare: fewer than two have answered.");
  }
  const words = able.map((one) => button(`${one.letter} is ${able.length === 2 ? "better" : "the best"}`, () => vote(able, one), ""));
  words.push(button(able.length === 2 ? "Equally good" : "All equally good", () => vote(able, "tie"), ""));
  words.push(button(able.length === 2 ? "Both bad" : "All bad", () => vote(able, "bad"), ""));
  words.push(button("No vote, show who they are", () => { reveal(); $("vote").hidden = true; say("Nothing was kept."); $("prompt").focus(); }));
  $("votes").replaceChildren(...words);
  $("vote").hidden = false;
  $("vote-title").textContent = "Which answer is better?";
  held(true);
  $("vote-title").focus();
  say("All have ended: say which answer is better.");
}
function reveal() {
  for (const column of columns) {
    column.unmasked(true);
    column.thought();
    if (column.result.error) column.place("turns").append(trouble(column.result.error));
    column.tell();
  }
  held(false);
  arranged();
}

async function vote(able, word) {
  for (const one of $("votes").children) one.disabled = true;
  const seconds = Math.min(600, (performance.now() - round.began) / 1000);
  const idents = able.map((one) => one.result.found.head.decision);
  const score = (column) => (word === "tie" ? 0.5 : word === column ? 1 : 0);
  const said = await Promise.allSettled(able.map((column, at) => post("feedback", {
    decision: idents[at], score: score(column), seconds,
    who: `${known.vote} ${idents.filter((one) => one !== idents[at]).join(" ")}`,
  })));
  reveal();
  const failed = said.find((one) => one.status === "rejected");
  const told = made("p", failed ? `The vote was not kept whole: ${failed.reason.message}` : "Kept in the ledger as feedback on ");
  if (!failed) {
    able.forEach((one, at) => told.append(at ? ", " : "", link(`${one.letter}: ${score(one)}`, `/ui/decisions/${idents[at]}`)));
    told.append(". Whoever answered gets the vote, also through auto.");
  }
  $("vote-title").textContent = "Your vote";
  $("votes").replaceChildren(told);
  $("vote-title").focus();
  say(told.textContent);
  const tally = await fetch("/ui/playground/votes").catch(() => null);
  if (tally?.ok) $("tally").innerHTML = await tally.text(); // written by our own template, which escapes all that it is given
}

// Test cases

function item() {
  const { asked, found } = kept.result;
  const whole = $("keep-whole").checked;
  const label = $("label").value;
  const system = $("system").value.trim();
  const before = kept.turns.slice(0, kept.turns.lastIndexOf(asked));
  const fields = { messages: [...(system ? [{ role: "system", content: system }] : []), ...before, asked] };
  return { ...(whole ? { fields } : { input: plainly(asked) }), reference: $("keep-answer").value || found.text, ...(label ? { label } : {}) };
}
function plainly(asked) { return typeof asked.content === "string" ? asked.content : asked.content[0].text; }
let kept = null;

function keep(column) {
  kept = column;
  $("keep").hidden = false;
  if ($("keeping")) {
    const simple = typeof column.result.asked.content === "string" && column.turns.length === 2 && !$("system").value.trim();
    $("keep-whole").checked = !simple;
    $("keep-whole").disabled = simple;
    $("keep-answer").value = column.result.found.text;
    if (known.choices[`auto:${$("workflow").value}`]) $("keep-workflow").value = $("workflow").value;
    $("kept").replaceChildren();
    keepShown();
  }
  $("keep-title").focus();
}
function keepShown() {
  $("keep-line").textContent = `tierwise dataset add --item - -- ${quoted($("keep-workflow").value)}`;
  const text = JSON.stringify(item(), null, 1);
  $("keep-item").textContent = text.length > 4000 ? `${text.slice(0, 4000)}…` : text;
}
function quoted(word) { return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`; }

async function keepIt() {
  const body = new URLSearchParams({ token: form.dataset.token, workflow: $("keep-workflow").value, item: JSON.stringify(item()) });
  $("kept").textContent = "Adding it";
  const response = await fetch("/ui/playground/keep", { method: "POST", body }).catch(() => null);
  if (response?.ok) $("kept").innerHTML = await response.text(); // written by our own template, which escapes all that it is given
  else if (response?.status === 413) $("kept").textContent = "Not kept: it is too large for a page. Save the item as a file, and run the command above with it.";
  else $("kept").textContent = "Not kept: the gateway refused. Load the page again.";
}

// Files

function filesShown() {
  $("files").replaceChildren(...files.map((one) => {
    const remove = button("Remove", () => {
      files.splice(files.indexOf(one), 1);
      filesShown();
      $("attach").focus();
    });
    remove.setAttribute("aria-label", `Remove ${one.name}`);
    return made("li", one.told, "", remove);
  }));
  notes();
}
async function attach(chosen) {
  for (const file of chosen) {
    try {
      files.push(await attached(file, known.most_bytes));
      say(`${file.name} is attached.`);
    } catch (error) { say(`Not attached: ${error.message}.`); }
  }
  filesShown();
}

form.addEventListener("submit", (event) => { event.preventDefault(); if (!$("send").disabled) send(); });
form.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
$("stop").addEventListener("click", () => columns.forEach((one) => one.stop()));
$("before").addEventListener("click", before);
$("add").addEventListener("click", () => { added(next()); columns.at(-1).select.focus(); });
$("attach").addEventListener("change", (event) => { attach([...event.target.files]); event.target.value = ""; });
$("prompt").addEventListener("paste", (event) => { if (event.clipboardData.files.length) { event.preventDefault(); attach([...event.clipboardData.files]); } });
$("raw").addEventListener("change", () => columns.forEach((one) => one.shown.forEach((turn) => { if (turn.answer.childNodes.length) draw(turn); })));
$("keep-not").addEventListener("click", () => { $("keep").hidden = true; $("prompt").focus(); });
$("keeping")?.addEventListener("submit", (event) => { event.preventDefault(); keepIt(); });
$("keeping")?.addEventListener("input", keepShown);
known.columns.forEach(added);
